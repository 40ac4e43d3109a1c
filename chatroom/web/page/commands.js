// What a typed line means: the commands are those of plain text.

/**
 * @typedef {{kind: "message" | "action", text: string} | {kind: "rename", to: string}
 *   | {kind: "search", text: string} | {kind: "topic", text?: string} | {kind: "history", limit: number}
 *   | {kind: "who" | "ping" | "help" | "quit"} | {kind: "problem", text: string}} Typed
 */

export const HELP = `A line is a message. Commands:
/nick NAME\ttake another name
/me ACTION\tsay what you do
/who\twho is here
/topic TEXT\tsay what the room is about; - removes it
/history N\tgo back to the last N events
/search WORDS\tfind what was said; a word may end in *
/ping\tthe round trip to the room
/quit\tleave the room
//text\tsay /text
Tab completes a name; ↑ and ↓ bring back what you said; Shift+Enter begins a new line; PageUp and \
PageDown scroll; Esc returns to the latest.`;

const DEFAULT_HISTORY = 20;
const MOST_HISTORY = 1000;

/**
 * @param {string} line
 * @returns {Typed}
 */
export function parse(line) {
  if (!line.startsWith("/")) return { kind: "message", text: line };
  if (line.startsWith("//")) return { kind: "message", text: line.slice(1) };
  const [word] = line.split(" ", 1);
  const argument = line.slice(word.length).trim();
  const command = COMMANDS[word.toLowerCase()];
  return command ? command(argument) : problem(`unknown command ${word}, /help lists them`);
}

/** @type {Record<string, (argument: string) => Typed>} */
const COMMANDS = {
  "/me": (text) => (text ? { kind: "action", text } : problem("say /me ACTION")),
  "/nick": (to) => (to ? { kind: "rename", to } : problem("say /nick NAME")),
  "/search": (text) => (text ? { kind: "search", text } : problem("say /search WORDS")),
  "/topic": (text) =>
    text ? { kind: "topic", text: text === "-" ? "" : text } : { kind: "topic" },
  "/history": history,
  "/who": () => ({ kind: "who" }),
  "/ping": () => ({ kind: "ping" }),
  "/help": () => ({ kind: "help" }),
  "/quit": () => ({ kind: "quit" }),
};

/**
 * @param {string} argument
 * @returns {Typed}
 */
function history(argument) {
  if (!argument) return { kind: "history", limit: DEFAULT_HISTORY };
  if (!/^[0-9]{1,18}$/.test(argument)) return problem("say /history or /history N, N a number");
  return { kind: "history", limit: Math.min(Number(argument), MOST_HISTORY) };
}

/**
 * @param {string} text
 * @returns {Typed}
 */
function problem(text) {
  return { kind: "problem", text };
}

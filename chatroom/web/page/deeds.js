// What a typed line does.

import { HELP } from "./commands.js";
import { many } from "./row.js";
import { milliseconds } from "./status.js";

/**
 * @typedef {{room: import("./room.js").Room, notice: (text: string) => void, said: () => void,
 *   goTo: (seq: number) => Promise<void>, find: (text: string) => void}} Means
 *   `notice`: says something to the person alone; `said`: something was said
 */

/**
 * A function that carries out what was typed; what cannot be is told to the person.
 * @param {Means} means
 */
export function deeds({ room, notice, said, goTo, find }) {
  const say = ({ kind, text }) => {
    room.say(kind, text);
    said();
  };
  /** @type {Record<string, (typed: any) => void | Promise<void>>} */
  const all = {
    message: say,
    action: say,
    rename: ({ to }) => room.rename(to),
    topic: async ({ text }) => {
      if (text !== undefined) await room.setTopic(text);
      else notice(room.topic ? `the topic is: ${room.topic}` : "there is no topic");
    },
    search: ({ text }) => find(text),
    history: async ({ limit }) => {
      const { items } = await room.history({ limit });
      if (items.length) await goTo(items[0].seq);
    },
    who: async () => {
      const { members, member_count: count, more } = await room.who(0);
      const rest = more ? ` and ${many(count - members.length, "other")}` : "";
      notice(`${count} here: ${members.join(", ")}${rest}`);
    },
    ping: async () => notice(`the room answers within ${milliseconds(await room.ping())} ms`),
    help: () => notice(HELP),
    quit: () => room.connection.leave(),
  };
  /** @param {import("./commands.js").Typed} typed */
  return async (typed) => {
    try {
      await all[typed.kind](typed);
    } catch (error) {
      notice(error.message);
    }
  };
}

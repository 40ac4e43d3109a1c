// One item of the log as an element.

import { element, icon } from "./dom.js";
import { hue } from "./names.js";
import { isSpeech } from "./order.js";
import { shown } from "./text.js";
import { clock, dayOf, fullTime, moment } from "./time.js";

/**
 * @typedef {import("./order.js").Item} Item
 * @typedef {{item: Item, element: HTMLElement, date: Date, day: number, heading: Element | null}} Row
 */

/**
 * @param {Item} item
 * @param {RegExp | null} mention what calls the reader in it
 * @returns {Row}
 */
export function makeRow(item, mention) {
  const date = moment(item.time);
  const made = element("div", { className: "entry" }, bodyOf(item, date, mention));
  made.dataset.kind = item.kind;
  if (item.sub === 0) made.dataset.seq = String(item.seq);
  return { item, element: made, date, day: dayOf(date), heading: null };
}

/**
 * A name in its colour, kept apart from the direction of the text around it.
 * @param {string} nick
 */
export function nickOf(nick) {
  const made = element("bdi", { className: "nick" }, nick);
  made.style.setProperty("--hue", String(hue(nick)));
  return made;
}

/**
 * @param {Item} item
 * @param {Date} date
 * @param {RegExp | null} mention
 */
function bodyOf(item, date, mention) {
  if (isSpeech(item)) return speech(item, date, mention);
  if (item.kind === "refused") return refusal(item, date);
  if (item.kind === "notice") return element("div", { className: "notice" }, item.text);
  const news = NEWS[item.kind];
  if (news) return element("div", { className: "row news" }, timeOf(date), news(item));
  const words = element("span", {}, DIVIDERS[item.kind]?.(item) ?? item.kind);
  return element("div", { className: `divider ${item.kind}` }, words);
}

/**
 * @param {Item} item
 * @param {Date} date
 * @param {RegExp | null} mention
 */
function speech(item, date, mention) {
  const calls = mention && !item.mine && item.text.search(mention) >= 0;
  const body = element(
    "div",
    { className: `row ${item.kind}` },
    timeOf(date),
    nickOf(item.nick),
    " ",
    element(
      "span",
      { className: "text", dir: "auto" },
      ...shown(item.text, calls ? mention : null),
    ),
  );
  if (item.removed) body.querySelector(".text").append(element("i", {}, "removed"));
  if (calls) body.classList.add("calls");
  if (item.mine) body.append(stateOf("stored"));
  return body;
}

/** @param {Date} date */
function timeOf(date) {
  const properties = { dateTime: date.toISOString(), title: fullTime(date) };
  return element("time", properties, clock(date));
}

const STATES = {
  waiting: "waiting: it is said when the room is there",
  sent: "sent",
  stored: "stored: the room has it",
};

/**
 * What has become of something that was said here.
 * @param {keyof STATES} state
 */
export function stateOf(state) {
  const words = element("span", { className: "unseen" }, ` (${STATES[state]})`);
  const made = element("span", { className: "state", title: STATES[state] }, icon(state), words);
  made.dataset.state = state;
  return made;
}

/**
 * A statement that is on its way.
 * @param {import("./statements.js").Statement} statement
 * @param {string} nick
 */
export function pendingRow(statement, nick) {
  const state = statement.state === "sent" ? "sent" : "waiting";
  return element(
    "div",
    { className: `row ${statement.kind} pending` },
    timeOf(new Date()),
    nickOf(nick),
    " ",
    element("span", { className: "text", dir: "auto" }, ...shown(statement.text)),
    stateOf(state),
  );
}

/** Codes after which the room has heard it all the same. */
const HEARD = { not_stored: "heard, but not stored: it may be missing in the history" };

/**
 * @param {Item} item
 * @param {Date} date
 */
function refusal(item, date) {
  const unknown = "the connection broke: not known whether this was said";
  const reason =
    HEARD[item.code] ?? (item.code === "unknown" ? unknown : `not said: ${item.reason}`);
  const actions = element("span", { className: "actions" });
  if (!HEARD[item.code]) actions.append(button("again", "Edit and say again"));
  actions.append(button("dismiss", "Dismiss"));
  const why = element("span", { className: "why" }, icon("warning"), element("span", {}, reason));
  return element(
    "div",
    { className: `row ${item.by} refused` },
    timeOf(date),
    nickOf(item.nick),
    " ",
    element("span", { className: "text", dir: "auto" }, ...shown(item.text)),
    element("div", { className: "reason" }, why, actions),
  );
}

/**
 * @param {string} action what the log does when it is pressed
 * @param {string} words
 */
function button(action, words) {
  const made = element("button", { type: "button", className: "quiet" }, words);
  made.dataset.action = action;
  return made;
}

/** @type {Record<string, (item: Item) => Node>} */
const NEWS = {
  join: (item) => news(nickOf(item.nick), " joined"),
  leave: (item) => news(nickOf(item.nick), ` left${item.reason === "quit" ? "" : leaving(item)}`),
  redaction: (item) => news(nickOf(item.nick), " removed a message"),
  topic: (item) =>
    item.text
      ? news(nickOf(item.nick), " says what the room is about: ", element("bdi", {}, item.text))
      : news(nickOf(item.nick), " says that the room has no topic any more"),
  rename: (item) => news(nickOf(item.nick), " is now ", nickOf(item.to)),
};

/** @param {Item} item */
function leaving(item) {
  const by = item.by ? ` by ${item.by}` : "";
  const why = item.text ? `: ${item.text}` : "";
  return ` (${String(item.reason).replaceAll("_", " ")}${by}${why})`;
}

/** @param {...(Node | string)} children */
const news = (...children) => element("span", { className: "text" }, ...children);

/** @type {Record<string, (item: Item) => string>} */
const DIVIDERS = {
  unread: () => "New",
  gap: (item) => {
    const numbers = item.to - item.from + 1;
    // After a power failure numbers are left out on suspicion, a million of them.
    if (numbers >= 100_000) return "What was said last may be missing here";
    return `${many(numbers, "event")} missing here`;
  },
  missed: (item) => `${many(item.from, "event")} missed: not kept any more`,
  session: (item) =>
    item.code
      ? "The room began anew: what was said meanwhile is not known"
      : "The room was started again",
};

/**
 * @param {number} count
 * @param {string} word
 */
export function many(count, word) {
  return `${count.toLocaleString()} ${word}${count === 1 ? "" : "s"}`;
}

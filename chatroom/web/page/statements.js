// What is said here and is not yet known to be in the room: waiting, sent, or in doubt. A rename is
// a statement too: the room hears it, and what is said behind it is said under the new name.
//
// A statement that was sent when the connection broke is in doubt: the room has it or not. A resume
// replays every event since it was sent, one's own too, so it is looked up there. What is not found
// in a replay without holes was not heard and is said again; where something is missing nobody can
// know, and the person decides.

import { fold } from "./names.js";
import { isSpeech } from "./order.js";

/**
 * @typedef {{id: string, kind: "message" | "action" | "rename", text: string, after: number,
 *   state: "waiting" | "sent" | "doubtful"}} Statement
 *   `text` of a rename: the name that is wanted
 * @typedef {import("./order.js").Item} Item
 */

export class Statements {
  #count = 0;
  #ackedSeq = 0;
  #doubtfulNick = ""; // under which the room heard what is in doubt, after the renames found so far
  #renamed = false; // one of them was found

  /** In the order in which they were made. @type {Statement[]} */
  #open = [];

  /** What is said, without the renames. @returns {readonly Statement[]} */
  get said() {
    return this.#open.filter(isSpeech);
  }

  /**
   * @param {"message" | "action" | "rename"} kind
   * @param {string} text
   * @returns {Statement}
   */
  add(kind, text) {
    this.#count += 1;
    /** @type {Statement} */
    const statement = { id: `s${this.#count}`, kind, text, after: 0, state: "waiting" };
    this.#open.push(statement);
    return statement;
  }

  /**
   * The statements to send now; they count as sent.
   * @param {number} after the newest number that was seen: their events will have higher ones
   */
  take(after) {
    const waiting = this.#open.filter((statement) => statement.state === "waiting");
    for (const statement of waiting) Object.assign(statement, { after, state: "sent" });
    return waiting;
  }

  /**
   * The room has a statement under this number.
   * @param {string} id
   * @param {number} seq
   */
  acked(id, seq) {
    this.#ackedSeq = Math.max(this.#ackedSeq, seq);
    return this.withdraw(id);
  }

  /**
   * Take a statement out: it was refused, or is not to be said any more.
   * @param {string} id
   * @returns {Statement | undefined}
   */
  withdraw(id) {
    const at = this.#open.findIndex((statement) => statement.id === id);
    return at < 0 ? undefined : this.#open.splice(at, 1)[0];
  }

  /**
   * The connection broke.
   * @param {string} nick one's name on it
   */
  disconnected(nick) {
    for (const statement of this.#open) {
      if (statement.state !== "sent") continue;
      statement.state = "doubtful";
      // Acks come in the order of the statements, so this one's event is behind the last acked one:
      // the same text said before is not mistaken for it.
      statement.after = Math.max(statement.after, this.#ackedSeq);
      this.#doubtfulNick ||= nick;
    }
  }

  /** The events of all doubtful statements have numbers above this; Infinity without any. */
  get lowestDoubtful() {
    return Math.min(...this.#doubtful().map((statement) => statement.after));
  }

  /** The name that one may have by now: the latest that was asked for and is in doubt, or "". */
  get doubtfulName() {
    return this.#doubtful().findLast(({ kind }) => kind === "rename")?.text ?? "";
  }

  /**
   * The statement that became this event, taken out; events come in their order.
   * @param {Item} event
   */
  lookUp(event) {
    if (!this.#open.length || event.nick !== this.#doubtfulNick) return undefined;
    const found = this.#doubtful().find(
      (statement) => statement.after < event.seq && hasBecome(statement, event),
    );
    if (found?.kind === "rename") {
      this.#doubtfulNick = event.to;
      this.#renamed = true;
    }
    return found && this.acked(found.id, event.seq);
  }

  /**
   * The replay is over. With nothing missing in it, what is doubtful still was not heard and waits
   * to be said again, first in the line; else it is `unknown`, and taken out. `nick`: the name that
   * the room had one under in the end, if a rename was found, else "".
   * @param {boolean} whole
   * @returns {{unknown: Statement[], nick: string}}
   */
  settle(whole) {
    const doubtful = this.#doubtful();
    const nick = this.#renamed ? this.#doubtfulNick : "";
    this.#doubtfulNick = "";
    this.#renamed = false;
    if (whole) for (const statement of doubtful) statement.state = "waiting";
    else this.#open = this.#open.filter((statement) => statement.state !== "doubtful");
    return { unknown: whole ? [] : doubtful, nick };
  }

  /** The room has begun another log, in which nothing doubtful can be found. */
  forgetNumbers() {
    this.#ackedSeq = 0;
    for (const statement of this.#doubtful()) statement.after = Infinity;
  }

  #doubtful() {
    return this.#open.filter((statement) => statement.state === "doubtful");
  }
}

/**
 * Whether an event of one's own may be what a statement became.
 * @param {Statement} statement
 * @param {Item} event
 */
function hasBecome({ kind, text }, event) {
  if (kind !== event.kind) return false;
  // The room may write a name another way than it was asked for.
  if (kind === "rename") return fold(text) === fold(event.to);
  // Nobody says nothing: without a text it is one whose text an operator has deleted.
  return text === event.text || !event.text;
}

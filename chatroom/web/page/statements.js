// What is said here and is not yet known to be in the room: waiting, sent, or in doubt.
//
// A statement that was sent when the connection broke is in doubt: the room has it or not. A resume
// replays every event since it was sent, one's own too, so it is looked up there. What is not found
// in a replay without holes was not heard and is said again; where something is missing nobody can
// know, and the person decides.

/**
 * @typedef {{id: string, kind: "message" | "action", text: string, nick: string, after: number,
 *   state: "waiting" | "sent" | "doubtful"}} Statement
 * @typedef {import("./order.js").Item} Item
 */

export class Statements {
  #count = 0;
  #ackedSeq = 0;

  /** In the order in which they were said. @type {Statement[]} */
  #open = [];

  /** @returns {readonly Statement[]} */
  get open() {
    return this.#open;
  }

  /**
   * @param {"message" | "action"} kind
   * @param {string} text
   * @returns {Statement}
   */
  add(kind, text) {
    this.#count += 1;
    /** @type {Statement} */
    const statement = { id: `s${this.#count}`, kind, text, nick: "", after: 0, state: "waiting" };
    this.#open.push(statement);
    return statement;
  }

  /**
   * The statements to send now; they count as sent.
   * @param {string} nick one's name
   * @param {number} after the newest number that was seen: their events will have higher ones
   */
  take(nick, after) {
    const waiting = this.#open.filter((statement) => statement.state === "waiting");
    for (const statement of waiting) Object.assign(statement, { nick, after, state: "sent" });
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

  /** The connection broke. */
  disconnected() {
    for (const statement of this.#open) {
      if (statement.state !== "sent") continue;
      statement.state = "doubtful";
      // Acks come in the order of the statements, so this one's event is behind the last acked one:
      // the same text said before is not mistaken for it.
      statement.after = Math.max(statement.after, this.#ackedSeq);
    }
  }

  /** The events of all doubtful statements have numbers above this; Infinity without any. */
  get lowestDoubtful() {
    return Math.min(...this.#doubtful().map((statement) => statement.after));
  }

  /**
   * The statement that became this event, taken out; events come in their order.
   * @param {Item} event
   */
  lookUp(event) {
    if (!this.#open.length) return undefined;
    const found = this.#doubtful().find(
      (statement) =>
        statement.kind === event.kind &&
        // Nobody says nothing: without a text it is one whose text an operator has deleted.
        (statement.text === event.text || !event.text) &&
        statement.nick === event.nick &&
        statement.after < event.seq,
    );
    return found && this.acked(found.id, event.seq);
  }

  /**
   * The replay is over. With nothing missing in it, what is doubtful still was not heard and waits
   * to be said again, first in the line; else it is taken out, and returned.
   * @param {boolean} whole
   */
  settle(whole) {
    const doubtful = this.#doubtful();
    if (whole) for (const statement of doubtful) statement.state = "waiting";
    else this.#open = this.#open.filter((statement) => statement.state !== "doubtful");
    return whole ? [] : doubtful;
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

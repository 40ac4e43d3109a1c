// What happened, as far as this page knows: the newest events in order, and between them what the
// page itself says.

import { isSpeech } from "./order.js";
import { Resume } from "./resume.js";
import { Tail } from "./tail.js";

/**
 * @typedef {import("./order.js").Item} Item
 * @typedef {{added: (item: Item, live: boolean) => void, removed: (item: Item) => void,
 *   redacted: (seq: number) => void}} Reader
 *   `live`: it happened just now, or while there was no connection, and somebody else did it.
 */

/** What is left of something said that was taken out of the room's history. */
export const REMOVED = { text: "", removed: true };

export class Chronicle {
  tail = new Tail();
  resume = new Resume();
  #told = 0;
  #missed = 0; // events that are not kept any more, to be told where the replay begins
  #begun = false; // the history from before one came is here

  /** @param {Reader} reader */
  constructor(reader) {
    this.reader = reader;
  }

  /**
   * An event with its place in the log.
   * @param {any} event
   * @returns {Item}
   */
  placed(event) {
    const item = Object.assign(event, this.#place(event.seq ?? event.from));
    if (isSpeech(item) && item.text === undefined) Object.assign(item, REMOVED);
    return item;
  }

  /**
   * What an event said is not to be shown any more.
   * @param {number} seq
   */
  redact(seq) {
    const item = this.tail.at(this.#place(seq));
    if (item && isSpeech(item)) Object.assign(item, REMOVED);
    this.reader.redacted(seq);
  }

  /**
   * Add an event; false if it is here already.
   * @param {Item} item
   */
  add(item, live = false) {
    const added = this.tail.add(item);
    if (added) this.reader.added(item, live);
    return added;
  }

  /**
   * Say something after the last event.
   * @param {Partial<Item> & {kind: string}} fields
   * @returns {Item}
   */
  tell(fields) {
    const { epoch, seq } = this.tail.last ?? this.#place(this.resume.newest);
    this.#told += 1;
    const time = new Date().toISOString();
    const item = { epoch, seq, sub: this.#told, time, ...fields };
    this.add(item);
    return item;
  }

  /** @param {Item} item */
  takeBack(item) {
    this.tail.remove(item);
    this.reader.removed(item);
  }

  /**
   * An event has come from the room; whether it is new here.
   * @param {Item} item
   */
  arrived(item) {
    if (this.#missed) this.#divide({ kind: "missed", from: this.#missed });
    this.#missed = 0;
    return this.resume.arrived(item.seq);
  }

  /**
   * A gap in what was replayed or has just happened.
   * @param {any} gap
   */
  gap(gap) {
    this.resume.whole = false;
    this.#missed = 0; // the gap says it
    if (this.resume.arrived(gap.to)) this.add(this.placed(gap));
  }

  /**
   * Go on from a welcome; whether the log that one knew is forgotten there.
   * @param {any} welcome
   */
  welcomed(welcome) {
    const { known } = this.resume;
    const { isNew, forgotten, missed } = this.resume.welcomed(welcome);
    if (!known) this.tail.floor = this.#place(welcome.seq);
    if (forgotten) this.#begun = true; // what is replayed is all there is
    if (isNew) this.#divide({ kind: "session", code: forgotten ? "forgotten" : "" });
    this.#missed = missed;
    return forgotten;
  }

  /**
   * Have what happened before one came, once. `ask` gives a page of the history.
   * @param {number} seq of the last event before the live ones
   * @param {(before: number) => Promise<{items: Item[]}>} ask
   */
  async begin(seq, ask) {
    if (this.#begun) return;
    let page;
    try {
      page = await ask(seq + 1);
    } catch {
      return; // the connection broke: the next one begins again
    }
    if (this.#begun) return;
    this.#begun = true;
    if (this.tail.floor.seq !== seq) return; // so much has come meanwhile that it was trimmed
    const [first] = page.items;
    this.tail.floor = this.#place(first ? first.seq - 1 : seq);
    for (const item of page.items) this.add(item);
  }

  /**
   * Whether history before an item can be asked for: not of a log that is forgotten.
   * @param {Item} item
   */
  hasBefore(item) {
    return item.epoch === this.resume.epoch;
  }

  /**
   * Part what follows from what was.
   * @param {Partial<Item> & {kind: string}} fields
   */
  #divide(fields) {
    const { last } = this.tail;
    const { epoch, newest } = this.resume;
    const seq = last?.epoch === epoch ? Math.max(newest, last.seq) : newest;
    this.tell({ epoch, seq, ...fields });
  }

  /** @param {number} seq */
  #place(seq) {
    return { epoch: this.resume.epoch, seq, sub: 0 };
  }
}

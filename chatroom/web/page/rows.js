// The rows that are in the page: a window into the log, in order, of bounded size.

import { element } from "./dom.js";
import { compare, isSpeech } from "./order.js";
import { dayName } from "./time.js";

/**
 * @typedef {import("./order.js").Item} Item
 * @typedef {import("./order.js").Place} Place
 * @typedef {import("./row.js").Row} Row
 */

/** A frame at 1,000 messages a second costs 0.1 ms with so many rows, and 17 ms with ten times. */
export const KEEP = 500;

/** What one person says within this time stands under one name. */
const TOGETHER_MILLISECONDS = 5 * 60_000;

export class Rows {
  /** @type {Row[]} */
  #rows = [];

  /**
   * @param {HTMLElement} container
   * @param {(item: Item) => Row} make
   */
  constructor(container, make) {
    this.container = container;
    this.make = make;
  }

  get first() {
    return this.#rows[0]?.item;
  }

  get last() {
    return this.#rows.at(-1)?.item;
  }

  get length() {
    return this.#rows.length;
  }

  /**
   * Put an item in its place, unless it is here.
   * @param {Item} item
   */
  add(item) {
    let at = this.#rows.length;
    while (at > 0 && compare(this.#rows[at - 1].item, item) > 0) at -= 1;
    if (at > 0 && compare(this.#rows[at - 1].item, item) === 0) return;
    const row = this.make(item);
    this.container.insertBefore(row.element, this.#rows[at]?.element ?? null);
    if (at === this.#rows.length) this.#rows.push(row);
    else this.#rows.splice(at, 0, row);
    this.#dress(at);
    this.#dress(at + 1);
  }

  /**
   * Put items before the first, in one go.
   * @param {Item[]} items in order, all before the first one here
   */
  addBefore(items) {
    const rows = items.map((item) => this.make(item));
    this.container.prepend(...rows.map((row) => row.element));
    this.#rows.unshift(...rows);
    for (let at = 0; at <= rows.length; at += 1) this.#dress(at);
  }

  /**
   * Make a row anew, as its item has changed.
   * @param {Row} row
   */
  remake(row) {
    const at = this.#rows.indexOf(row);
    const made = this.make(row.item);
    row.element.replaceWith(made.element);
    this.#rows[at] = made;
    this.#dress(at);
  }

  /** @param {Item} item */
  remove(item) {
    const at = this.#rows.findIndex((row) => row.item === item);
    if (at < 0) return;
    this.#rows[at].element.remove();
    this.#rows.splice(at, 1);
    this.#dress(at);
  }

  /**
   * Drop rows above until no more than `keep` are left; whether there were more.
   * @param {number} keep
   */
  trimAbove(keep = KEEP) {
    const over = this.#rows.length - keep;
    if (over <= 0) return false;
    for (const row of this.#rows.splice(0, over)) row.element.remove();
    this.#dress(0);
    return true;
  }

  /** Drop rows below until no more than `KEEP` are left. */
  trimBelow() {
    for (const row of this.#rows.splice(KEEP)) row.element.remove();
  }

  clear() {
    this.#rows = [];
    this.container.replaceChildren();
  }

  /**
   * The row with the item of this number; of the newest log, should there be two.
   * @param {number} seq
   */
  withSeq(seq) {
    return this.#rows.findLast(({ item }) => item.seq === seq && item.sub === 0);
  }

  /** @param {Element} target something within a row */
  of(target) {
    const entry = target.closest(".entry");
    return this.#rows.find((row) => row.element === entry);
  }

  /**
   * The first row whose end is below a height of the screen.
   * @param {number} top
   */
  firstBelow(top) {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#rows[middle].element.getBoundingClientRect().bottom <= top) low = middle + 1;
      else high = middle;
    }
    return this.#rows[low];
  }

  /**
   * What of a row depends on the row before it: the heading of a day, and whether it has a name.
   * @param {number} at
   */
  #dress(at) {
    const row = this.#rows[at];
    if (!row) return;
    const before = this.#rows[at - 1];
    const beginsDay = before?.day !== row.day;
    if (beginsDay && !row.heading) {
      row.heading = element("div", { className: "day" }, element("span", {}, dayName(row.date)));
      row.element.prepend(row.heading);
    } else if (!beginsDay && row.heading) {
      row.heading.remove();
      row.heading = null;
    }
    row.element.classList.toggle("goes-on", !beginsDay && goesOn(before, row));
  }
}

/**
 * Whether a row continues what the same person said just before.
 * @param {Row} before
 * @param {Row} row
 */
function goesOn(before, row) {
  return (
    row.item.kind === "message" &&
    isSpeech(before.item) &&
    before.item.nick === row.item.nick &&
    row.date.getTime() - before.date.getTime() < TOGETHER_MILLISECONDS
  );
}

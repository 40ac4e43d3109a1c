// The newest part of the log: in order, without holes, nothing twice, and bounded.

import { compare } from "./order.js";

/** @typedef {import("./order.js").Item} Item */
/** @typedef {import("./order.js").Place} Place */

/** Items kept. Twice as many as the page shows at most, so that returning from above is at once. */
export const KEEP = 2000;

/** Trimmed by so many at a time: moving the array for each item would cost more than the item. */
const SLACK = 250;

export class Tail {
  /** Everything behind this place is here. @type {Place} */
  floor = { epoch: 0, seq: 0, sub: 0 };

  /** @type {Item[]} */
  #items = [];

  /** @returns {Item | undefined} */
  get last() {
    return this.#items.at(-1);
  }

  get length() {
    return this.#items.length;
  }

  /**
   * Put an item in its place; false if it is here already, or was before it was trimmed.
   * @param {Item} item
   */
  add(item) {
    if (compare(item, this.floor) <= 0) return false;
    const at = this.#firstNotBefore(item);
    const there = this.#items[at];
    if (there && compare(there, item) === 0) return false;
    this.#items.splice(at, 0, item);
    if (this.#items.length > KEEP + SLACK) {
      this.floor = this.#items.splice(0, this.#items.length - KEEP).at(-1);
    }
    return true;
  }

  /**
   * The item at a place.
   * @param {Place} place
   */
  at(place) {
    const item = this.#items[this.#firstNotBefore(place)];
    return item && compare(item, place) === 0 ? item : undefined;
  }

  /** @param {Item} item */
  remove(item) {
    const at = this.#items.indexOf(item);
    if (at >= 0) this.#items.splice(at, 1);
  }

  /**
   * Whether everything behind an item is here.
   * @param {Place} item
   */
  reaches(item) {
    return compare(item, this.floor) >= 0;
  }

  /**
   * At most `count` items that come directly before a place.
   * @param {Place} place
   * @param {number} count
   */
  before(place, count) {
    const end = this.#firstNotBefore(place);
    return this.#items.slice(Math.max(0, end - count), end);
  }

  /**
   * At most `count` items that come directly behind a place.
   * @param {Place} place
   * @param {number} count
   */
  behind(place, count) {
    let start = this.#firstNotBefore(place);
    if (start < this.#items.length && compare(this.#items[start], place) === 0) start += 1;
    return this.#items.slice(start, start + count);
  }

  /** @param {number} count */
  newest(count) {
    return this.#items.slice(-count);
  }

  /**
   * Most items are the newest, so the search begins there.
   * @param {Place} place
   */
  #firstNotBefore(place) {
    const items = this.#items;
    if (!items.length || compare(items[items.length - 1], place) < 0) return items.length;
    let low = 0;
    let high = items.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(items[middle], place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

// Who is here, as far as it is known, and who spoke last.

import { fold } from "./names.js";

const COLLATOR = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

export class People {
  /** How many are here, also those whose names are not known. */
  count = 0;

  /** Whether the room says who comes and goes; it does not where too many are here. */
  announced = true;

  /** Name to when it last spoke, as a growing number. @type {Map<string, number>} */
  #lastSpoke = new Map();
  #turn = 0;

  /** @type {string[] | null} */
  #sorted = null;

  /** How many names are known. */
  get known() {
    return this.#lastSpoke.size;
  }

  /**
   * Begin with what a welcome names: the latest speakers first.
   * @param {string[]} nicks
   * @param {number} count
   */
  reset(nicks, count) {
    this.#lastSpoke.clear();
    for (const nick of [...nicks].reverse()) this.#lastSpoke.set(nick, (this.#turn += 1));
    this.#sorted = null;
    this.count = count;
    this.announced = true; // else the room says so directly after the welcome
  }

  /**
   * Take in a page of an answer to `who`; the first one (`offset` 0) replaces what was known.
   * @param {{members: string[], member_count: number}} page
   * @param {number} offset
   */
  page(page, offset) {
    const before = this.#lastSpoke;
    if (offset === 0) this.#lastSpoke = new Map();
    for (const nick of page.members) this.#lastSpoke.set(nick, before.get(nick) ?? 0);
    this.#sorted = null;
    this.count = Math.max(page.member_count, this.known);
  }

  /**
   * What an event that has just happened says about who is here.
   * @param {{kind: string, nick?: string, to?: string}} event
   */
  happened(event) {
    const { kind, nick } = event;
    if (kind === "join" && !this.#lastSpoke.has(nick)) {
      this.count += 1;
      this.#put(nick, 0);
    } else if (kind === "leave") {
      this.count = Math.max(0, this.count - 1);
      this.#drop(nick);
    } else if (kind === "rename") {
      const spoke = this.#lastSpoke.get(nick) ?? 0;
      this.#drop(nick);
      this.#put(event.to, spoke);
    } else if (this.#lastSpoke.has(nick)) {
      this.#lastSpoke.set(nick, (this.#turn += 1));
    } else if (!this.announced || this.known < this.count) {
      this.#put(nick, (this.#turn += 1)); // came unannounced, or was not named yet
      this.count = Math.max(this.count, this.known);
    }
  }

  /** The known names in alphabetical order. @returns {readonly string[]} */
  get names() {
    this.#sorted ??= [...this.#lastSpoke.keys()].sort(COLLATOR.compare);
    return this.#sorted;
  }

  /**
   * The names that begin like this, the latest speaker first.
   * @param {string} beginning
   */
  beginningWith(beginning) {
    const wanted = fold(beginning);
    return [...this.#lastSpoke]
      .filter(([nick]) => fold(nick).startsWith(wanted))
      .sort((a, b) => b[1] - a[1] || COLLATOR.compare(a[0], b[0]))
      .map(([nick]) => nick);
  }

  /**
   * @param {string} nick
   * @param {number} spoke
   */
  #put(nick, spoke) {
    this.#lastSpoke.set(nick, spoke);
    this.#sorted = null;
  }

  /** @param {string} nick */
  #drop(nick) {
    if (this.#lastSpoke.delete(nick)) this.#sorted = null;
  }
}

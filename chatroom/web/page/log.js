// The log on the page: follows the room while one is at its end, and is a window into its history
// while one reads above.

import { REMOVED } from "./chronicle.js";
import { many } from "./row.js";
import { Rows } from "./rows.js";
import { compare, isSpeech, lastSeq } from "./order.js";

/**
 * @typedef {import("./order.js").Item} Item
 * @typedef {import("./room.js").Room} Room
 */

/** Rows added at a time when one scrolls to an edge, and how near to it, in screens. */
const PAGE = 100;
const NEAR = 1.5;

/** Rows while one follows: what is above is at hand, and drawing these takes half the time. */
const AT_END = 150;

/** Events on either side of a place that is jumped to. */
const AROUND = 60;

export class Log {
  /** Whether the newest is shown as it comes. */
  following = true;

  /** Messages that came while one was reading above. */
  #news = 0;

  /** The last row while one followed: what is behind it is new. @type {Item | undefined} */
  #seen = undefined;
  #busy = false; // a page of history is on its way
  #begins = false; // there is nothing before the first row
  #lastTop = 0;
  #lastHeight = 0;

  /**
   * @param {{log: HTMLElement, rows: HTMLElement, pending: HTMLElement, beginning: HTMLElement,
   *   latest: HTMLButtonElement}} parts
   * @param {Room} room
   * @param {(item: Item) => import("./row.js").Row} make
   * @param {import("./quiet.js").Quiet} quiet
   */
  constructor(parts, room, make, quiet) {
    this.parts = parts;
    this.room = room;
    this.quiet = quiet;
    this.rows = new Rows(parts.rows, make);
    parts.log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    parts.latest.addEventListener("click", () => this.follow());
    // A growing input, or a phone's keyboard, takes from the log's height.
    new ResizeObserver(() => this.following && this.#stick()).observe(parts.log);
  }

  /**
   * Show what has come since the last frame.
   * @param {Item[]} items
   */
  show(items) {
    if (!this.following) {
      this.#showAside(items);
      return;
    }
    this.quiet.before(items.length);
    if (items.length > AT_END) this.#showEnd();
    else for (const item of items) this.rows.add(item);
    if (this.rows.trimAbove(AT_END)) this.#begins = false;
    this.#stick();
    this.#tellBeginning();
    this.#fill();
  }

  /** @param {Item} item */
  remove(item) {
    this.rows.remove(item);
  }

  /**
   * What an event said is not to be shown any more.
   * @param {number} seq
   */
  redact(seq) {
    const row = this.rows.withSeq(seq);
    if (!row || !isSpeech(row.item)) return;
    Object.assign(row.item, REMOVED);
    this.#held(() => this.rows.remake(row));
  }

  /** Go to the end, and stay there. */
  follow() {
    const { tail } = this.room.chronicle;
    const { last } = this.rows;
    if (!last || !tail.reaches(last) || tail.behind(last, PAGE + 1).length > PAGE) this.#showEnd();
    else for (const item of tail.behind(last, PAGE)) this.rows.add(item);
    if (this.rows.trimAbove(AT_END)) this.#begins = false;
    this.following = true;
    this.#stick();
    this.#tellNews(0);
  }

  /**
   * Show the place of an event, with what was said around it. Rejects with a `Refused`.
   * @param {number} seq
   */
  async goTo(seq) {
    if (this.following) this.#seen = this.rows.last;
    if (!this.rows.withSeq(seq)) await this.#load(seq);
    const row = this.rows.withSeq(seq);
    if (!row) return;
    row.element.scrollIntoView({ block: "center" });
    this.following = this.#atEnd() && this.#below() <= 2;
    row.element.tabIndex = -1;
    row.element.focus({ preventScroll: true });
    for (const one of this.parts.rows.querySelectorAll(".found")) one.classList.remove("found");
    void row.element.offsetWidth; // so that the animation begins again
    row.element.classList.add("found");
    this.#lastTop = this.parts.log.scrollTop;
    this.#tellNews(this.#news);
  }

  /**
   * Scroll by a part of the height that is seen.
   * @param {number} screens
   */
  scroll(screens) {
    this.parts.log.scrollBy({ top: screens * this.parts.log.clientHeight });
  }

  /** @param {number} seq */
  async #load(seq) {
    const [before, after] = await Promise.all([
      this.room.history({ before: seq + 1, limit: AROUND }),
      this.room.history({ after: seq, limit: AROUND }),
    ]);
    this.quiet.hush();
    this.rows.clear();
    this.#begins = !before.more;
    for (const item of [...before.items, ...after.items]) this.rows.add(item);
    this.#tellBeginning();
  }

  #showEnd() {
    this.quiet.hush();
    this.rows.clear();
    this.#begins = false;
    for (const item of this.room.chronicle.tail.newest(AT_END)) this.rows.add(item);
  }

  /**
   * Items that came while one reads: what belongs among the rows is put there, the rest is counted,
   * and shown when one comes near to it.
   * @param {Item[]} items
   */
  #showAside(items) {
    const { first, last } = this.rows;
    const among = items.filter((item) => compare(first, item) < 0 && compare(item, last) < 0);
    if (among.length) this.#held(() => among.forEach((item) => this.rows.add(item)));
    const seen = this.#seen ?? last;
    const news = items.filter((item) => isSpeech(item) && !item.mine && compare(item, seen) > 0);
    this.#tellNews(this.#news + news.length);
    this.#fill();
  }

  #scrolled() {
    if (this.following && this.parts.log.clientHeight !== this.#lastHeight) {
      this.#stick(); // a growing input has scrolled it, not a person
      return;
    }
    const top = this.parts.log.scrollTop;
    const below = this.#below();
    const wasFollowing = this.following;
    const upwards = top < this.#lastTop;
    this.#lastTop = top;
    // Who follows is at the end, though what came since the last frame is not drawn yet.
    const atEnd = wasFollowing || this.#atEnd();
    this.following = atEnd && (below <= 2 || (below < 24 && !upwards));
    if (wasFollowing) this.#seen = this.rows.last;
    if (this.following && !wasFollowing) this.#tellNews(0);
    else if (!this.following) this.#tellNews(this.#news);
    this.#fill();
  }

  #below() {
    const { scrollHeight, scrollTop, clientHeight } = this.parts.log;
    return scrollHeight - scrollTop - clientHeight;
  }

  /** Whether there is nothing behind the last row. */
  #atEnd() {
    const { last } = this.rows;
    const { tail } = this.room.chronicle;
    return !last || (tail.reaches(last) && tail.behind(last, 1).length === 0);
  }

  /** Add rows at an edge that one has come near to. */
  #fill() {
    if (!this.rows.length || this.#busy) return;
    const near = NEAR * this.parts.log.clientHeight;
    const mayGrow = !this.following || this.rows.length < AT_END; // else it is trimmed again
    if (mayGrow && this.parts.log.scrollTop < near && !this.#begins) this.#older();
    else if (!this.following && this.#below() < near) this.#newer();
  }

  #older() {
    const { first } = this.rows;
    const { chronicle } = this.room;
    const kept = chronicle.tail.before(first, PAGE);
    if (kept.length) this.#addAbove(kept);
    else if (!chronicle.hasBefore(first)) this.#begins = true;
    else this.#ask({ before: first.seq + (first.sub > 0 ? 1 : 0) });
    this.#tellBeginning();
  }

  #newer() {
    const { last } = this.rows;
    const { tail } = this.room.chronicle;
    if (tail.reaches(last)) this.#addBelow(tail.behind(last, PAGE));
    else this.#ask({ after: this.room.chronicle.hasBefore(last) ? lastSeq(last) : 0 });
  }

  /** @param {{before?: number, after?: number}} range */
  async #ask(range) {
    this.#busy = true;
    const { first, last } = this.rows;
    try {
      const { items, more } = await this.room.history({ ...range, limit: PAGE });
      if (range.after !== undefined && this.rows.last === last) this.#addBelow(items);
      if (range.before !== undefined && this.rows.first === first) {
        this.#begins = !more;
        this.#addAbove(items);
      }
    } catch {
      // Not connected: asked again when one scrolls.
      return;
    } finally {
      this.#busy = false;
    }
    this.#tellBeginning();
    this.#fill();
  }

  /** @param {Item[]} items */
  #addAbove(items) {
    if (!items.length) return;
    this.quiet.hush();
    this.#held(() => {
      this.rows.addBefore(items);
      if (!this.following) this.rows.trimBelow();
    });
  }

  /** @param {Item[]} items */
  #addBelow(items) {
    if (!items.length) return;
    this.quiet.before(items.length);
    this.#held(() => {
      for (const item of items) this.rows.add(item);
      this.rows.trimAbove();
    });
    this.#begins = false;
  }

  /**
   * Change rows while what one reads stays where it is.
   * @param {() => void} change
   */
  #held(change) {
    const { log } = this.parts;
    const row = this.rows.firstBelow(log.getBoundingClientRect().top);
    const body = row?.element.lastElementChild;
    const before = body?.getBoundingClientRect().top ?? 0;
    change();
    if (!body?.isConnected) return;
    log.scrollTop += body.getBoundingClientRect().top - before;
    this.#lastTop = log.scrollTop;
  }

  #stick() {
    const { log } = this.parts;
    log.scrollTop = log.scrollHeight;
    this.#lastTop = log.scrollTop;
    this.#lastHeight = log.clientHeight;
  }

  #tellBeginning() {
    const { beginning } = this.parts;
    if (beginning.hidden !== this.#begins) return;
    this.#held(() => (beginning.hidden = !this.#begins));
    if (this.following) this.#stick();
  }

  /** @param {number} count */
  #tellNews(count) {
    this.#news = this.following ? 0 : count;
    const { latest } = this.parts;
    latest.hidden = this.following;
    latest.textContent = this.#news ? `${many(this.#news, "new message")} ↓` : "To the latest ↓";
  }
}

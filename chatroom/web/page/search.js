// Finding what was said, and going there.

import { element } from "./dom.js";
import { nickOf } from "./row.js";
import { isSpeech } from "./order.js";
import { marked } from "./text.js";
import { dayAndClock, fullTime, moment } from "./time.js";

/**
 * @typedef {import("./order.js").Item} Item
 * @typedef {import("./room.js").Room} Room
 */

const PAGE = 50;

export class Search {
  #text = "";

  /** The oldest number that was found: what is older comes next. */
  #before = 0;
  #asked = 0; // how often: an answer to an older question is not shown

  /**
   * @param {{form: HTMLFormElement, input: HTMLInputElement, found: HTMLElement, note: HTMLElement,
   *   more: HTMLButtonElement}} parts
   * @param {Room} room
   * @param {(seq: number) => void} goTo
   */
  constructor(parts, room, goTo) {
    this.parts = parts;
    this.room = room;
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.find(parts.input.value);
    });
    parts.more.addEventListener("click", () => this.#page());
    parts.found.addEventListener("click", (event) => {
      const result = /** @type {Element} */ (event.target).closest("button");
      if (result) goTo(Number(result.dataset.seq));
    });
  }

  /** @param {string} text */
  find(text) {
    this.parts.input.value = text;
    this.#text = text.trim();
    this.#before = 0;
    this.parts.found.replaceChildren();
    this.parts.more.hidden = true;
    this.#note("");
    if (this.#text) this.#page();
  }

  async #page() {
    const { found, more } = this.parts;
    const asked = (this.#asked += 1);
    const before = this.#before || undefined;
    more.hidden = true;
    this.#note("searching…");
    try {
      const request = { kind: "search", text: this.#text, before, limit: PAGE };
      const page = await this.room.history(request);
      if (asked !== this.#asked) return;
      const items = page.items.filter(isSpeech).reverse();
      found.append(...items.map((item) => resultOf(item, wordsOf(this.#text))));
      this.#before = page.items[0]?.seq ?? 0;
      more.hidden = !page.more || !this.#before;
      this.#note(found.children.length ? "" : "nothing found");
    } catch (error) {
      if (asked === this.#asked) this.#note(error.message);
    }
  }

  /** @param {string} text */
  #note(text) {
    this.parts.note.textContent = text;
  }
}

/**
 * @param {Item} item
 * @param {RegExp | null} words
 */
function resultOf(item, words) {
  const date = moment(item.time);
  const time = element(
    "time",
    { dateTime: date.toISOString(), title: fullTime(date) },
    dayAndClock(date),
  );
  const text = element("span", { className: "text", dir: "auto" }, ...marked(item.text, words));
  const head = element("span", { className: "head" }, nickOf(item.nick), time);
  const button = element("button", { type: "button" }, head, text);
  button.dataset.seq = String(item.seq);
  return element("li", {}, button);
}

/**
 * What is marked in the results: the words looked for, each as a beginning if it ends in `*`.
 * @param {string} text
 */
function wordsOf(text) {
  const words = text.match(/[\p{L}\p{N}_]+\*?/gu) ?? [];
  const patterns = words.map((word) =>
    word.endsWith("*") ? `${word.slice(0, -1)}[\\p{L}\\p{N}_]*` : `${word}(?![\\p{L}\\p{N}_])`,
  );
  if (!patterns.length) return null;
  return new RegExp(`(?<![\\p{L}\\p{N}_])(?:${patterns.join("|")})`, "giu");
}

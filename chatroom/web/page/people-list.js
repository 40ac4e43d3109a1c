// The list of who is here, a page at a time where it is long.

import { element } from "./dom.js";
import { fold } from "./names.js";
import { nickOf } from "./row.js";

/** @typedef {import("./room.js").Room} Room */

/** While nobody says who comes and goes, and the list is seen, it is asked for anew. */
const REFRESH_MILLISECONDS = 30_000;

export class PeopleList {
  /** Names that are in the list, with their rows. @type {Map<string, HTMLElement>} */
  #rows = new Map();

  /**
   * @param {{panel: HTMLElement, list: HTMLElement, counts: HTMLElement[], note: HTMLElement,
   *   more: HTMLButtonElement}} parts
   * @param {Room} room
   * @param {(nick: string) => void} call
   */
  constructor(parts, room, call) {
    this.parts = parts;
    this.room = room;
    parts.more.addEventListener("click", () => {
      this.room.who(this.room.people.known).catch(() => {});
    });
    parts.list.addEventListener("click", (event) => {
      const row = /** @type {Element} */ (event.target).closest("button");
      if (row) call(row.textContent);
    });
    setInterval(() => this.#refresh(), REFRESH_MILLISECONDS);
  }

  show() {
    const { people } = this.room;
    for (const place of this.parts.counts) place.textContent = people.count.toLocaleString();
    if (this.parts.panel.hidden || document.hidden) return;
    this.#showRows();
    const rest = people.count - people.known;
    this.parts.more.hidden = rest <= 0;
    this.parts.more.textContent = `Show more (${rest.toLocaleString()})`;
    this.parts.note.hidden = people.announced;
  }

  /** What the rows show: nothing is done where that has not changed. @type {unknown[]} */
  #shown = [];

  /** Rows stay in the page as long as their names are here: the focus is not lost. */
  #showRows() {
    const { list } = this.parts;
    const shown = [this.room.people.names, this.room.nick];
    if (shown.every((one, at) => one === this.#shown[at])) return;
    this.#shown = shown;
    const rows = new Map();
    let next = list.firstElementChild;
    for (const nick of this.room.people.names) {
      const row = this.#rows.get(nick) ?? rowOf(nick);
      rows.set(nick, row);
      row.classList.toggle("oneself", fold(nick) === fold(this.room.nick));
      if (row === next) next = next.nextElementSibling;
      else list.insertBefore(row, next);
    }
    for (const [nick, row] of this.#rows) if (!rows.has(nick)) row.remove();
    this.#rows = rows;
  }

  #refresh() {
    const { people } = this.room;
    if (people.announced || this.parts.panel.hidden || document.hidden) return;
    this.room.who(0, Math.max(200, people.known)).catch(() => {});
  }
}

/** @param {string} nick */
function rowOf(nick) {
  const button = element("button", { type: "button", title: `Write to ${nick}` }, nickOf(nick));
  return element("li", {}, button);
}

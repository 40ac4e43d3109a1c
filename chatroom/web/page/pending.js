// One's own words that are on their way, below the log.

import { pendingRow } from "./row.js";

/** @typedef {import("./statements.js").Statement} Statement */

/** While the room is away much may gather; the newest are shown. */
const SHOWN = 50;

export class Pending {
  /** @type {Map<string, {state: string, element: HTMLElement}>} */
  #rows = new Map();

  /** @param {HTMLElement} container */
  constructor(container) {
    this.container = container;
  }

  /**
   * @param {readonly Statement[]} statements
   * @param {string} nick
   */
  show(statements, nick) {
    const shown = statements.slice(-SHOWN);
    const rows = new Map();
    for (const statement of shown) {
      const { id, state } = statement;
      const row = this.#rows.get(id);
      const same = row?.state === state ? row : null;
      rows.set(id, same ?? { state, element: pendingRow(statement, nick) });
    }
    this.#rows = rows;
    const elements = [...rows.values()].map((row) => row.element);
    const there = this.container.children;
    if (elements.length === there.length && elements.every((one, at) => one === there[at])) return;
    this.container.replaceChildren(...elements);
  }
}

// What was said before comes back with the arrow keys, and what was begun is not lost by that.

const KEEP = 100;

export class Recall {
  /** @type {string[]} */
  #said = [];
  #at = 0; // `#said.length`: at what is being written
  #begun = "";

  /** @param {string} text */
  add(text) {
    if (this.#said.at(-1) !== text) this.#said.push(text);
    if (this.#said.length > KEEP) this.#said.shift();
    this.#at = this.#said.length;
    this.#begun = "";
  }

  /**
   * The text so many steps further (below 0: older); undefined at either end.
   * @param {number} steps
   * @param {string} present what stands in the input
   */
  go(steps, present) {
    const at = this.#at + steps;
    if (at < 0 || at > this.#said.length) return undefined;
    if (this.#at === this.#said.length) this.#begun = present;
    this.#at = at;
    return at === this.#said.length ? this.#begun : this.#said[at];
  }
}

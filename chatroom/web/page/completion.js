// Tab completes the name before the caret; pressed again, it goes on to the next that fits.

/** @typedef {{value: string, caret: number, start: number, names: string[], at: number}} Turn */

export class Completion {
  /** @type {Turn | null} */
  #turn = null;

  /**
   * @param {HTMLTextAreaElement} input
   * @param {(beginning: string) => string[]} namesFor the best first
   */
  constructor(input, namesFor) {
    this.input = input;
    this.namesFor = namesFor;
  }

  /** Complete; false if there is nothing to complete, so that Tab leaves the input as usual. */
  next() {
    const { value, selectionStart: caret, selectionEnd } = this.input;
    if (caret !== selectionEnd) return false;
    if (this.#turn?.value !== value || this.#turn.caret !== caret) {
      const start = caret - (/\S*$/.exec(value.slice(0, caret))?.[0].length ?? 0);
      const names = start < caret ? this.namesFor(value.slice(start, caret)) : [];
      if (!names.length) return false;
      this.#turn = { value, caret, start, names, at: -1 };
    }
    this.#put(this.#turn);
    return true;
  }

  /** @param {Turn} turn */
  #put(turn) {
    turn.at = (turn.at + 1) % turn.names.length;
    const beginsLine = turn.start === 0 || turn.value[turn.start - 1] === "\n";
    const completed = turn.names[turn.at] + (beginsLine ? ": " : " ");
    this.input.setRangeText(completed, turn.start, turn.caret, "end");
    this.input.dispatchEvent(new Event("input"));
    turn.value = this.input.value;
    turn.caret = this.input.selectionStart;
  }
}

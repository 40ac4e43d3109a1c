// Where one writes: what is typed or pasted is seen in full before it is sent, and kept if it can't
// be.

import { parse } from "./commands.js";
import { Completion } from "./completion.js";
import { Recall } from "./recall.js";
import { makeSafe, sizeBytes } from "./text.js";

/** @typedef {import("./commands.js").Typed} Typed */

/** Lines that are sent at once: more than that is a file. */
const MOST_LINES = 50;

/** Characters that fill all the height that there is. */
const COPIED = 10_000;

/** From here on it is said how much may follow. */
const ROOM_LEFT_BYTES = 100;

export class Composer {
  #recall = new Recall();

  /**
   * @param {{form: HTMLFormElement, input: HTMLTextAreaElement, hint: HTMLElement}} parts
   * @param {{namesFor: (beginning: string) => string[], limitBytes: () => number,
   *   carryOut: (typed: Typed) => void, scroll: (screens: number) => void, latest: () => void}} owner
   */
  constructor(parts, owner) {
    this.parts = parts;
    this.owner = owner;
    this.completion = new Completion(parts.input, owner.namesFor);
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
      parts.input.focus();
    });
    parts.input.addEventListener("input", () => this.#changed());
    parts.input.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * Put a text there to be changed and said again; what is written already stays, below it.
   * @param {string} text
   */
  edit(text) {
    const { input } = this.parts;
    input.value = input.value ? `${text}\n${input.value}` : text;
    this.#changed();
    input.focus();
  }

  /**
   * Call somebody: the name at the caret.
   * @param {string} nick
   */
  call(nick) {
    const { input } = this.parts;
    const before = input.value.slice(0, input.selectionStart);
    const space = before && !/\s$/.test(before) ? " " : "";
    input.setRangeText(
      `${space}${nick}${before ? " " : ": "}`,
      before.length,
      input.selectionEnd,
      "end",
    );
    this.#changed();
    input.focus();
  }

  /**
   * @param {string} text
   * @param {boolean} [isProblem] what is written could not be sent
   */
  hint(text, isProblem = false) {
    const { hint } = this.parts;
    // Said anew even if it is the same: else a screen reader would be silent.
    if (isProblem && hint.textContent === text) hint.textContent = "";
    hint.textContent = text;
    hint.classList.toggle("problem", isProblem);
    this.parts.input.toggleAttribute("aria-invalid", isProblem);
  }

  #submit() {
    const { input } = this.parts;
    const text = input.value;
    const lines = linesOf(text);
    const typed = lines.map(parse);
    const problem = this.#problem(typed);
    if (problem) {
      this.hint(problem, true);
      return;
    }
    input.value = "";
    this.#changed();
    if (lines.length) this.#recall.add(text);
    for (const one of typed) this.owner.carryOut(one);
  }

  /**
   * Why what was typed is not sent: all of it is, or nothing.
   * @param {Typed[]} typed
   */
  #problem(typed) {
    if (typed.length > MOST_LINES) {
      return `These are ${typed.length} lines; at most ${MOST_LINES} can be sent at once.`;
    }
    for (const [at, one] of typed.entries()) {
      const where = typed.length > 1 ? `Line ${at + 1}: ` : "";
      if (one.kind === "problem") return where + one.text;
      const over =
        "text" in one && one.text ? sizeBytes(makeSafe(one.text)) - this.owner.limitBytes() : 0;
      if (over > 0) {
        const limit = this.owner.limitBytes().toLocaleString();
        return `${where}Too long by ${over.toLocaleString()} bytes: a message has at most ${limit}.`;
      }
    }
    return "";
  }

  #changed() {
    const { input } = this.parts;
    // The input is as high as its text: the style sheet has a copy of it beneath.
    input.parentElement.dataset.text = input.value.slice(0, COPIED);
    const lines = linesOf(input.value);
    const left = this.owner.limitBytes() - Math.max(0, ...lines.map(sizeBytes));
    if (lines.length > 1) this.hint(`${lines.length} lines: Enter sends each as a message`);
    else if (left < 0) this.hint(`${(-left).toLocaleString()} bytes too long`);
    else if (left <= ROOM_LEFT_BYTES) this.hint(`${left} bytes left`);
    else this.hint("");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (this.#acts(event)) event.preventDefault();
  }

  /**
   * Whether a key means something here.
   * @param {KeyboardEvent} event
   */
  #acts({ key, shiftKey }) {
    if (shiftKey) return false;
    switch (key) {
      case "Enter":
        this.parts.form.requestSubmit();
        return true;
      case "Tab":
        return this.completion.next();
      case "ArrowUp":
        return this.#recalled(-1);
      case "ArrowDown":
        return this.#recalled(1);
      case "PageUp":
      case "PageDown":
        this.owner.scroll(key === "PageUp" ? -0.9 : 0.9);
        return true;
      case "Escape":
        this.owner.latest();
        return true;
      default:
        return false;
    }
  }

  /**
   * Up in the first line and down in the last one leave the text for another.
   * @param {number} steps
   */
  #recalled(steps) {
    const { input } = this.parts;
    const { value, selectionStart, selectionEnd } = input;
    const rest = steps < 0 ? value.slice(0, selectionStart) : value.slice(selectionEnd);
    if (selectionStart !== selectionEnd || rest.includes("\n")) return false;
    const text = this.#recall.go(steps, value);
    if (text === undefined) return false;
    input.value = text;
    this.#changed();
    return true;
  }
}

/** @param {string} text */
function linesOf(text) {
  return text.split(/\r\n|\r|\n/).filter((line) => line.trim());
}

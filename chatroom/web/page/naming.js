// One's own name, beside where one writes; pressed, it can be changed.

/** @typedef {import("./room.js").Room} Room */

export class Naming {
  /**
   * @param {{button: HTMLButtonElement, name: HTMLElement, form: HTMLFormElement,
   *   input: HTMLInputElement, problem: HTMLElement}} parts
   * @param {Room} room
   * @param {() => void} done where the focus goes then
   */
  constructor(parts, room, done) {
    this.parts = parts;
    this.room = room;
    this.done = done;
    parts.button.addEventListener("click", () => this.#open());
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#rename(parts.input.value.trim());
    });
    parts.form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#close();
    });
    parts.form.addEventListener("focusout", (event) => {
      const to = /** @type {Node | null} */ (event.relatedTarget);
      if (to && !parts.form.contains(to)) this.#close(false);
    });
  }

  #open() {
    const { button, form, input, problem } = this.parts;
    button.hidden = true;
    form.hidden = false;
    problem.textContent = "";
    input.value = this.room.nick;
    input.select();
    input.focus();
  }

  #close(giveFocus = true) {
    const { button, form } = this.parts;
    form.hidden = true;
    button.hidden = false;
    if (giveFocus) this.done();
  }

  /** @param {string} nick */
  async #rename(nick) {
    try {
      if (nick && nick !== this.room.nick) await this.room.rename(nick);
      this.#close();
    } catch (error) {
      this.parts.problem.textContent = error.message;
    }
  }
}

// Saying who one is, in a room that asks for it. What is written here is kept by nobody but the
// browser's own store of passwords: the page has it until it is closed, to come back with.

/** The room's own words speak of commands. */
const WORDS = {
  login_needed: "This room asks who comes in.",
  login_failed: "That was not right. Try again?",
};

export class Login {
  /**
   * @param {{form: HTMLFormElement, account: HTMLInputElement, password: HTMLInputElement,
   *   why: HTMLElement}} parts
   * @param {(credentials: object) => void} enter
   */
  constructor(parts, enter) {
    this.parts = parts;
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const account = parts.account.value.trim();
      const password = parts.password.value;
      enter(account ? { account, password } : { secret: password });
    });
  }

  /**
   * @param {{code: string, text: string}} error why one was not let in
   */
  ask({ code, text }) {
    const { form, account, password, why } = this.parts;
    why.textContent = WORDS[code] ?? text;
    form.hidden = false;
    document.body.classList.add("closed");
    password.value = "";
    (code === "login_failed" ? password : account).focus();
  }

  done() {
    this.parts.form.hidden = true;
    document.body.classList.remove("closed");
    this.parts.password.value = "";
  }
}

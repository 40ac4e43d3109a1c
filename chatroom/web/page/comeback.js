// Who one comes back as: the name, and the token that takes it from one's own dead connection.

/** @typedef {{nick: string, token: string, credentials: object}} Wishes */

export class Comeback {
  /** To come in as where the name cannot be had. @type {{nick: string, token: string} | null} */
  #other = null;

  /** Of the connection that broke with a rename on its way: it may be in the room still, renamed. */
  #renamedToken = "";

  /** @param {Wishes} wishes an empty nick: a guest's */
  constructor(wishes) {
    this.wishes = wishes;
  }

  /**
   * The connection broke.
   * @param {string} name the one that a rename on its way had asked for, or ""
   */
  broke(name) {
    if (!name) return;
    this.#renamedToken ||= this.wishes.token;
    this.#other = { nick: name, token: this.#renamedToken };
  }

  /** The name cannot be had; whether there is another way to come in. */
  refused() {
    if (!this.#other && !this.wishes.nick) return false;
    Object.assign(this.wishes, this.#other ?? { nick: "" });
    this.#other = null;
    return true;
  }

  /**
   * Come back once more, as who the room has one as since a rename.
   * @param {string} nick
   */
  claim(nick) {
    const { nick: was, token } = this.wishes;
    this.#other = { nick: was, token };
    Object.assign(this.wishes, { nick, token: this.#renamedToken || token });
    this.#renamedToken = "";
  }

  /** One is in the room, under a name that could be had. */
  entered() {
    this.#other = null;
  }

  /** What was on its way is known, and the name that it gave is one's own. */
  settled() {
    this.#renamedToken = "";
  }
}

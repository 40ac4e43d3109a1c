// What was asked and is not answered yet.

/** The room said no, or nobody is there to answer. */
export class Refused extends Error {
  /**
   * @param {string} code a word of the protocol; "offline" without a connection
   * @param {string} text a sentence
   */
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

export class Questions {
  #count = 0;

  /** @type {Map<string, {resolve: (answer: any) => void, reject: (error: Refused) => void}>} */
  #open = new Map();

  /** @param {(request: object) => boolean} send */
  constructor(send) {
    this.send = send;
  }

  /**
   * The answer; a `Refused` if there is none.
   * @param {object} request
   * @returns {Promise<any>}
   */
  ask(request) {
    return new Promise((resolve, reject) => {
      const id = `q${(this.#count += 1)}`;
      if (this.send({ ...request, id })) this.#open.set(id, { resolve, reject });
      else reject(new Refused("offline", "not connected to the room"));
    });
  }

  /**
   * Whether an answer belongs to one of them, which then has it.
   * @param {any} answer
   */
  answered(answer) {
    const question = this.#open.get(answer.id);
    if (!question) return false;
    this.#open.delete(answer.id);
    if (answer.kind === "error") question.reject(new Refused(answer.code, answer.text));
    else question.resolve(answer);
    return true;
  }

  /** The connection broke. */
  disconnected() {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { reject } of open) reject(new Refused("offline", "the connection broke"));
  }
}

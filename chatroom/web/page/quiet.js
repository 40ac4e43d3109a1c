// A log that is read aloud is silent during a flood: nobody could listen to it.

/** More than this in a second is a flood; after so long with less it is over. */
const MOST_PER_SECOND = 8;
const OVER_MILLISECONDS = 3_000;

export class Quiet {
  #since = 0;
  #count = 0;
  #timer = 0;

  /** @param {HTMLElement} log */
  constructor(log) {
    this.log = log;
  }

  /**
   * So many rows are about to be added.
   * @param {number} count
   */
  before(count) {
    const now = performance.now();
    if (now - this.#since > 1000) {
      this.#since = now;
      this.#count = 0;
    }
    this.#count += count;
    if (this.#count > MOST_PER_SECOND) this.hush();
  }

  /** Say nothing for a while. */
  hush() {
    this.#set("off");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#set("polite"), OVER_MILLISECONDS);
  }

  /** @param {string} live */
  #set(live) {
    if (this.log.getAttribute("aria-live") !== live) this.log.setAttribute("aria-live", live);
  }
}

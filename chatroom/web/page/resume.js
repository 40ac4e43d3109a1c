// Where this page stands in the room's log, and coming back to just there.

export class Resume {
  /** Counts the logs that were seen: in a room without a disk numbers begin at 1 again. */
  epoch = 0;

  /** Every event up to this number has come, or is known to be missing. */
  newest = 0;

  /** Whether nothing is missing in what was replayed. */
  whole = true;

  #session = "";

  /** Whether there is a place to come back to. */
  get known() {
    return this.#session !== "";
  }

  /**
   * The part of a hello that asks for what was missed.
   * @param {number} lowestDoubtful what may have become of one's statements stands above this
   */
  hello(lowestDoubtful) {
    if (!this.known) return {};
    return { after: Math.min(this.newest, lowestDoubtful), session: this.#session };
  }

  /**
   * Take in a welcome. `isNew`: it is of another session; `forgotten`: which knows nothing of the
   * last one, so that its numbers begin anew; `missed`: how many events are not kept any more.
   * @param {any} welcome
   */
  welcomed(welcome) {
    const first = !this.known;
    const isNew = !first && welcome.session !== this.#session;
    this.#session = welcome.session;
    this.whole = welcome.resumed !== "partial";
    // From 0 nothing tells whether the session was known, so nothing is built on it.
    const forgotten = isNew && !this.whole && (welcome.after ?? 0) === 0;
    if (forgotten) this.epoch += 1;
    if (first || forgotten) this.newest = first ? welcome.seq : 0;
    return { isNew, forgotten, missed: this.whole ? 0 : (welcome.missed ?? 0) };
  }

  /**
   * An event with this number, or a gap up to it, has come; whether it is new here.
   * @param {number} seq
   */
  arrived(seq) {
    if (seq <= this.newest) return false;
    this.newest = seq;
    return true;
  }
}

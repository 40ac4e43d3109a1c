// How the connection does: connecting, live with the round trip, offline with the next try.

/** @typedef {import("./connection.js").State} State */

const PHASES = {
  connecting: "connecting",
  live: "live",
  offline: "offline",
  gone: "not connected",
};

export class Status {
  #timer = 0;

  /**
   * @param {{state: HTMLElement, phase: HTMLElement, detail: HTMLElement,
   *   retry: HTMLButtonElement}} parts
   * @param {() => void} open connects at once
   */
  constructor(parts, open) {
    this.parts = parts;
    parts.retry.addEventListener("click", open);
  }

  /** @param {State} state */
  show(state) {
    const { phase, retry } = this.parts;
    clearInterval(this.#timer);
    if (state.phase === "offline") this.#timer = setInterval(() => this.#detail(state), 250);
    this.parts.state.dataset.phase = state.phase;
    this.parts.state.title = state.text;
    // Written only when it changes: it is read aloud.
    if (phase.textContent !== PHASES[state.phase]) phase.textContent = PHASES[state.phase];
    retry.hidden = state.phase !== "offline" && state.phase !== "gone";
    retry.textContent = state.phase === "gone" ? "Come back" : "Try now";
    this.#detail(state);
  }

  /** @param {State} state */
  #detail(state) {
    this.parts.detail.textContent = detailOf(state);
  }
}

/** @param {State} state */
function detailOf({ phase, roundTrip, retryAt, text }) {
  switch (phase) {
    case "live":
      return roundTrip === null ? "" : `${milliseconds(roundTrip)} ms`;
    case "offline": {
      const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
      return `${text && `${text}, `}next try in ${seconds} s`;
    }
    case "gone":
      return text;
    default:
      return "";
  }
}

/** @param {number} duration */
export function milliseconds(duration) {
  return duration < 9.95 ? duration.toFixed(1) : Math.round(duration).toLocaleString();
}

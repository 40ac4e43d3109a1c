// The way to the room: one WebSocket after the other, and noticing that one is dead.
//
// It knows of the protocol what keeps a connection alive (hello, welcome, ping, bye), nothing of
// what is said.

import { LATER_MILLISECONDS, delayMilliseconds } from "./backoff.js";

/**
 * @typedef {{phase: "connecting" | "live" | "offline" | "gone", roundTrip: number | null,
 *   retryAt: number, text: string}} State
 *   `roundTrip` in milliseconds; `retryAt` as `Date.now()`; `text`: why there is no connection.
 *   "gone": it does not come back by itself.
 * @typedef {{hello: () => object, received: (objects: any[]) => void, answered: () => void,
 *   lost: () => boolean, changed: () => void}} Owner
 *   `received`: in the order in which they came; `answered`: everything that was asked for with the
 *   hello has been received; `lost`: whether to try again at once, as the next hello is another one.
 */

const PROTOCOL = "chatroom.v1";
const PING_MILLISECONDS = 5_000;
const EARLY_PING_MILLISECONDS = 500;
const HIDDEN_PING_MILLISECONDS = 30_000;
const SILENCE_MILLISECONDS = 8_000;
const CONNECT_MILLISECONDS = 10_000;

/** A try that has not got through in this time is not worth waiting for when the network returns. */
const STUCK_MILLISECONDS = 2_000;

/** A connection that held for so long has done well: the next delay is the first one again. */
const STEADY_MILLISECONDS = 10_000;

const TRY_AGAIN_LATER = 1013;

/** After these nobody comes back unasked: one was told to go, or one's own new page took over. */
const FINAL = new Set(["quit", "kicked", "flood", "replaced", "protocol_error"]);

/** But for a refusal that may pass, whatever it ended with. */
const PASSING = new Set(["too_fast", "unavailable", "history_unavailable"]);

export class Connection {
  /** @type {State} */
  state = { phase: "connecting", roundTrip: null, retryAt: 0, text: "" };

  /** @type {WebSocket | null} */
  #socket = null;
  #tries = 0;
  #openedAt = 0;
  #liveSince = 0;
  #heardAt = 0;
  #pings = 0;
  #pingedAt = 0; // 0: no ping is on its way
  #silence = SILENCE_MILLISECONDS;
  #timer = 0;
  #bye = { reason: "", text: "" };
  #refusal = ""; // the code of what came in the place of a welcome

  /**
   * @param {string} url
   * @param {Owner} owner
   */
  constructor(url, owner) {
    this.url = url;
    this.owner = owner;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.look();
    });
    addEventListener("online", () => this.look());
    addEventListener("offline", () => this.look());
  }

  /** Connect now, whatever was waited for. */
  open() {
    clearTimeout(this.#timer);
    this.#abandon();
    this.#openedAt = performance.now();
    this.#bye = { reason: "", text: "" };
    this.#refusal = "";
    this.#change({ phase: "connecting", roundTrip: null, text: "" });
    const socket = new WebSocket(this.url, PROTOCOL);
    this.#socket = socket;
    socket.onopen = () => this.send(this.owner.hello());
    socket.onmessage = (message) => this.#receive(message.data);
    socket.onclose = (closing) => this.#lost(closing.code);
    this.#timer = setTimeout(() => this.drop(), CONNECT_MILLISECONDS);
  }

  /**
   * Send one object; false if there is no connection that could take it.
   * @param {object} object
   */
  send(object) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(object));
    return true;
  }

  /** Something may have changed: come back at once, or see whether the connection still is one. */
  look() {
    const { phase } = this.state;
    const stuck = phase === "connecting" && performance.now() - this.#openedAt > STUCK_MILLISECONDS;
    if (phase === "offline" || stuck) this.open();
    else if (phase === "live" && !this.#pingedAt) this.#ping();
  }

  /** Leave, and stay away until `open`. */
  leave() {
    this.#bye = { reason: "quit", text: "you have left" };
    if (this.send({ kind: "quit" })) this.#socket.close(1000);
    else this.drop();
  }

  /** @param {any} data */
  #receive(data) {
    this.#heardAt = performance.now();
    if (typeof data !== "string") return;
    const objects = [];
    for (const line of data.split("\n")) {
      // Plain lines come before the welcome, where the hello came late.
      const object = line.startsWith("{") ? parsed(line) : null;
      if (!object) continue;
      if (object.kind === "bye") this.#bye = object;
      if (object.kind === "error" && this.state.phase !== "live") this.#refusal = object.code;
      if (object.kind === "welcome") this.#welcomed();
      // A pong comes behind what is taken so slowly.
      if (object.kind === "slowed") this.#silence = SILENCE_MILLISECONDS + 1000 / object.rate;
      objects.push(object);
    }
    this.owner.received(objects);
    for (const object of objects) if (object.kind === "pong") this.#pong(object.id);
  }

  #welcomed() {
    clearTimeout(this.#timer);
    this.#liveSince = performance.now();
    this.#change({ phase: "live" });
    this.#pings = 0;
    this.#silence = SILENCE_MILLISECONDS;
    this.#ping();
  }

  #ping() {
    clearTimeout(this.#timer);
    this.#pingedAt = performance.now();
    this.send({ kind: "ping", id: `p${(this.#pings += 1)}` });
    this.#timer = setTimeout(() => this.#listen(), this.#silence);
  }

  /** No pong yet. A busy room may have it queued behind much else, so whatever came counts. */
  #listen() {
    const silence = performance.now() - Math.max(this.#heardAt, this.#pingedAt);
    if (silence > this.#silence * 0.9) this.drop();
    else this.#timer = setTimeout(() => this.#listen(), this.#silence - silence);
  }

  /** @param {string | undefined} id */
  #pong(id) {
    if (!this.#pingedAt || id !== `p${this.#pings}`) return;
    this.#change({ roundTrip: performance.now() - this.#pingedAt });
    this.#pingedAt = 0;
    clearTimeout(this.#timer);
    // The first answers come while the page is still being made, and late.
    let interval = this.#pings < 3 ? EARLY_PING_MILLISECONDS : PING_MILLISECONDS;
    if (document.hidden) interval = HIDDEN_PING_MILLISECONDS;
    this.#timer = setTimeout(() => this.#ping(), interval);
    if (this.#pings === 1) this.owner.answered(); // who may drop this connection
  }

  /** Give the connection up; the owner says when the next one comes. */
  drop() {
    this.#abandon();
    this.#lost(0);
  }

  /** Give a socket up; a dead one would take its time to close. */
  #abandon() {
    const socket = this.#socket;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.#socket = null;
  }

  /** @param {number} code of the close frame */
  #lost(code) {
    clearTimeout(this.#timer);
    const held = this.state.phase === "live" ? performance.now() - this.#liveSince : 0;
    this.#socket = null;
    this.#pingedAt = 0;
    if (this.owner.lost()) {
      this.open();
      return;
    }
    if (held > STEADY_MILLISECONDS) this.#tries = 0;
    const { reason, text } = this.#bye;
    const passes = code === TRY_AGAIN_LATER || PASSING.has(this.#refusal);
    if (!passes && FINAL.has(reason)) {
      this.#change({ phase: "gone", roundTrip: null, text });
      return;
    }
    if (code === TRY_AGAIN_LATER) this.#wait(LATER_MILLISECONDS, "the room is full");
    else this.#wait(delayMilliseconds(this.#tries), text);
    this.#tries += 1;
  }

  /**
   * @param {number} delay in milliseconds
   * @param {string} text why there is no connection
   */
  #wait(delay, text) {
    this.#change({ phase: "offline", roundTrip: null, retryAt: Date.now() + delay, text });
    this.#timer = setTimeout(() => this.open(), delay);
  }

  /** @param {Partial<State>} change */
  #change(change) {
    this.state = { ...this.state, ...change };
    this.owner.changed();
  }
}

/**
 * @param {string} line
 * @returns {any} null for what is no object
 */
function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

// Calling somebody who looks elsewhere: the count in the title and the icon, and, if it was allowed,
// a notification and a sound when one is called by name.

import { keep, kept } from "./memory.js";

/** @typedef {import("./order.js").Item} Item */

const ALLOWED = "chatroom.notify";

/** At most one notification and one sound in this time. */
const QUIET_MILLISECONDS = 3_000;

export class Attention {
  /** Messages that came while one looked elsewhere. */
  count = 0;

  #away = document.hidden || !document.hasFocus();
  #calledAt = -Infinity;

  /** @type {AudioContext | null} */
  #audio = null;

  /**
   * @param {{icon: HTMLLinkElement, bell: HTMLButtonElement}} parts
   * @param {{back: () => void, told: (text: string) => void}} owner
   *   `back`: one looks at the page again; `told`: what to tell the person
   */
  constructor(parts, owner) {
    this.parts = parts;
    this.owner = owner;
    const look = () => this.#look(document.hidden);
    document.addEventListener("visibilitychange", look);
    addEventListener("focus", look);
    addEventListener("blur", () => this.#look(true));
    parts.bell.addEventListener("click", () => this.#press());
    // A sound may be made only after the person has done something here.
    for (const kind of ["pointerdown", "keydown"]) {
      addEventListener(kind, () => this.#allowed && this.#wake(), { once: true });
    }
    this.#showBell();
  }

  get away() {
    return this.#away;
  }

  /**
   * Something was said by somebody else.
   * @param {Item} item
   * @param {boolean} calls whether it calls the reader
   */
  heard(item, calls) {
    if (this.#away) this.count += 1;
    const wanted = calls && this.#away && this.#allowed;
    if (!wanted || performance.now() - this.#calledAt < QUIET_MILLISECONDS) return;
    this.#calledAt = performance.now();
    this.#ring();
    this.#notify(item);
  }

  /** @param {string} name of the room */
  show(name) {
    const title = this.count ? `(${this.count.toLocaleString()}) ${name}` : name;
    if (document.title === title) return;
    document.title = title;
    this.parts.icon.href = this.count ? badge(this.count) : "icon.svg";
  }

  /** @param {boolean} away */
  #look(away) {
    this.#away = away;
    if (away) return;
    this.count = 0;
    this.owner.back();
  }

  get #allowed() {
    return kept(ALLOWED) === "yes";
  }

  async #press() {
    const allow = !this.#allowed;
    keep(ALLOWED, allow ? "yes" : "no");
    this.#showBell();
    if (!allow) return;
    this.#wake();
    this.#ring();
    // Browsers give notifications to pages from this machine or over TLS only.
    const answer = "Notification" in window ? await Notification.requestPermission() : "denied";
    const how =
      answer === "granted"
        ? "a notification and a sound"
        : "a sound (no notification: the browser allows none here)";
    this.owner.told(`When somebody calls you by name: ${how}`);
  }

  #showBell() {
    const { bell } = this.parts;
    bell.setAttribute("aria-pressed", String(this.#allowed));
    bell.title = this.#allowed ? "You are notified when called" : "Notify me when I am called";
  }

  /** @param {Item} item */
  #notify(item) {
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    try {
      const note = new Notification(item.nick, {
        body: item.text,
        tag: "chatroom",
        icon: "icon.svg",
      });
      note.onclick = () => {
        window.focus();
        note.close();
      };
    } catch {
      // Some phones have notifications for service workers only.
    }
  }

  #wake() {
    this.#audio ??= new AudioContext();
    this.#audio.resume().catch(() => {});
  }

  /** Two soft notes. */
  #ring() {
    const audio = this.#audio;
    if (!audio) return;
    for (const [at, frequency] of [
      [0, 660],
      [0.12, 880],
    ]) {
      const note = audio.createOscillator();
      const volume = audio.createGain();
      const start = audio.currentTime + at;
      note.frequency.value = frequency;
      volume.gain.setValueAtTime(0, start);
      volume.gain.linearRampToValueAtTime(0.12, start + 0.015);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.35);
      note.connect(volume).connect(audio.destination);
      note.start(start);
      note.stop(start + 0.4);
    }
  }
}

/**
 * The icon with a count on it, as a picture of its own.
 * @param {number} count
 */
function badge(count) {
  const words = count > 99 ? "99+" : String(count);
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
<path d="M14 6h36a10 10 0 0 1 10 10v22a10 10 0 0 1-10 10H32L18 60V48h-4A10 10 0 0 1 4 38V16A10 10 0 0 1 14 6" fill="#d93025"/>
<text x="32" y="37" font-family="system-ui,sans-serif" font-size="${words.length > 2 ? 24 : 30}" font-weight="700" fill="#fff" text-anchor="middle">${words}</text></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(drawing)}`;
}

// A message's text: what may be sent, and how it is shown, with links and marks, but only as text.

import { element } from "./dom.js";

const encoder = new TextEncoder();

/** @param {string} text */
export function sizeBytes(text) {
  return encoder.encode(text).length;
}

// C0 but for TAB, DEL, C1, bidirectional overrides and isolates: as the room itself has it, so that
// what comes back is what was sent.
const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/gu;

/**
 * The text as the room takes it.
 * @param {string} text
 */
export function makeSafe(text) {
  return text.replace(UNSAFE, "\ufffd");
}

const LINK = /https?:\/\/[^\s<>"'`]+/gi;

/**
 * @param {string} text
 * @param {RegExp | null} [words] what is marked in it; a global expression
 * @returns {(Node | string)[]}
 */
export function shown(text, words = null) {
  if (!text.includes("://")) return marked(text, words);
  const pieces = [];
  let end = 0;
  for (const found of text.matchAll(LINK)) {
    const address = withoutPunctuation(found[0]);
    const link = linkTo(address);
    if (!link) continue;
    pieces.push(...marked(text.slice(end, found.index), words), link);
    end = found.index + address.length;
  }
  pieces.push(...marked(text.slice(end), words));
  return pieces;
}

/**
 * @param {string} address
 * @returns {HTMLAnchorElement | null} null if it is none that a browser should follow
 */
function linkTo(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  // The title has the host as it is asked for, so that a look-alike shows.
  const properties = { href: url.href, target: "_blank", rel: "noopener noreferrer" };
  return element("a", { ...properties, title: url.href }, address);
}

/**
 * Without the full stop or the bracket that belongs to the sentence around it.
 * @param {string} address
 */
function withoutPunctuation(address) {
  for (;;) {
    const last = address.at(-1) ?? "";
    const opening = { ")": "(", "]": "[", "}": "{" }[last];
    const unmatched = opening && address.split(opening).length < address.split(last).length;
    if (!unmatched && !".,;:!?*_…".includes(last)) return address;
    if (!last) return address;
    address = address.slice(0, -1);
  }
}

/**
 * A text with marks, and without links: for where nothing within it can be pressed.
 * @param {string} text
 * @param {RegExp | null} words what is marked; a global expression
 * @returns {(Node | string)[]}
 */
export function marked(text, words) {
  if (!text) return [];
  if (!words) return [text];
  const pieces = [];
  let end = 0;
  for (const found of text.matchAll(words)) {
    if (!found[0]) continue;
    if (found.index > end) pieces.push(text.slice(end, found.index));
    pieces.push(element("mark", {}, found[0]));
    end = found.index + found[0].length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}

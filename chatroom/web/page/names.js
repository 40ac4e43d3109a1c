// Names: when two are the same, the colour each has, and whether a text calls one.

/**
 * What two spellings of one name have in common (the server folds more; this is for showing).
 * @param {string} nick
 */
export function fold(nick) {
  return nick.normalize("NFKC").toLowerCase();
}

/**
 * The hue of a name, in degrees: the same on every page and in every session. Lightness and chroma
 * are the style sheet's, so that every hue can be read on a light page and on a dark one.
 * @param {string} nick
 */
export function hue(nick) {
  let hash = 0x811c9dc5; // FNV-1a: neighbours as guest1 and guest2 land far apart
  for (const character of fold(nick)) {
    hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) % 360;
}

/**
 * Finds a name where it stands as a word of its own.
 * @param {string} nick
 * @returns {RegExp}
 */
export function mentionOf(nick) {
  const word = nick.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}_])${word}(?![\\p{L}\\p{N}_])`, "giu");
}

// How long to wait before the next try.

const FIRST_MILLISECONDS = 500;

/** A person waits for a server that is back no longer than this. */
const LONGEST_MILLISECONDS = 15_000;

/** Where the server itself asked to come later: it is full. */
export const LATER_MILLISECONDS = 10_000;

/**
 * Between half of a bound and all of it; the bound doubles with each try. So the first try comes
 * soon, and the pages that lost the same server do not all come back in one moment.
 * @param {number} tries how many have failed
 * @param {() => number} [random]
 */
export function delayMilliseconds(tries, random = Math.random) {
  const bound = Math.min(LONGEST_MILLISECONDS, FIRST_MILLISECONDS * 2 ** Math.min(tries, 10));
  return bound * (0.5 + random() / 2);
}

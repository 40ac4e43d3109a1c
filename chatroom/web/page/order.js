// The order of what is in the log.
//
// An item is an event of the room, or something that this page says between two of them. `epoch`
// counts the room's logs as they were seen from here: in a room that keeps nothing on disk numbers
// begin at 1 again. `sub` is 0 for what has a number of its own, and puts what the page says behind
// the event `seq` (above 0), or before it (below).

/**
 * @typedef {{epoch: number, seq: number, sub: number}} Place
 * @typedef {Place & {kind: string, nick?: string, text?: string, to?: any, from?: number,
 *   time?: string, reason?: string, by?: string, of?: number, mine?: boolean, removed?: boolean,
 *   code?: string}} Item
 */

/**
 * Below 0 if `a` is before `b`.
 * @param {Place} a
 * @param {Place} b
 */
export function compare(a, b) {
  return a.epoch - b.epoch || a.seq - b.seq || a.sub - b.sub;
}

/**
 * The last number that an item stands for: a gap stands for many.
 * @param {Item} item
 */
export function lastSeq(item) {
  return item.kind === "gap" ? item.to : item.seq;
}

/** @param {Item} item */
export function isSpeech(item) {
  return item.kind === "message" || item.kind === "action";
}

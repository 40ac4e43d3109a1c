// When it happened, by the clock on the wall here.

// Made once: a formatter costs a thousand times what using it does.
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/**
 * A moment of the server's clock; now, if it does not say one.
 * @param {string | undefined} time
 */
export function moment(time) {
  const date = new Date(time ?? NaN);
  return Number.isNaN(date.getTime()) ? new Date() : date;
}

/** @param {Date} date */
export const clock = (date) => CLOCK.format(date);

/** @param {Date} date */
export const fullTime = (date) => FULL.format(date);

/** @param {Date} date */
export const dayName = (date) => DAY.format(date);

/**
 * Short for today, with the day for what is older.
 * @param {Date} date
 */
export function dayAndClock(date) {
  const today = dayOf(date) === dayOf(new Date());
  return today ? clock(date) : `${SHORT_DAY.format(date)}, ${clock(date)}`;
}

/**
 * A number that is the same for all moments of one local day.
 * @param {Date} date
 */
export function dayOf(date) {
  return (date.getFullYear() * 12 + date.getMonth()) * 31 + date.getDate();
}

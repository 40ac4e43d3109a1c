// What the browser remembers for this page, where it allows that.

/**
 * @param {string} key
 * @returns {string} empty if nothing is kept
 */
export function kept(key, storage = "localStorage") {
  try {
    return window[storage].getItem(key) ?? "";
  } catch {
    return "";
  }
}

/**
 * @param {string} key
 * @param {string} value empty: forget it
 */
export function keep(key, value, storage = "localStorage") {
  try {
    if (value) window[storage].setItem(key, value);
    else window[storage].removeItem(key);
  } catch {
    // Forbidden by the person who uses the browser: the page works without.
  }
}

const TOKEN = "chatroom.token";

/**
 * The token of the page that was here before a reload; taken, so that a copy of this tab does not
 * claim the name of this one.
 */
export function takeToken() {
  const token = kept(TOKEN, "sessionStorage");
  keep(TOKEN, "", "sessionStorage");
  return token;
}

/** @param {string} token */
export function leaveToken(token) {
  keep(TOKEN, token, "sessionStorage");
}

/**
 * The two secrets, in this tab's session storage and nowhere else.
 */

const held = new Map(); // Where session storage is forbidden: as long as the page is open.

const named = (name) => `warmthread.${name}`;

/** @param {string} name @returns {string | null} */
export function secret(name) {
  try {
    return sessionStorage.getItem(named(name)) ?? held.get(name) ?? null;
  } catch {
    return held.get(name) ?? null;
  }
}

/** @param {string} name @param {string} value */
export function keep(name, value) {
  try {
    sessionStorage.setItem(named(name), value);
  } catch {
    held.set(name, value);
  }
}

/** Forget *name*. @param {string} name */
export function forget(name) {
  held.delete(name);
  try {
    sessionStorage.removeItem(named(name));
  } catch {
    // There is nothing to forget.
  }
}

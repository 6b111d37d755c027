// What this browser remembers: its sessions, drafts, messages not accepted yet, choices. One key for each thing, so
// that two tabs do not overwrite each other. Where storage is forbidden the page works and forgets.

/**
 * @typedef {object} Known a session of this browser
 * @property {string} token
 * @property {string} name
 * @property {string} [label] the reader's own name for it
 * @property {string} [lastWords]
 * @property {number} at ms since the epoch, of its last message
 * @property {number} [expiresAt]
 * @property {boolean} [ended]
 */

const SESSION = "chat.session.";
const DRAFT = "chat.draft.";
const PENDING = "chat.pending.";

/** @type {(storage: () => Storage) => {get: (key: string) => string|null, set: (key: string, value: string|null) => void, keys: () => string[]}} */
function forgiving(storage) {
  const attempt = (/** @type {() => any} */ action) => { try { return action(); } catch { return null; } };
  return {
    get: (key) => attempt(() => storage().getItem(key)),
    set: (key, value) => attempt(() => (value === null ? storage().removeItem(key) : storage().setItem(key, value))),
    keys: () => attempt(() => Object.keys(storage())) ?? [],
  };
}

const shared = forgiving(() => localStorage);
const tab = forgiving(() => sessionStorage);

/** @type {(text: string|null) => any} */
function parsed(text) {
  try { return JSON.parse(text ?? "null"); } catch { return null; }
}

/** The sessions of this browser, latest first. @returns {Known[]} */
export function sessions() {
  const found = shared.keys().filter((key) => key.startsWith(SESSION)).map((key) => parsed(shared.get(key)));
  return found.filter((session) => session?.token).sort((a, b) => b.at - a.at);
}

/** @type {(token: string) => Known|null} */
export function session(token) { return parsed(shared.get(SESSION + token)); }

/** @type {(session: Known) => void} */
export function remember(known) { shared.set(SESSION + known.token, JSON.stringify(known)); }

/** Forget a session and all that was typed in it. @type {(token: string) => void} */
export function forget(token) {
  const mine = (/** @type {string} */ key) =>
    key === SESSION + token || key === DRAFT + token || key.startsWith(`${PENDING}${token}.`);
  for (const key of shared.keys().filter(mine)) shared.set(key, null);
}

/** The session this tab shows, else the last one shown in any. @returns {string|null} */
export function current() { return tab.get("chat.current") ?? shared.get("chat.current"); }

/** @type {(token: string|null) => void} */
export function setCurrent(token) {
  tab.set("chat.current", token);
  shared.set("chat.current", token);
}

/** @type {(token: string) => string} */
export function draft(token) { return shared.get(DRAFT + token) ?? ""; }

/** @type {(token: string, text: string) => void} */
export function setDraft(token, text) { shared.set(DRAFT + token, text || null); }

/** @type {(token: string) => {id: string, msg: string}[]} */
export function pending(token) {
  const prefix = `${PENDING}${token}.`;
  const found = shared.keys().filter((key) => key.startsWith(prefix)).map((key) => parsed(shared.get(key)));
  return found.filter((entry) => entry?.id).sort((a, b) => a.at - b.at);
}

/** @type {(token: string, id: string, msg: string, at: number) => void} */
export function keepPending(token, id, msg, at) {
  shared.set(`${PENDING}${token}.${id}`, JSON.stringify({ id, msg, at }));
}

/** @type {(token: string, id: string) => void} */
export function dropPending(token, id) { shared.set(`${PENDING}${token}.${id}`, null); }

/** @type {() => string} */
export function theme() { return shared.get("chat.theme") ?? "auto"; }

/** @type {(theme: string) => void} */
export function setTheme(value) { shared.set("chat.theme", value === "auto" ? null : value); }

/** @type {() => boolean} */
export function singleKeys() { return shared.get("chat.singleKeys") !== "off"; }

/** @type {(on: boolean) => void} */
export function setSingleKeys(on) { shared.set("chat.singleKeys", on ? null : "off"); }

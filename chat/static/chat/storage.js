// What this browser stores: its sessions, drafts, unsent messages and settings. Each item has its own key, so that tabs
// do not overwrite each other. Without storage (private browsing, blocked) the page works but forgets.

/**
 * @typedef {object} StoredSession a session of this browser
 * @property {string} token
 * @property {string} name
 * @property {string} [label] the title the visitor chose
 * @property {string} [topic] the start of the first message
 * @property {string} [lastWords] the start of the last message
 * @property {number} at ms since the epoch, of the last message
 * @property {number} [expiresAt]
 * @property {boolean} [ended]
 * @property {string} [model] name of the model that the visitor chose
 * @property {boolean} [awaiting] a reply is still to come
 * @property {number} [lastSeq] of the last message
 * @property {Record<string, string>} [links] addresses of read-only links by their ids
 * @property {number} [seenSeq] of the last message that was on the screen
 */

const SESSION = "chat.session.";
const DRAFT = "chat.draft.";
const PENDING = "chat.pending.";
const EDIT = "chat.edit.";

/** @type {(storage: () => Storage) => {get: (key: string) => string|null, set: (key: string, value: string|null) => void, keys: () => string[]}} */
function tolerant(storage) {
  const attempt = (/** @type {() => any} */ action) => { try { return action(); } catch { return null; } };
  return {
    get: (key) => attempt(() => storage().getItem(key)),
    set: (key, value) => attempt(() => (value === null ? storage().removeItem(key) : storage().setItem(key, value))),
    keys: () => attempt(() => Object.keys(storage())) ?? [],
  };
}

const shared = tolerant(() => localStorage);
const tab = tolerant(() => sessionStorage);

/** @type {(key: string) => any} */
function load(key) {
  try { return JSON.parse(shared.get(key) ?? "null"); } catch { return null; }
}

const loadAll = (/** @type {string} */ prefix) => shared.keys().filter((key) => key.startsWith(prefix)).map(load);

/** The sessions of this browser, latest first. @returns {StoredSession[]} */
export const sessions = () => loadAll(SESSION).filter((session) => session?.token).sort((a, b) => b.at - a.at);

/** @type {(token: string) => StoredSession|null} */
export const session = (token) => load(SESSION + token);

/** @type {(session: StoredSession) => void} */
export const saveSession = (session) => shared.set(SESSION + session.token, JSON.stringify(session));

/** Remove a session from the list. @type {(token: string) => void} */
export const unlistSession = (token) => shared.set(SESSION + token, null);

/** Remove a session, its drafts and its unsent messages. @type {(token: string) => void} */
export function removeSession(token) {
  for (const key of shared.keys()) {
    if ([SESSION + token, DRAFT + token, EDIT + token].includes(key) || key.startsWith(`${PENDING}${token}.`)) shared.set(key, null);
  }
}

/** The session this tab shows, else the last one shown in any tab. @returns {string|null} */
export const current = () => tab.get("chat.current") ?? shared.get("chat.current");

/** @type {(token: string|null) => void} */
export function setCurrent(token) {
  tab.set("chat.current", token);
  shared.set("chat.current", token);
}

/** @type {(token: string) => string} */
export const draft = (token) => shared.get(DRAFT + token) ?? "";

/** @type {(token: string, text: string) => void} */
export const setDraft = (token, text) => shared.set(DRAFT + token, text || null);

/** The question that is being edited. @type {(token: string) => {id: string, msg: string}|null} */
export const edit = (token) => load(EDIT + token);

/** @type {(token: string, edit: {id: string, msg: string}|null) => void} */
export const setEdit = (token, edit) => shared.set(EDIT + token, edit && JSON.stringify(edit));

/** Messages that the server has not accepted, oldest first. @type {(token: string) => import("./state.js").OutboxMessage[]} */
export const pending = (token) =>
  loadAll(`${PENDING}${token}.`).filter((message) => message?.id).sort((a, b) => a.at - b.at);

/** @type {(token: string, message: import("./state.js").OutboxMessage, at: number) => void} */
export const addPending = (token, message, at) => shared.set(`${PENDING}${token}.${message.id}`, JSON.stringify({ ...message, at }));

/** @type {(token: string, id: string) => void} */
export const removePending = (token, id) => shared.set(`${PENDING}${token}.${id}`, null);

/** Whether this browser stores anything for this site. */
export function isAvailable() {
  shared.set("chat.test", "1");
  const isStored = shared.get("chat.test") === "1";
  shared.set("chat.test", null);
  return isStored;
}

/** The visitor's name, for new conversations. */
export const name = () => shared.get("chat.name") ?? "";
export const setName = (/** @type {string} */ value) => shared.set("chat.name", value || null);
export const theme = () => shared.get("chat.theme") ?? "auto";
export const setTheme = (/** @type {string} */ value) => shared.set("chat.theme", value === "auto" ? null : value);
export const setClosedBanner = (/** @type {string} */ digest) => shared.set("chat.banner", digest);
export const singleKeys = () => shared.get("chat.singleKeys") !== "off";
export const setSingleKeys = (/** @type {boolean} */ on) => shared.set("chat.singleKeys", on ? null : "off");
/** Whether replies in hidden tabs are notified of, and with their text. @returns {"off" | "on" | "text"} */
export const notifications = () => /** @type {"off" | "on" | "text"} */ (shared.get("chat.notifications") ?? "off");
export const setNotifications = (/** @type {"off" | "on" | "text"} */ value) => shared.set("chat.notifications", value === "off" ? null : value);

// Actions on the sessions of this browser: start, restart, update, rename, delete.

import { createSession, deleteSession } from "./http.js";
import * as storage from "./storage.js";

/** @typedef {import("./storage.js").StoredSession} StoredSession */
/** @typedef {import("./state.js").State} State */

const PREVIEW_CHARS = 80;
/** Markdown marks up to here are removed from a preview. */
const PREVIEW_SOURCE_CHARS = 400;

/** The title of a session: the visitor's, else its first message; the name if the browser never received that.
 * @type {(session: StoredSession) => string} */
export const title = ({ label, topic, lastWords, name }) => label || topic || (lastWords ? name : gettext("New conversation"));

/** @type {(session: StoredSession) => boolean} */
export const hasEnded = ({ ended, expiresAt }) => Boolean(ended || (expiresAt && expiresAt < Date.now()));

/** Whether messages arrived that were never on the screen. @type {(session: StoredSession) => boolean} */
export const isUnread = ({ lastSeq, seenSeq }) => (lastSeq ?? 0) > (seenSeq ?? lastSeq ?? 0);

/** Start a session, remember its name and return its token. @type {(name: string) => Promise<string>} */
export async function start(name) {
  const session = await createSession(name);
  add(session);
  return session.token;
}

/** Store a new session. @type {(session: {token: string, name: string}) => void} */
export function add({ token, name }) {
  storage.saveSession({ token, name, at: Date.now() });
  storage.setName(name);
}

/** A session without messages that a new conversation can use. @type {() => StoredSession | undefined} */
export const unused = () => storage.sessions().find((session) =>
  !session.lastWords && !session.label && session.name === storage.name() && !hasEnded(session));

/** Start a session with the same name. Its draft is the old session's draft and unsent messages.
 * @type {(old: StoredSession) => Promise<string>} */
export async function restart(old) {
  const unsent = storage.pending(old.token);
  const texts = [...unsent.map(({ msg }) => msg), storage.edit(old.token)?.msg, storage.draft(old.token)].filter(Boolean);
  const token = await start(storage.name() || old.name);
  storage.setDraft(token, texts.join("\n\n"));
  for (const { id } of unsent) storage.removePending(old.token, id);
  storage.setDraft(old.token, "");
  storage.setEdit(old.token, null);
  return token;
}

/** Update what the sidebar shows of a session.
 * @param {string} token
 * @param {State} state
 * @param {{skewMs: number, isSeen: boolean, isAwaiting: boolean}} view isSeen: its messages are on the screen */
export function update(token, { session, ended, messages, firstSeq }, { skewMs, isSeen, isAwaiting }) {
  const stored = storage.session(token);
  if (!stored) return;
  const texts = [...messages.values()].filter(({ msg, replaced_by }) => msg && !replaced_by).sort((a, b) => a.seq - b.seq);
  const first = firstSeq === 1 ? texts.find(({ source }) => source === "human") : undefined;
  const last = texts.at(-1);
  const lastSeq = Math.max(stored.lastSeq ?? 0, ...[...messages.values()].map(({ seq }) => seq));
  const changes = session && {
    name: session.name,
    topic: preview(first?.msg) || stored.topic,
    lastWords: preview(last?.msg) || stored.lastWords,
    at: Date.parse(last?.timestamp ?? session.session_start),
    expiresAt: Date.parse(session.expires_at) - skewMs,
    lastSeq,
    seenSeq: isSeen ? lastSeq : (stored.seenSeq ?? 0),
  };
  const updated = { ...stored, ...changes, ended: Boolean(ended), awaiting: isAwaiting };
  if (JSON.stringify(updated) !== JSON.stringify(stored)) storage.saveSession(updated);
}

/** The start of a message without its Markdown marks. @type {(text?: string) => string} */
export function preview(text = "") {
  const plain = text.slice(0, PREVIEW_SOURCE_CHARS)
    .replace(/^\s*(?:```|~~~).*$/gm, "")
    .replace(/^[\s|:-]*-{3,}[\s|:-]*$/gm, "") // rules, and the line below a table's head
    .replace(/^[ \t]*(?:(?:#{1,6}|>|[-*+]|\d+[.)])[ \t]+)+(?:\[[ xX]\][ \t]+)?/gm, "")
    .replace(/!?\[([^\]\n]*)\]\([^)\n]*\)/g, "$1")
    .replace(/(\*\*|__|~~|`+)(?=\S)(.*?\S)\1/g, "$2")
    .replace(/(?<![\w*])([*_])(?=\S)(.*?\S)\1(?![\w*])/g, "$2")
    .replace(/[ \t]*\|[ \t]*/g, " ")
    .replace(/\s+/g, " ").trim();
  return [...(plain || text.trim())].slice(0, PREVIEW_CHARS).join("");
}

/** @type {(session: StoredSession, label: string) => void} */
export function rename({ token }, label) {
  const stored = storage.session(token);
  if (stored) storage.saveSession({ ...stored, label: label === stored.topic ? "" : label });
}

/** Delete a session on the server, then in this browser. @type {(session: StoredSession) => Promise<void>} */
export async function remove({ token }) {
  const stored = storage.session(token);
  storage.unlistSession(token); // first, because other tabs store the end of a session that is listed
  try {
    if (!stored?.ended) await deleteSession(token);
  } catch (error) {
    if (stored) storage.saveSession(stored);
    throw error;
  }
  storage.removeSession(token);
  const archive = await import("./archive.js");
  await archive.remove(token).catch(() => {}); // the browser blocks storage: there is no copy
}

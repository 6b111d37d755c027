// Actions on the sessions of this browser: start, restart, update, rename, delete.

import { createSession, deleteSession } from "./http.js";
import * as storage from "./storage.js";

/** @typedef {import("./storage.js").StoredSession} StoredSession */

const PREVIEW_CHARS = 80;

/** The title of a session. @type {(session: StoredSession) => string} */
export const title = (session) => session.label || session.name;

/** @type {(session: StoredSession) => boolean} */
export const hasEnded = ({ ended, expiresAt }) => Boolean(ended || (expiresAt && expiresAt < Date.now()));

/** Start a session and return its token. @type {(name: string) => Promise<string>} */
export async function start(name) {
  const session = await createSession(name);
  add(session);
  return session.token;
}

/** Store a new session. @type {(session: {token: string, name: string}) => void} */
export const add = ({ token, name }) => storage.saveSession({ token, name, at: Date.now() });

/** Start a session with the same name. Its draft is the old session's draft and unsent messages.
 * @type {(old: StoredSession) => Promise<string>} */
export async function restart(old) {
  const unsent = storage.pending(old.token);
  const texts = [...unsent.map(({ msg }) => msg), storage.draft(old.token)].filter(Boolean);
  const token = await start(old.name);
  storage.setDraft(token, texts.join("\n\n"));
  for (const { id } of unsent) storage.removePending(old.token, id);
  storage.setDraft(old.token, "");
  return token;
}

/** Update what the sidebar shows of a session.
 * @type {(token: string, state: import("./state.js").State, skewMs: number) => void} */
export function update(token, { session, ended, messages }, skewMs) {
  const stored = storage.session(token);
  if (!stored) return;
  const last = [...messages.values()].filter((message) => message.msg).at(-1);
  const changes = session && {
    name: session.name,
    lastWords: last?.msg?.slice(0, PREVIEW_CHARS) ?? stored.lastWords,
    at: Date.parse(last?.timestamp ?? session.session_start),
    expiresAt: Date.parse(session.expires_at) - skewMs,
  };
  const updated = { ...stored, ...changes, ended: Boolean(ended) };
  if (JSON.stringify(updated) !== JSON.stringify(stored)) storage.saveSession(updated);
}

/** @type {(session: StoredSession, label: string) => void} */
export function rename({ token }, label) {
  const stored = storage.session(token);
  if (stored) storage.saveSession({ ...stored, label: label === stored.name ? "" : label });
}

/** Delete a session on the server, then in this browser. @type {(session: StoredSession) => Promise<void>} */
export async function remove({ token }) {
  await deleteSession(token);
  storage.removeSession(token);
}

// What can be done with the sessions of this browser: begin, keep up to date, rename, export, erase.

import { download, saidIn, toJson, toMarkdown } from "./exporting.js";
import { createSession, eraseSession, fetchHistory } from "./http.js";
import * as local from "./local.js";
import { title } from "./side.js";
import { turns } from "./turns.js";

/** @typedef {import("./local.js").Known} Known */
/** @typedef {import("./state.js").State} State */

const LAST_WORDS_CHARS = 80;

/** Begin a session and return its token. @type {(name: string) => Promise<string>} */
export async function begin(name) {
  const session = await createSession(name);
  adopt(session);
  return session.token;
}

/** Remember a session that was begun elsewhere: by the plain form. @type {(session: {token: string, name: string}) => void} */
export function adopt({ token, name }) {
  if (!local.session(token)) local.remember({ token, name, at: Date.now() });
}

/** Begin anew with the same name; what was typed and never sent goes along as the draft.
 * @type {(old: Known) => Promise<string>} */
export async function beginAgain(old) {
  const typed = [...local.pending(old.token).map(({ msg }) => msg), local.draft(old.token)].filter(Boolean);
  const token = await begin(old.name);
  local.setDraft(token, typed.join("\n\n"));
  for (const { id } of local.pending(old.token)) local.dropPending(old.token, id);
  local.setDraft(old.token, "");
  return token;
}

/** Bring what the list shows of a session up to date.
 * @type {(token: string, state: State, skewMs: number) => void} */
export function keepUp(token, { session, ended, messages }, skewMs) {
  const known = local.session(token);
  if (!known) return;
  const last = [...messages.values()].filter((message) => message.msg).at(-1);
  const fresh = session && {
    name: session.name,
    lastWords: last?.msg?.slice(0, LAST_WORDS_CHARS) ?? known.lastWords,
    at: Date.parse(last?.timestamp ?? session.session_start),
    expiresAt: Date.parse(session.expires_at) - skewMs,
  };
  const next = { ...known, ...fresh, ended: Boolean(ended) };
  if (JSON.stringify(next) !== JSON.stringify(known)) local.remember(next);
}

/** @type {(session: Known, label: string) => void} */
export function rename(session, label) {
  const known = local.session(session.token);
  if (known) local.remember({ ...known, label: label === known.name ? "" : label });
}

/** Erase a session on the server, then here. @type {(session: Known) => Promise<void>} */
export async function erase({ token }) {
  await eraseSession(token);
  local.forget(token);
}

/** Save a talk as a file; what is shown is taken from the page, the rest from the server.
 * @type {(session: Known, kind: "markdown" | "json", shown: State | null) => Promise<void>} */
export async function save(session, kind, shown) {
  const said = shown ? saidIn(turns(shown)) : await fetchHistory(session.token);
  const name = title(session);
  if (kind === "json") download(`${name}.json`, "application/json", toJson(name, said));
  else download(`${name}.md`, "text/markdown", toMarkdown(name, said));
}

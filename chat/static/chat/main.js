// The page: which session is shown, and what happens where.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { createSession, eraseSession } from "./http.js";
import { ICONS } from "./icons.js";
import * as local from "./local.js";
import { LAST_MINUTES_MS, noticesTemplate } from "./notices.js";
import { loadMarkdown } from "./reply_text.js";
import { Follower } from "./scrolling.js";
import { EMPTY } from "./state.js";
import { talkTemplate } from "./talk.js";
import { turns } from "./turns.js";
import { faultSentence } from "./words.js";

/** @type {(id: string) => any} */
const element = (id) => document.getElementById(id);
const root = document.documentElement;
const bootstrap = JSON.parse(element("bootstrap").textContent);
/** Add to this clock to have the server's. */
const skewMs = Date.parse(bootstrap.now) - Date.now();

/** @type {Conversation | null} */
let shown = null;
let isMarkdownReady = false;
let frameRequested = false;

element("bar").replaceChildren();
const follower = new Follower(element("talk"), element("turns"), requestRender);
const composer = new Composer(element("composer"), {
  send(text) {
    if (!shown || shown.state.ended) return false;
    shown.send(text);
    follower.jump();
    return true;
  },
  keep: (text) => { if (shown) local.setDraft(shown.token, text); },
});

/** Show a session, or the name form. @param {string | null} token */
function show(token) {
  composer.settle();
  shown?.close();
  shown = null;
  local.setCurrent(token);
  root.dataset.view = token ? "talk" : "welcome";
  if (token) {
    shown = new Conversation(token, changed);
    composer.text = local.draft(token);
    follower.jump();
    shown.open();
  }
  requestRender();
  if (token) composer.focus();
  else element("name").focus();
}

/** @type {(state: import("./state.js").State, before: import("./state.js").State, event: import("./state.js").Event) => void} */
function changed(state, before, event) {
  if (shown) rememberSession(shown.token, state);
  if (event.type === "reply.completed" || event.type === "reply.failed") announce(event.message);
  requestRender();
}

/** @type {(token: string, state: import("./state.js").State) => void} */
function rememberSession(token, { session, ended, messages }) {
  const known = local.session(token);
  if (!known) return;
  if (ended) return local.remember({ ...known, ended: true });
  if (!session) return;
  const last = [...messages.values()].at(-1);
  local.remember({
    ...known,
    name: session.name,
    lastWords: last?.msg?.slice(0, 80) ?? known.lastWords,
    at: Date.parse(last?.timestamp ?? session.session_start),
    expiresAt: Date.parse(session.expires_at) - skewMs,
  });
}

/** @type {(message: import("./state.js").Message) => void} */
function announce(message) {
  element("announcer").textContent = message.error ? faultSentence(message.error) : (message.msg ?? "");
}

function requestRender() {
  if (frameRequested) return;
  frameRequested = true;
  const draw = () => { frameRequested = false; paint(); };
  if (document.hidden) setTimeout(draw); else requestAnimationFrame(draw);
}

function paint() {
  const state = shown?.state ?? EMPTY;
  const list = turns(state);
  const busy = list.find((turn) => turn.writing && !turn.writing.stopping);
  render(html`<h1 class="bar-title">${state.session?.name ?? gettext("Chat")}</h1>`, element("bar"));
  if (isMarkdownReady || !list.some((turn) => turn.reply)) render(talkTemplate(list, turnActions), element("turns"));
  render(noticesTemplate(state, endsAt(state), follower.isAtEnd, noticeActions), element("notices"));
  render(composerButtons(busy), element("composer-buttons"));
  follower.follow();
}

/** The session's end by this clock. @type {(state: import("./state.js").State) => number} */
function endsAt({ session }) {
  return session ? Date.parse(session.expires_at) - skewMs : Infinity;
}

/** @type {(busy: import("./turns.js").Turn | undefined) => unknown} */
function composerButtons(busy) {
  return html`
    ${busy
      ? html`<button type="button" class="round-button" aria-label=${gettext("Stop the reply")} title=${gettext("Stop the reply")}
          @click=${() => shown?.stop(busy.id)}>${ICONS.stop}</button>`
      : nothing}
    <button class="round-button primary" aria-label=${gettext("Send")} title=${gettext("Send")}>${ICONS.send}</button>`;
}

const turnActions = {
  stop: (/** @type {import("./turns.js").Turn} */ turn) => shown?.stop(turn.id),
  regenerate: (/** @type {import("./turns.js").Turn} */ turn) => shown?.regenerate(turn.id),
  discard: (/** @type {import("./turns.js").Turn} */ turn) => shown?.discard(turn.id),
  edit(/** @type {import("./turns.js").Turn} */ turn) {
    if (turn.phase === "waiting" || turn.phase === "refused") shown?.discard(turn.id);
    composer.text = turn.msg;
    composer.focus();
  },
  async copy(/** @type {string} */ text, /** @type {HTMLElement} */ button) {
    await navigator.clipboard.writeText(text);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
  },
};

const noticeActions = {
  reconnect: () => shown?.open(),
  extend: () => shown?.extend(),
  dismiss: () => shown?.dismiss(),
  jump: () => follower.jump(),
  restart: () => show(null),
};

/** @param {SubmitEvent} event */
async function begin(event) {
  event.preventDefault();
  const form = element("welcome");
  try {
    const { token, name } = await createSession(new FormData(form).get("name")?.toString() ?? "");
    local.remember({ token, name, at: Date.now() });
    show(token);
  } catch (error) {
    element("name-error").textContent = error instanceof Error ? error.message : String(error);
  }
}

element("welcome").addEventListener("submit", begin);
addEventListener("online", () => shown?.open());
document.addEventListener("visibilitychange", () => { if (!document.hidden) shown?.client.sync(); });
void loadMarkdown().then(() => { isMarkdownReady = true; requestRender(); });
setInterval(() => { if (shown && endsAt(shown.state) - Date.now() < LAST_MINUTES_MS) requestRender(); }, 1000);

if (bootstrap.session && !local.session(bootstrap.session.token)) {
  const { token, name } = bootstrap.session;
  local.remember({ token, name, at: Date.now() });
  local.setCurrent(token);
}
const current = local.current();
show(current && local.session(current) ? current : null);

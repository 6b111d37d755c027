// The page: which session is shown, and what each action does.

import { copy } from "./clipboard.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { openSessionDialog, openSettings } from "./dialogs.js";
import * as local from "./local.js";
import { LAST_MINUTES_MS } from "./notices.js";
import { beingWritten, paint, paintRoom } from "./painting.js";
import { loadMarkdown } from "./reply_text.js";
import { Follower } from "./scrolling.js";
import * as sessions from "./sessions.js";
import { commandOf } from "./shortcuts.js";
import { EMPTY } from "./state.js";
import { turns } from "./turns.js";
import { faultSentence } from "./words.js";

/** @typedef {import("./turns.js").Turn} Turn */

const TURNS_AT_ONCE = 24;
const TURNS_MORE = 6;
/** Elsewhere, a focus would bring up a keyboard that covers half of the page. */
const hasKeyboard = matchMedia("(hover: hover)");
/** Where the list lies over the page instead of beside it. */
const isNarrow = matchMedia("(width < 60rem)");

/** @type {(id: string) => any} */
const element = (id) => document.getElementById(id);
const root = document.documentElement;
const bootstrap = JSON.parse(element("bootstrap").textContent);
/** Add to this clock to have the server's. */
const skewMs = Date.parse(bootstrap.now) - Date.now();
/** Known before the session is, so that what is too long is never sent. @type {number} */
const mostChars = bootstrap.max_message_chars;

/** @type {Conversation | null} */
let shown = null;
let isTextReady = false;
let isListOpen = false;
let isRequested = false;
let unread = 0;
/** How many turns are drawn, counted from the end: the older ones follow when there is time. */
let drawn = TURNS_AT_ONCE;

element("bar").replaceChildren();
const follower = new Follower(element("talk"), element("turns"), requestPaint);
const composer = new Composer(element("composer"), {
  send(text) {
    if (!shown || shown.state.ended || !fits(text)) return false;
    shown.send(text);
    follower.jump();
    return true;
  },
  keep: (text) => { if (shown) local.setDraft(shown.token, text); },
  changed: (text) => paintRoom(text, mostChars),
});

const fits = (/** @type {string} */ text) => [...text].length <= mostChars;
const state = () => shown?.state ?? EMPTY;
const lastTurn = () => turns(state()).at(-1);

export const actions = {
  show,
  jump: () => follower.jump(),
  stop() {
    const turn = beingWritten(turns(state()));
    if (turn) shown?.stop(turn.id);
  },
  regenerate: (/** @type {Turn} */ turn) => shown?.regenerate(turn.id),
  discard: (/** @type {Turn} */ turn) => shown?.discard(turn.id),
  edit(/** @type {Turn} */ turn) {
    if (turn.phase === "waiting" || turn.phase === "refused") shown?.discard(turn.id);
    composer.text = [turn.msg, composer.text].filter(Boolean).join("\n\n");
    composer.focus();
  },
  async copy(/** @type {string} */ text, /** @type {HTMLElement | undefined} */ button = undefined) {
    if (await copy(text, button)) announce(gettext("Copied"));
  },
  reconnect: () => shown?.open(),
  extend: () => shown?.extend(),
  dismiss: () => shown?.dismiss(),
  async restart() {
    const old = shown && local.session(shown.token);
    if (!old) return show(null);
    composer.settle();
    try {
      show(await sessions.beginAgain(old));
    } catch (error) {
      shown?.dispatch({ type: "error", code: "", detail: error instanceof Error ? error.message : String(error) });
    }
  },
  begin: () => show(null),
  toggle: () => openList(!isListOpen),
  close: () => openList(false),
  manage: (/** @type {import("./local.js").Known} */ session) => openSessionDialog(session, sessionActions),
  settings: () => openSettings({
    theme: local.theme(),
    singleKeys: local.singleKeys(),
    setTheme(theme) { local.setTheme(theme); root.dataset.theme = theme; },
    setSingleKeys: local.setSingleKeys,
  }),
};

/** @type {import("./dialogs.js").SessionActions} */
const sessionActions = {
  rename(session, label) { sessions.rename(session, label); requestPaint(); },
  save: (session, kind) => sessions.save(session, kind, session.token === shown?.token ? state() : null),
  async erase(session) {
    const isShown = session.token === shown?.token;
    if (isShown) shown?.close();
    await sessions.erase(session);
    if (isShown) { shown = null; show(local.sessions()[0]?.token ?? null); }
    requestPaint();
  },
};

/** @type {Record<import("./shortcuts.js").Command, () => void>} */
const commands = {
  stop: () => { if (isListOpen) openList(false); else actions.stop(); },
  box: () => composer.focus(),
  edit: () => { const turn = lastTurn(); if (turn) actions.edit(turn); },
  jump: actions.jump,
  again: () => { const turn = lastTurn(); if (turn?.phase === "done" || turn?.phase === "failed") actions.regenerate(turn); },
  copy: () => { const reply = turns(state()).findLast((turn) => turn.reply?.msg)?.reply; if (reply?.msg) void actions.copy(reply.msg); },
  begin: actions.begin,
  list() {
    const list = element("sessions");
    if (isNarrow.matches) openList(!isListOpen);
    else (list.querySelector("[aria-current=true]") ?? list.querySelector(".side-new"))?.focus();
  },
  settings: actions.settings,
};

/** Show a session, or the name form. @param {string | null} token */
function show(token) {
  composer.settle();
  shown?.close();
  shown = null;
  drawn = TURNS_AT_ONCE;
  openList(false);
  local.setCurrent(token);
  root.dataset.view = token ? "talk" : "welcome";
  if (token) {
    shown = new Conversation(token, changed);
    composer.text = local.draft(token);
    follower.jump();
    shown.open();
  }
  requestPaint();
  if (hasKeyboard.matches) (token ? composer : element("name")).focus();
}

/** @param {boolean} open */
function openList(open) {
  const wasOpen = isListOpen;
  isListOpen = open;
  const isOver = open && isNarrow.matches;
  element("page").inert = isOver;
  // Over the talk the list is a dialog, and all else is out of reach also for a screen reader.
  setAttributes(element("sessions"), {
    role: isOver ? "dialog" : "complementary",
    "aria-modal": isOver ? "true" : null,
  });
  requestPaint();
  if (isOver) requestAnimationFrame(() => element("sessions").querySelector("button")?.focus());
  else if (wasOpen) requestAnimationFrame(() => element("open-sessions")?.focus());
}

/**
 * @param {HTMLElement} target
 * @param {Record<string, string | null>} attributes null removes one
 */
function setAttributes(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) target.removeAttribute(name);
    else target.setAttribute(name, value);
  }
}

/** @type {(state: import("./state.js").State, before: import("./state.js").State, event: import("./state.js").Event) => void} */
function changed(state, _before, event) {
  if (shown && event.type !== "reply.delta") sessions.keepUp(shown.token, state, skewMs);
  if (event.type === "reply.completed" || event.type === "reply.failed") tell(event.message);
  requestPaint();
}

/** Tell of a finished reply: once to a screen reader, in the title to who looks elsewhere.
 * @type {(message: import("./state.js").Message) => void} */
function tell(message) {
  announce(message.error ? faultSentence(message.error) : (message.msg ?? ""));
  if (document.hidden) unread += 1;
}

/** Have a screen reader say it, also if it said the same before. @type {(text: string) => void} */
function announce(text) {
  const line = document.createElement("p");
  line.textContent = text;
  element("announcer").replaceChildren(line);
}

function requestPaint() {
  if (isRequested) return;
  isRequested = true;
  const draw = () => { isRequested = false; paintNow(); };
  if (document.hidden) setTimeout(draw); else requestAnimationFrame(draw);
}

function paintNow() {
  const list = turns(state());
  const session = shown && local.session(shown.token);
  const from = Math.max(0, list.length - drawn);
  paint({ state: state(), session, turns: list, from, isTextReady, isAtEnd: follower.isAtEnd, isListOpen, unread, endsAt: endsAt() }, actions);
  follower.follow();
  if (from > 0) whenIdle(() => { drawn += TURNS_MORE; requestPaint(); });
}

/** @type {(action: () => void) => void} */
function whenIdle(action) {
  if ("requestIdleCallback" in window) requestIdleCallback(action, { timeout: 500 });
  else setTimeout(action, 50);
}

/** The session's end by this clock. */
function endsAt() {
  const session = shown?.state.session;
  return session ? Date.parse(session.expires_at) - skewMs : Infinity;
}

element("welcome").addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  try {
    show(await sessions.begin(element("name").value));
  } catch (error) {
    element("name-error").textContent = error instanceof Error ? error.message : String(error);
  }
});
element("turns").addEventListener("click", (/** @type {MouseEvent} */ event) => {
  const button = /** @type {HTMLElement} */ (event.target).closest("[data-copy-code]");
  const code = button?.closest("figure")?.querySelector("code")?.textContent;
  if (code) void actions.copy(code, /** @type {HTMLElement} */ (button));
});
document.addEventListener("click", (event) => {
  const isInside = /** @type {Element} */ (event.target).closest("#sessions, #open-sessions, dialog");
  if (isListOpen && !isInside) openList(false);
});
document.addEventListener("keydown", (event) => {
  const command = commandOf(event, local.singleKeys());
  if (!command) return;
  event.preventDefault();
  commands[command]();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  shown?.client.sync();
  requestPaint();
});
addEventListener("online", () => { shown?.open(); shown?.client.sync(); });
addEventListener("storage", requestPaint);
isNarrow.addEventListener("change", () => openList(false));
setInterval(() => { if (shown && endsAt() - Date.now() < LAST_MINUTES_MS) requestPaint(); }, 1000);
void loadMarkdown().then(() => { isTextReady = true; requestPaint(); });

if (bootstrap.session && !local.session(bootstrap.session.token)) {
  sessions.adopt(bootstrap.session);
  local.setCurrent(bootstrap.session.token);
}
const current = local.current();
show(current && local.session(current) ? current : null);

// The entry point: which session is shown, and what each action does.

import { AutoScroll } from "./autoscroll.js";
import { copy } from "./clipboard.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { openSessionDialog, openSettings } from "./dialogs.js";
import { exportConversation } from "./export.js";
import { errorMessage } from "./i18n.js";
import { EXPIRY_WARNING_MS, NOTICE_AFTER_MS } from "./notices.js";
import { renderPage, renderRemaining, stoppableTurn } from "./render.js";
import { loadMarkdown } from "./reply_text.js";
import * as sessions from "./sessions.js";
import { commandOf } from "./shortcuts.js";
import { EMPTY } from "./state.js";
import * as storage from "./storage.js";
import { turns } from "./turns.js";

/** @typedef {import("./turns.js").Turn} Turn */

const FIRST_TURNS = 24;
const MORE_TURNS = 6;
/** On touch devices, focusing a field opens a keyboard that covers half of the page. */
const hasKeyboard = matchMedia("(hover: hover)");
/** On narrow screens the sidebar covers the page. */
const isNarrow = matchMedia("(width < 60rem)");

/** @type {(id: string) => any} */
const element = (id) => document.getElementById(id);
const root = document.documentElement;
const bootstrap = JSON.parse(element("bootstrap").textContent);
/** Server clock minus browser clock. */
const skewMs = Date.parse(bootstrap.now) - Date.now();
/** @type {number} */
const maxChars = bootstrap.max_message_chars;

/** @type {Conversation | null} */
let shown = null;
let isMarkdownReady = false;
let isSidebarOpen = false;
let isRenderRequested = false;
let unread = 0;
let firstRendered = "";
/** The number of turns rendered, counted from the end. Older ones follow while the browser is idle. */
let renderedTurns = FIRST_TURNS;

element("bar").replaceChildren();
const autoScroll = new AutoScroll(element("transcript"), element("turns"), requestRender);
const composer = new Composer(element("composer"), {
  send(text) {
    if (!shown || shown.state.ended || !fits(text)) return false;
    shown.send(text);
    autoScroll.jump();
    return true;
  },
  save: (text) => { if (shown) storage.setDraft(shown.token, text); },
  changed: (text) => renderRemaining(text, maxChars),
});

const fits = (/** @type {string} */ text) => [...text].length <= maxChars;
const state = () => shown?.state ?? EMPTY;
const lastTurn = () => turns(state()).at(-1);

export const actions = {
  show,
  jump: () => autoScroll.jump(),
  stop() {
    const turn = stoppableTurn(turns(state()));
    if (turn) shown?.stop(turn.id);
  },
  regenerate: (/** @type {Turn} */ turn) => shown?.regenerate(turn.id),
  discard: (/** @type {Turn} */ turn) => shown?.discard(turn.id),
  edit(/** @type {Turn} */ turn) {
    if (turn.phase === "waiting" || turn.phase === "rejected") shown?.discard(turn.id);
    composer.text = [turn.msg, composer.text].filter(Boolean).join("\n\n");
    composer.focus();
  },
  async copy(/** @type {string} */ text, /** @type {HTMLElement | undefined} */ button = undefined) {
    if (await copy(text, button)) announce(gettext("Copied"));
  },
  reconnect: () => shown?.open(),
  extend: () => shown?.extend(),
  dismiss: () => shown?.dismiss(),
  loadEarlier: () => { if (state().hasEarlier) shown?.loadEarlier(); },
  async restart() {
    const old = shown && storage.session(shown.token);
    if (!old) return show(null);
    if (root.dataset.starting !== undefined) return;
    composer.saveNow();
    await startOnce(() => sessions.restart(old), (detail) => shown?.dispatch({ type: "error", code: "", detail }));
  },
  startNew: () => show(null),
  toggle: () => setSidebarOpen(!isSidebarOpen),
  close: () => setSidebarOpen(false),
  openOptions: (/** @type {import("./storage.js").StoredSession} */ session) => openSessionDialog(session, sessionActions),
  settings: () => openSettings({
    theme: storage.theme(),
    singleKeys: storage.singleKeys(),
    setTheme(theme) { storage.setTheme(theme); root.dataset.theme = theme; },
    setSingleKeys: storage.setSingleKeys,
  }),
};

/** @type {import("./dialogs.js").SessionActions} */
const sessionActions = {
  rename(session, label) { sessions.rename(session, label); requestRender(); },
  export: (session, format) => exportConversation(session, format, session.token === shown?.token ? state() : null),
  async remove(session) {
    const isShown = session.token === shown?.token;
    if (isShown) shown?.close();
    await sessions.remove(session);
    if (isShown) { shown = null; show(storage.sessions()[0]?.token ?? null); }
    requestRender();
  },
};

/** @type {Record<import("./shortcuts.js").Command, () => void>} */
const commands = {
  stop: () => { if (isSidebarOpen) setSidebarOpen(false); else actions.stop(); },
  focus: () => composer.focus(),
  edit: () => { const turn = lastTurn(); if (turn) actions.edit(turn); },
  jump: actions.jump,
  regenerate: () => { const turn = lastTurn(); if (turn?.phase === "done" || turn?.phase === "failed") actions.regenerate(turn); },
  copy: () => { const reply = turns(state()).findLast((turn) => turn.reply?.msg)?.reply; if (reply?.msg) void actions.copy(reply.msg); },
  startNew: actions.startNew,
  list() {
    const sidebar = element("sidebar");
    if (isNarrow.matches) setSidebarOpen(!isSidebarOpen);
    else (sidebar.querySelector("[aria-current=true]") ?? sidebar.querySelector(".sidebar-new"))?.focus();
  },
  settings: actions.settings,
};

/** Start a session and show it; root.dataset.starting is set meanwhile.
 * @type {(start: () => Promise<string>, onError: (message: string) => void) => Promise<void>} */
async function startOnce(start, onError) {
  root.dataset.starting = "";
  try {
    show(await start());
  } catch (error) {
    onError(error instanceof Error ? error.message : String(error));
  } finally {
    delete root.dataset.starting;
  }
}

/** Show a session, or the name form. @param {string | null} token */
function show(token) {
  composer.saveNow();
  shown?.close();
  shown = null;
  renderedTurns = FIRST_TURNS;
  setSidebarOpen(false);
  storage.setCurrent(token);
  root.dataset.view = token ? "conversation" : "welcome";
  if (token) {
    shown = new Conversation(token, onChange);
    composer.text = storage.draft(token);
    autoScroll.jump();
    shown.open();
    shown.watch(!document.hidden);
  }
  requestRender();
  if (hasKeyboard.matches) (token ? composer : element("name")).focus();
}

/** @param {boolean} open */
function setSidebarOpen(open) {
  const wasOpen = isSidebarOpen;
  isSidebarOpen = open;
  const isModal = open && isNarrow.matches;
  element("page").inert = isModal;
  // A sidebar that covers the page is a modal dialog: the rest is inert for screen readers, too.
  setAttributes(element("sidebar"), {
    role: isModal ? "dialog" : "complementary",
    "aria-modal": isModal ? "true" : null,
  });
  requestRender();
  if (isModal) requestAnimationFrame(() => element("sidebar").querySelector("button")?.focus());
  else if (wasOpen) requestAnimationFrame(() => element("open-sidebar")?.focus());
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

/** @type {(state: import("./state.js").State, event: import("./state.js").Event) => void} */
function onChange(state, event) {
  if (shown && event.type !== "reply.delta") sessions.update(shown.token, state, skewMs);
  if (event.type === "local.connection") setTimeout(requestRender, NOTICE_AFTER_MS);
  if (event.type === "reply.completed" || event.type === "reply.failed") announceReply(event.message);
  requestRender();
}

/** Announce a finished reply to screen readers, and count it in the title of a hidden tab.
 * @type {(message: import("./state.js").Message) => void} */
function announceReply(message) {
  announce(message.error ? errorMessage(message.error) : (message.msg ?? ""));
  if (document.hidden) unread += 1;
}

/** Let screen readers read a text. A new element makes them repeat an equal text. @type {(text: string) => void} */
function announce(text) {
  const line = document.createElement("p");
  line.textContent = text;
  element("announcer").replaceChildren(line);
}

function requestRender() {
  if (isRenderRequested) return;
  isRenderRequested = true;
  const run = () => { isRenderRequested = false; renderNow(); };
  if (document.hidden) setTimeout(run); else requestAnimationFrame(run);
}

/** Rendering may remove the focused button, or its whole conversation: the focus then stays near it.
 * @type {(action: () => void) => void} */
function keepFocus(action) {
  const focused = document.activeElement;
  const sidebar = element("sidebar");
  const wasInSidebar = sidebar.contains(focused);
  action();
  if (!focused || focused.isConnected) return;
  const form = element(shown ? "composer" : "welcome");
  const entry = sidebar.querySelector("[aria-current=true]") ?? sidebar.querySelector(".sidebar-new");
  if (wasInSidebar && entry?.checkVisibility()) entry.focus();
  else form.querySelector(hasKeyboard.matches ? ".field" : ".primary")?.focus();
}

function renderNow() {
  const list = turns(state());
  const session = shown && storage.session(shown.token);
  const first = Math.max(0, list.length - renderedTurns);
  const view = { state: state(), session, turns: list, first, isMarkdownReady, isAtEnd: autoScroll.isAtEnd, isSidebarOpen, unread, expiresAt: expiresAt() };
  const firstTurn = list[first]?.id ?? "";
  const renderView = () => keepFocus(() => renderPage(view, actions));
  if (firstTurn === firstRendered) renderView();
  else autoScroll.addAbove(renderView);
  firstRendered = firstTurn;
  autoScroll.follow();
  if (first > 0) whenIdle(() => { renderedTurns += MORE_TURNS; requestRender(); });
  else if (autoScroll.isNearStart || answersEarlier()) actions.loadEarlier();
}

/** Whether a reply is in progress to a message that is not loaded. */
function answersEarlier() {
  return [...state().partialReplies.keys()].some((id) => !state().messages.has(id));
}

/** @type {(action: () => void) => void} */
function whenIdle(action) {
  if ("requestIdleCallback" in window) requestIdleCallback(action, { timeout: 500 });
  else setTimeout(action, 50);
}

/** When the session expires, by the browser's clock. */
function expiresAt() {
  const session = shown?.state.session;
  return session ? Date.parse(session.expires_at) - skewMs : Infinity;
}

element("welcome").addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  await startOnce(() => sessions.start(element("name").value), (error) => { element("name-error").textContent = error; });
});
element("turns").addEventListener("click", (/** @type {MouseEvent} */ event) => {
  const button = /** @type {HTMLElement} */ (event.target).closest("[data-copy-code]");
  const code = button?.closest("figure")?.querySelector("code")?.textContent;
  if (code) void actions.copy(code, /** @type {HTMLElement} */ (button));
});
document.addEventListener("click", (event) => {
  const isInside = /** @type {Element} */ (event.target).closest("#sidebar, #open-sidebar, dialog");
  if (isSidebarOpen && !isInside) setSidebarOpen(false);
});
document.addEventListener("keydown", (event) => {
  const command = commandOf(event, storage.singleKeys());
  if (!command) return;
  event.preventDefault();
  commands[command]();
});
document.addEventListener("visibilitychange", () => {
  shown?.watch(!document.hidden);
  if (document.hidden) return;
  unread = 0;
  if (!state().ended) shown?.open();
  shown?.sync();
  requestRender();
});
addEventListener("online", () => { shown?.open(); shown?.sync(); });
addEventListener("offline", () => shown?.watch(!document.hidden));
addEventListener("storage", requestRender);
isNarrow.addEventListener("change", () => setSidebarOpen(false));
setInterval(() => { if (shown && expiresAt() - Date.now() < EXPIRY_WARNING_MS) requestRender(); }, 1000);
void loadMarkdown().then(() => { isMarkdownReady = true; requestRender(); });

if (bootstrap.session && !storage.session(bootstrap.session.token)) {
  sessions.add(bootstrap.session);
  storage.setCurrent(bootstrap.session.token);
}
const current = storage.current();
show(current && storage.session(current) ? current : null);

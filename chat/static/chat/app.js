// The entry point: which session is shown, and what each action does.

import { Activity } from "./activity.js";
import { announce, announceReply } from "./announcer.js";
import { AutoScroll } from "./autoscroll.js";
import { copy, handleCodeButton } from "./clipboard.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { Drawer } from "./drawer.js";
import { currentEntry, focusComposer, focusList, hasKeyboard, keepFocus } from "./focus.js";
import { Followed } from "./followed.js";
import { EXPIRY_WARNING_MS, NOTICE_AFTER_MS } from "./notices.js";
import { remainingText, renderComposer, renderPage, stoppableTurn } from "./render.js";
import { loadMarkdown } from "./reply_text.js";
import * as sessions from "./sessions.js";
import { commandOf } from "./shortcuts.js";
import { EMPTY } from "./state.js";
import * as storage from "./storage.js";
import { isAwaiting, turns } from "./turns.js";

/** @typedef {import("./turns.js").Turn} Turn */

const FIRST_TURNS = 24;
const MORE_TURNS = 6;

/** @type {(id: string) => any} */
const element = (id) => document.getElementById(id);
const root = document.documentElement;
const bootstrap = JSON.parse(element("bootstrap").textContent);
/** Server clock minus browser clock; the offline page does not know it. */
const skewMs = bootstrap.now ? Date.parse(bootstrap.now) - Date.now() : 0;
/** @type {number} */
const maxChars = bootstrap.max_message_chars;

/** @type {Conversation | null} */
let shown = null;
const followed = new Followed();
/** @type {import("./sidebar.js").Search} */
const search = { query: "", found: null };
const drawer = new Drawer(requestRender);
let isMarkdownReady = false;
let isRenderRequested = false;
let unread = 0;
/** @type {{reply: () => void} | null} The website around the page's frame. */
let website = null;
let firstRendered = "";
/** @type {typeof import("./version_pager.js") | null} */
let versions = null;
let isChoosingToSend = false;
/** The number of turns rendered, counted from the end. Older ones follow while the browser is idle. */
let renderedTurns = FIRST_TURNS;

element("bar").replaceChildren();
const autoScroll = new AutoScroll(element("transcript"), element("turns"), requestRender);
const composer = new Composer(element("composer"), {
  send,
  save: (text) => { if (shown) storage.setDraft(shown.token, text); },
  changed: () => { renderButtons(); if (composer.text) shown?.typing(); },
  sent: () => turns(state()).map(({ msg }) => msg),
});

/** @param {string} text @returns whether it is sent */
function send(text) {
  if (!fits(text)) announce(remainingText(maxChars - [...text].length));
  if (!shown || shown.state.ended || !fits(text)) return false;
  if (shown.state.view) return sendAfterChoice(shown);
  shown.send(text);
  autoScroll.jump();
  return true;
}

/** An idle tab sends no pings, so it costs the server nothing. */
const activity = new Activity(() => isAwaiting(state()), (isActive) => shown?.setActive(isActive));

const fits = (/** @type {string} */ text) => [...text].length <= maxChars;
const state = () => shown?.state ?? EMPTY;
const lastTurn = () => turns(state()).at(-1);

export const actions = {
  show,
  jump: () => autoScroll.jump(),
  stop() {
    const turn = stoppableTurn(turns(state()), state().person);
    if (turn) shown?.stop(turn.id);
    if (hasKeyboard.matches && element("composer").contains(document.activeElement)) composer.focus();
  },
  maxChars,
  regenerate: (/** @type {Turn} */ turn) => shown?.regenerate(turn.id),
  chooseModel: (/** @type {string} */ name) => shown?.chooseModel(name),
  continue: (/** @type {Turn} */ turn) => shown?.continue(turn.id),
  viewVersion(/** @type {import("./state.js").Version | null} */ version, /** @type {Element} */ pager) {
    if (!shown || !versions) return;
    versions.viewVersion(shown, version);
    autoScroll.keep(pager, renderNow);
  },
  viewCurrent: () => shown?.view(null),
  chooseVersion: () => shown?.choose(),
  discard: (/** @type {Turn} */ turn) => shown?.discard(turn.id),
  /** A message that is not accepted yet goes back to the message box; another one is edited in its place. */
  async edit(/** @type {Turn} */ turn) {
    if (turn.editable === "later") return announce(gettext("Wait for the reply, or stop it first."));
    if (turn.phase !== "waiting" && turn.phase !== "rejected") {
      if (!(await loadEditor())) return reportNotLoaded();
      if (turn.edit === undefined) shown?.edit({ id: turn.id, msg: turn.msg });
      renderNow();
      return element("turns").querySelector("question-editor")?.focus();
    }
    shown?.discard(turn.id);
    composer.text = [turn.msg, composer.text].filter(Boolean).join("\n\n");
    composer.focus();
  },
  setEdit: (/** @type {Turn} */ turn, /** @type {string | null} */ msg) => shown?.edit(msg === null ? null : { id: turn.id, msg }),
  sendEdit(/** @type {Turn} */ turn, /** @type {string} */ text) {
    shown?.send(text, turn.id);
    autoScroll.jump();
  },
  async copy(/** @type {string} */ text, /** @type {HTMLElement | undefined} */ button = undefined) {
    if (await copy(text, button)) announce(gettext("Copied"));
  },
  reconnect: () => shown?.open(),
  extend: () => shown?.extend(),
  dismiss: () => shown?.dismiss(),
  requestOperator: (/** @type {boolean} */ wanted) => shown?.requestOperator(wanted),
  loadEarlier: () => { if (state().hasEarlier) shown?.loadEarlier(); },
  async restart() {
    const old = shown && storage.session(shown.token);
    if (!old) return show(null);
    if (root.dataset.starting !== undefined) return;
    composer.saveNow();
    await startOnce(() => sessions.restart(old), (detail) => shown?.dispatch({ type: "error", code: "", detail }));
  },
  /** Start a conversation with the name the visitor gave once; ask for it if there is none. */
  async startNew() {
    const unused = sessions.unused();
    if (unused || !storage.name()) return show(unused?.token ?? null);
    await startAs(storage.name());
  },
  async search(/** @type {string} */ query) {
    const { setQuery } = await import("./search.js");
    setQuery(search, query, requestRender);
  },
  toggle: () => drawer.set(!drawer.isOpen),
  close: () => drawer.set(false),
  openOptions: (/** @type {import("./storage.js").StoredSession} */ session) =>
    openDialog(({ openSessionDialog }) => openSessionDialog(session, sessionActions)),
  options() {
    const session = shown && storage.session(shown.token);
    if (session) actions.openOptions(session);
  },
  settings: () => openDialog(({ openSettings }) => openSettings()),
};

/** @type {import("./dialogs.js").SessionActions} */
const sessionActions = {
  erasure: bootstrap.erasure,
  canShare: bootstrap.sharing,
  changed: requestRender,
  shownState: ({ token }) => (token === shown?.token ? state() : null),
  async remove(session) {
    const isShown = session.token === shown?.token;
    if (isShown) shown?.close();
    followed.take(session.token)?.close();
    await sessions.remove(session);
    if (isShown) { shown = null; show(storage.sessions()[0]?.token ?? null); }
    requestRender();
    requestAnimationFrame(focusList); // the button that opened the dialog is gone
  },
};

/** @type {Record<import("./shortcuts.js").Command, () => void>} */
const commands = {
  stop: () => { if (drawer.isOpen) drawer.set(false); else actions.stop(); },
  focus: () => composer.focus(),
  edit: () => { const turn = lastTurn(); if (turn) void actions.edit(turn); },
  jump: actions.jump,
  regenerate: () => { const turn = lastTurn(); if (turn?.phase === "done" || turn?.phase === "failed") actions.regenerate(turn); },
  copy: () => { const reply = turns(state()).findLast((turn) => turn.reply?.msg)?.reply; if (reply?.msg) void actions.copy(reply.msg); },
  startNew: actions.startNew,
  list() {
    if (drawer.isNeeded) actions.toggle();
    else currentEntry()?.focus();
  },
  settings: actions.settings,
};

/** Dialogs load when they are first opened. @param {(dialogs: typeof import("./dialogs.js")) => void} open */
async function openDialog(open) {
  try {
    open(await import("./dialogs.js"));
  } catch {
    reportNotLoaded();
  }
}

/** Say that a module could not be loaded. */
function reportNotLoaded() {
  const detail = gettext("The server can't be reached. Check your connection and try again.");
  shown?.dispatch({ type: "error", code: "", detail });
}

/** Start a session with this name. @param {string} name */
async function startAs(name) {
  if (root.dataset.starting !== undefined) return;
  await startOnce(() => sessions.start(name), (error) => { show(null); element("name-error").textContent = error; });
}

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
  if (shown) followed.add(shown);
  shown = null;
  isChoosingToSend = false;
  renderedTurns = FIRST_TURNS;
  drawer.set(false);
  storage.setCurrent(token);
  root.dataset.view = token ? "conversation" : "welcome";
  if (token) {
    const known = followed.take(token);
    shown = known ?? new Conversation(token, onChange);
    composer.text = storage.draft(token);
    autoScroll.jump();
    if (!known) shown.open();
    activity.renew();
    track(shown);
  } else {
    element("name").value ||= storage.name();
  }
  requestRender();
  // An ended conversation has no message box: the focus stays in the list.
  if (hasKeyboard.matches && !shown?.state.ended) (token ? composer : element("name")).focus();
}

/** The model goes on from what the reader sees: choose the version, then send the text, which stays in the message box
 * until then. @param {Conversation} conversation */
function sendAfterChoice(conversation) {
  isChoosingToSend = !isAwaiting(conversation.state) && conversation.state.connection.phase === "open";
  if (isChoosingToSend) conversation.choose();
  else announce(gettext("Wait for the reply, or stop it first."));
  return false;
}

/** Update what the list shows of a conversation. @param {Conversation} conversation */
function track(conversation) {
  const isSeen = conversation === shown && !document.hidden;
  sessions.update(conversation.token, conversation.state, { skewMs, isSeen, isAwaiting: isAwaiting(conversation.state) });
}

/** @type {(conversation: Conversation, event: import("./state.js").Event) => void} */
function onChange(conversation, event) {
  const { state } = conversation;
  if (event.type !== "reply.delta" && event.type !== "local.opened") track(conversation);
  if (event.type === "local.connection") setTimeout(requestRender, NOTICE_AFTER_MS);
  const isReply = event.type === "reply.completed" || event.type === "reply.failed";
  if (isReply && !event.message.version_of) noteReply(conversation, event.message);
  if (isChoosingToSend && conversation === shown && !state.choice) {
    isChoosingToSend = false;
    if (!state.view) element("composer").requestSubmit();
  }
  followed.closeIfSettled(conversation);
  requestRender();
}

/** Announce a finished reply to screen readers, and count it in the title of a hidden tab.
 * @type {(conversation: Conversation, message: import("./state.js").Message) => void} */
function noteReply({ token, state }, message) {
  const session = storage.session(token);
  if (token !== shown?.token) announce(`${gettext("New reply")}: ${session ? sessions.title(session) : ""}`);
  else announceReply(message, state);
  website?.reply();
  if (!document.hidden) return;
  unread += 1;
  if (storage.notifications() !== "off") void notifyOf(token, message);
}

/** @type {(token: string, message: import("./state.js").Message) => Promise<void>} */
async function notifyOf(token, message) {
  const { notify } = await import("./notifications.js");
  await notify(token, message, () => { if (token !== shown?.token) show(token); });
}

const connected = () => [...(shown ? [shown] : []), ...followed.all()];

function requestRender() {
  if (isRenderRequested) return;
  isRenderRequested = true;
  const run = () => { isRenderRequested = false; renderNow(); };
  if (document.hidden) setTimeout(run); else requestAnimationFrame(run);
}

/** The turns as they are shown. What is needed only for several versions or an edit is loaded with the first one. */
function shownTurns() {
  const { messages, edit } = state();
  if (edit && !customElements.get("question-editor")) void loadEditor().then(requestRender);
  if (versions) return versions.withVersions(turns(state()), state());
  if ([...messages.values()].some(({ source, replaced_by }) => source && replaced_by)) {
    void import("./version_pager.js").then((module) => { versions = module; requestRender(); }, () => {});
  }
  return turns(state());
}

const loadEditor = () => import("./question_editor.js").catch(() => null);

function renderNow() {
  const list = shownTurns();
  const session = shown && storage.session(shown.token);
  const first = Math.max(0, list.length - renderedTurns);
  const view = { state: state(), session, turns: list, first, isMarkdownReady, isAtEnd: autoScroll.isAtEnd, isSidebarOpen: drawer.isOpen, search, unread, expiresAt: expiresAt() };
  const firstTurn = list[first]?.id ?? "";
  const renderView = () => keepFocus(() => { renderPage(view, actions); renderButtons(); });
  if (firstTurn === firstRendered) renderView();
  else autoScroll.addAbove(renderView);
  firstRendered = firstTurn;
  autoScroll.follow();
  if (first > 0) whenIdle(() => { renderedTurns += MORE_TURNS; requestRender(); });
  else if (autoScroll.isNearStart || answersEarlier()) actions.loadEarlier();
}

function renderButtons() {
  const canStop = !state().ended && Boolean(stoppableTurn(turns(state()), state().person));
  renderComposer({ text: composer.text, max: maxChars, canStop, hasEnded: Boolean(state().ended) }, actions);
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
element("turns").addEventListener("click", (/** @type {MouseEvent} */ event) => handleCodeButton(event, actions.copy));
element("turns").addEventListener("rate", (/** @type {CustomEvent} */ { detail }) => shown?.rate(detail));
document.addEventListener("keydown", (event) => {
  const command = commandOf(event, storage.singleKeys());
  if (!command) return;
  event.preventDefault();
  commands[command]();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  if (shown) track(shown);
  for (const conversation of connected()) {
    if (!conversation.state.ended) conversation.open();
    conversation.sync();
  }
  requestRender();
});
addEventListener("online", () => { for (const conversation of connected()) { conversation.open(); conversation.sync(); } });
addEventListener("storage", requestRender);
setInterval(() => {
  if (shown && expiresAt() - Date.now() < EXPIRY_WARNING_MS) requestRender();
}, 1000);
if (document.querySelector(".banner, .suggestions, .welcome-text")) {
  void import("./branding.js").then(({ showBranding }) => showBranding({
    send(text) { if (send(text)) focusComposer(); },
    focus: focusComposer,
  }));
}
if (window.parent !== window) {
  void import("./embedded.js").then(({ connect }) => {
    website = connect(bootstrap.embed_origins, {
      focus: focusComposer,
      isBusy: () => Boolean(drawer.isOpen || stoppableTurn(turns(state()), state().person)),
      identify(name) { storage.setName(name); if (!shown) void startAs(name); },
    });
  });
}
void loadMarkdown().then(() => { isMarkdownReady = true; requestRender(); });

if (bootstrap.session && !storage.session(bootstrap.session.token)) {
  sessions.add(bootstrap.session);
  storage.setCurrent(bootstrap.session.token);
}
if (!storage.isAvailable()) {
  element("copies").textContent = gettext("This browser stores nothing for this site: a conversation is lost when you leave or reload the page.");
}
const current = storage.current();
show(current && storage.session(current) ? current : null);
const awaiting = storage.sessions().filter((session) => session.awaiting && session.token !== shown?.token && !sessions.hasEnded(session));
followed.resume(awaiting.map(({ token }) => new Conversation(token, onChange)));

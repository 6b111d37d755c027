// Renders the page from its state.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { ICONS } from "./icons.js";
import { format } from "./i18n.js";
import { noticesTemplate } from "./notices.js";
import { title } from "./sessions.js";
import { barTemplate, sidebarTemplate } from "./sidebar.js";
import * as storage from "./storage.js";
import { transcriptTemplate } from "./transcript.js";

/** @typedef {import("./turns.js").Turn} Turn */
/**
 * @typedef {object} View everything the page shows
 * @property {import("./state.js").State} state
 * @property {import("./storage.js").StoredSession | null} session
 * @property {Turn[]} turns
 * @property {number} first index of the first rendered turn
 * @property {boolean} isMarkdownReady
 * @property {boolean} isAtEnd
 * @property {boolean} isSidebarOpen
 * @property {import("./sidebar.js").Search} search
 * @property {number} unread
 * @property {number} expiresAt ms since the epoch
 */
/** @typedef {typeof import("./app.js").actions} Actions */

/** The remaining length is shown from this share of the limit on. */
const SHOW_REMAINING_FROM = 0.8;

/** Whether the module that lets visitors choose a model was needed. */
let hasPicker = false;

/** @type {(id: string) => HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {{name: string, logo: string, model: string}} */
const site = JSON.parse(element("bootstrap").textContent ?? "").site;

/** @type {(view: View, actions: Actions) => void} */
export function renderPage(view, actions) {
  const { state, session } = view;
  const name = session ? title(session) : site.name;
  const sessions = storage.sessions();
  document.title = windowTitle(name, view.unread);
  const { dataset } = document.documentElement;
  dataset.sidebar = sessions.length ? (view.isSidebarOpen ? "open" : "closed") : "none";
  dataset.state = state.ended ? "ended" : isEmpty(view) ? "empty" : "";
  render(sidebarTemplate(sessions, session?.token ?? null, view.search, actions), element("sidebar"));
  render(barTemplate(name, view.isSidebarOpen, sessions.length > 0, actions), element("bar"));
  if (view.isMarkdownReady || !view.turns.some((turn) => turn.reply)) {
    const earlier = state.hasEarlier && view.first === 0 && !state.ended ? earlierTemplate(actions) : nothing;
    const transcript = transcriptTemplate(view.turns, view.first, actions);
    const greeting = isEmpty(view) ? greetingTemplate(state.session?.name ?? session?.name) : nothing;
    render(html`${greeting}${earlier}${transcript}`, element("turns"));
  }
  render(noticesTemplate(state, view.expiresAt, actions), element("notices"));
  renderModels(state, actions);
  render(view.isAtEnd ? nothing : jumpTemplate(actions), element("jump"));
}

/** The choice of a model, if there are several. @type {(state: import("./state.js").State, actions: Actions) => void} */
function renderModels({ session, ended, model }, actions) {
  const models = ended ? [] : (session?.models ?? []);
  hasPicker ||= models.length > 1;
  if (hasPicker) void import("./model_picker.js").then(({ renderPicker }) => renderPicker(models, model, actions.chooseModel));
}

/** A session without messages; before the server answers, by what the browser stores of it. @type {(view: View) => boolean} */
function isEmpty({ state, session, turns }) {
  if (turns.length || state.ended || state.hasEarlier) return false;
  return Boolean(state.session || (session && !session.lastWords));
}

/** @type {(name: string, unread: number) => string} */
function windowTitle(name, unread) {
  const page = name === site.name ? name : `${name} · ${site.name}`;
  return unread ? `(${unread}) ${gettext("New reply")} · ${page}` : page;
}

/** @type {(name: string | undefined) => unknown} */
function greetingTemplate(name) {
  return html`<div class="greeting" dir="auto">
    ${site.logo ? html`<img class="logo" src=${site.logo} alt=${site.name}>` : html`<p class="hint">${site.name}</p>`}
    <p>${format(gettext("Hi %(name)s, what would you like to talk about?"), { name })}</p>
    <p class="hint">${site.model}</p>
  </div>`;
}

/** Earlier messages load when one scrolls; this button is for keyboards and after an error.
 * @type {(actions: Actions) => unknown} */
function earlierTemplate(actions) {
  return html`<p class="earlier"><button type="button" class="button small" @click=${actions.loadEarlier}>${gettext("Load earlier messages")}</button></p>`;
}

/** @type {(actions: Actions) => unknown} */
function jumpTemplate(actions) {
  return html`<button type="button" class="jump" @click=${actions.jump}>${ICONS.down}${gettext("Jump to latest")}</button>`;
}

/** The turn whose reply the stop button stops. @type {(turns: Turn[]) => Turn | undefined} */
export function stoppableTurn(turns) {
  return turns.find(({ phase, partial }) => phase === "accepted" || (partial && !partial.stopping));
}

/** @type {(left: number) => string} */
export function remainingText(left) {
  const count = Math.abs(left);
  const sentence = left < 0
    ? ngettext("%(count)s character too many", "%(count)s characters too many", count)
    : ngettext("%(count)s character left", "%(count)s characters left", count);
  return format(sentence, { count });
}

/**
 * The buttons of the message box, and how many characters are left once the limit is near. While a reply is in
 * progress, the button of an empty box stops it; that of a text sends it, and another one stops the reply.
 * @param {{text: string, max: number, canStop: boolean, hasEnded: boolean}} composer
 * @param {Actions} actions
 */
export function renderComposer({ text, max, canStop, hasEnded }, actions) {
  const left = max - [...text].length;
  const hint = element("composer-hint");
  hint.classList.toggle("error", left < 0);
  hint.textContent = left > max * (1 - SHOW_REMAINING_FROM) ? "" : remainingText(left);
  const isBlank = !text.trim();
  const [stop, send] = [gettext("Stop the reply"), gettext("Send")];
  const isStop = isBlank && canStop;
  const reason = isBlank ? gettext("Type a message first") : left < 0 ? remainingText(left) : hasEnded ? gettext("Ended") : "";
  // One button for both, so that it keeps the focus.
  render(html`
    ${canStop && !isStop
      ? html`<button type="button" class="round-button" aria-label=${stop} title=${stop} @click=${actions.stop}>${ICONS.stop}</button>`
      : nothing}
    <button type=${isStop ? "button" : "submit"} class="round-button primary" aria-label=${isStop ? stop : send}
      aria-disabled=${!isStop && reason ? "true" : "false"} title=${isStop ? stop : reason || send}
      @click=${isStop ? actions.stop : nothing}>${isStop ? ICONS.stop : ICONS.send}</button>`, element("composer-buttons"));
}

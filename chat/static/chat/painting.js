// What stands where: draws the page from its state, once a frame at most.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { ICONS } from "./icons.js";
import * as local from "./local.js";
import { noticesTemplate } from "./notices.js";
import { barTemplate, sideTemplate, title } from "./side.js";
import { talkTemplate } from "./talk.js";
import { fill } from "./words.js";

/** @typedef {import("./turns.js").Turn} Turn */
/**
 * @typedef {object} View all that is on the page
 * @property {import("./state.js").State} state
 * @property {import("./local.js").Known | null} session
 * @property {Turn[]} turns
 * @property {number} from the first turn drawn
 * @property {boolean} isTextReady
 * @property {boolean} isAtEnd
 * @property {boolean} isListOpen
 * @property {number} unread
 * @property {number} endsAt ms since the epoch
 */
/** @typedef {typeof import("./main.js").actions} Actions */

const ENOUGH = 0.8;

/** @type {(id: string) => HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {(view: View, actions: Actions) => void} */
export function paint(view, actions) {
  const { state, session } = view;
  const name = session ? title(session) : gettext("Chat");
  const sessions = local.sessions();
  document.title = titled(name, view.unread);
  document.documentElement.dataset.side = sessions.length ? (view.isListOpen ? "open" : "closed") : "none";
  render(sideTemplate(sessions, session?.token ?? null, actions), element("sessions"));
  render(barTemplate(name, view.isListOpen, sessions.length > 0, actions), element("bar"));
  if (view.isTextReady || !view.turns.some((turn) => turn.reply)) {
    const isNew = state.session && !view.turns.length && !state.ended;
    render(isNew ? greetingTemplate(state.session) : talkTemplate(view.turns, view.from, actions), element("turns"));
  }
  render(noticesTemplate(state, view.endsAt, actions), element("notices"));
  render(view.isAtEnd ? nothing : jumpTemplate(actions), element("jump"));
  render(buttonsTemplate(view.turns, actions), element("composer-buttons"));
}

/** @type {(name: string, unread: number) => string} */
function titled(name, unread) {
  const page = name === gettext("Chat") ? name : `${name} · ${gettext("Chat")}`;
  return unread ? `(${unread}) ${gettext("New reply")} · ${page}` : page;
}

/** @type {(session: import("./state.js").Session | null) => unknown} */
function greetingTemplate(session) {
  return html`<p class="greeting" dir="auto">${fill(gettext("Hi %(name)s, what would you like to talk about?"), { name: session?.name })}</p>`;
}

/** @type {(actions: Actions) => unknown} */
function jumpTemplate(actions) {
  return html`<button type="button" class="jump" @click=${actions.jump}>${ICONS.down}${gettext("Jump to latest")}</button>`;
}

/** The reply that a stop would stop. @type {(turns: Turn[]) => Turn | undefined} */
export function beingWritten(turns) {
  return turns.find(({ phase, writing }) => phase === "accepted" || (writing && !writing.stopping));
}

/** @type {(turns: Turn[], actions: Actions) => unknown} */
function buttonsTemplate(turns, actions) {
  const stop = gettext("Stop the reply");
  return html`
    ${beingWritten(turns)
      ? html`<button type="button" class="round-button" aria-label=${stop} title=${stop} @click=${actions.stop}>${ICONS.stop}</button>`
      : nothing}
    <button class="round-button primary" aria-label=${gettext("Send")} title=${gettext("Send")}>${ICONS.send}</button>`;
}

/** @type {(left: number) => string} */
function roomSentence(left) {
  const count = Math.abs(left);
  const sentence = left < 0
    ? ngettext("%(count)s character too many", "%(count)s characters too many", count)
    : ngettext("%(count)s character left", "%(count)s characters left", count);
  return fill(sentence, { count });
}

/** How much room is left, once it gets scarce. @type {(text: string, most: number) => void} */
export function paintRoom(text, most) {
  const length = [...text].length;
  const hint = element("composer-hint");
  hint.classList.toggle("fault", length > most);
  hint.textContent = length < most * ENOUGH ? "" : roomSentence(most - length);
}

// The page behind a read-only link: loads the snapshot and shows it with the same renderer as the chat page.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { copy, handleCodeButton } from "./clipboard.js";
import { format, formatFull, formatTime } from "./i18n.js";
import { ICONS } from "./icons.js";
import { loadMarkdown } from "./reply_text.js";

/** @typedef {{id: string, source: string, msg: string, timestamp: string, reply_to: string | null}} SharedMessage */
/** @typedef {{name: string | null, created: string, messages: SharedMessage[]}} SharedConversation */
/** @typedef {{question: SharedMessage | null, replies: SharedMessage[]}} Turn */

/** Turns that are rendered at once. The others follow while the browser is idle. */
const FIRST_TURNS = 20;
const MORE_TURNS = 10;

/** @type {(id: string) => any} */
const element = (id) => document.getElementById(id);

/** Each question with its replies, in the order of the questions. @type {(messages: SharedMessage[]) => Turn[]} */
function turnsOf(messages) {
  /** @type {Turn[]} */ const turns = [];
  /** @type {Map<string | null, Turn>} */ const byQuestion = new Map();
  const add = (/** @type {SharedMessage | null} */ question) => {
    const turn = { question, replies: [] };
    turns.push(turn);
    if (question) byQuestion.set(question.id, turn);
    return turn;
  };
  for (const message of messages) {
    if (message.source === "human") add(message);
    else (byQuestion.get(message.reply_to) ?? add(null)).replies.push(message);
  }
  return turns;
}

/** @type {(turn: Turn, author: string) => unknown} */
const turnTemplate = ({ question, replies }, author) => html`<article class="turn">
  ${question ? html`<div class="human">
    <h2 class="visually-hidden" dir="auto">${author}</h2>
    <human-text class="human-text" dir="auto" .text=${question.msg}></human-text>
    <div class="turn-footer">${timeTemplate(question)}</div>
  </div>` : nothing}
  ${replies.map((reply) => html`<div class="bot">
    <h2 class="visually-hidden">${gettext("Reply")}</h2>
    <reply-text .content=${{ text: reply.msg, isFinal: true }}></reply-text>
    <div class="turn-footer">${timeTemplate(reply)}<span class="turn-buttons">
      <button type="button" class="icon-button" aria-label=${gettext("Copy")} title=${gettext("Copy")}
        @click=${(/** @type {Event} */ event) => copyText(reply.msg, /** @type {HTMLElement} */ (event.currentTarget))}>${[ICONS.copy, ICONS.check]}</button>
    </span></div>
  </div>`)}
</article>`;

/** @type {(message: SharedMessage) => unknown} */
const timeTemplate = ({ timestamp }) => html`<time class="time" datetime=${timestamp} title=${formatFull(timestamp)}>${formatTime(timestamp)}</time>`;

/** @type {(text: string, button: HTMLElement) => Promise<void>} */
async function copyText(text, button) {
  if (!await copy(text, button)) return;
  const line = document.createElement("p"); // a new element makes screen readers repeat an equal text
  line.textContent = gettext("Copied");
  element("announcer").replaceChildren(line);
}

/** @type {() => Promise<SharedConversation>} throws an Error whose message is for the reader */
async function load() {
  const response = await fetch(`${location.pathname}.json`, { credentials: "omit" }).catch(() => null);
  if (response?.status === 404) throw new Error(gettext("This link has ended."));
  const conversation = response?.ok && await response.json().catch(() => null);
  if (!conversation) throw new Error(gettext("This conversation could not be loaded. Try again in a minute."));
  return conversation;
}

/** @type {(conversation: SharedConversation) => string} */
function facts({ name, created, messages }) {
  const count = messages.length;
  const time = formatFull(created);
  if (name === null) return format(ngettext("%(count)s message, as of %(time)s.", "%(count)s messages, as of %(time)s.", count), { count, time });
  return format(ngettext("%(count)s message, shared by %(name)s, as of %(time)s.", "%(count)s messages, shared by %(name)s, as of %(time)s.", count), { count, name, time });
}

/** @type {(turns: Turn[], author: string) => void} */
function show(turns, author) {
  const fragment = document.createDocumentFragment();
  render(turns.map((turn) => turnTemplate(turn, author)), fragment);
  element("turns").append(fragment);
}

/** @type {(turns: Turn[], author: string) => void} */
function showWhenIdle(turns, author) {
  if (!turns.length) {
    element("turns").ariaBusy = "false";
    return;
  }
  const next = () => { show(turns.slice(0, MORE_TURNS), author); showWhenIdle(turns.slice(MORE_TURNS), author); };
  if ("requestIdleCallback" in window) requestIdleCallback(next, { timeout: 500 });
  else setTimeout(next, 50);
}

element("turns").addEventListener("click", (/** @type {MouseEvent} */ event) => handleCodeButton(event, copyText));
try {
  const [conversation] = await Promise.all([load(), loadMarkdown()]);
  const turns = turnsOf(conversation.messages);
  const author = conversation.name ?? gettext("Question");
  element("facts").textContent = facts(conversation);
  show(turns.slice(0, FIRST_TURNS), author);
  showWhenIdle(turns.slice(FIRST_TURNS), author);
} catch (error) {
  element("turns").ariaBusy = "false";
  element("error").textContent = error instanceof Error ? error.message : String(error);
}

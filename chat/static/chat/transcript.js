// The transcript: each turn is a human message with its reply below it.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { ICONS } from "./icons.js";
import { errorMessage, format, formatFull, formatTime } from "./i18n.js";
import { replyText } from "./turns.js";
import "./countdown.js";
import "./reply_text.js";

/** @typedef {import("./turns.js").Turn} Turn */
/**
 * @typedef {object} TurnActions
 * @property {(turn: Turn) => void} regenerate
 * @property {(turn: Turn) => void} continue
 * @property {(turn: Turn) => void} edit
 * @property {(turn: Turn) => void} discard
 * @property {(text: string, button?: HTMLElement) => Promise<void>} copy
 */

/**
 * The turns from index `first` on.
 * @param {Turn[]} turns
 * @param {number} first
 * @param {TurnActions} actions
 */
export function transcriptTemplate(turns, first, actions) {
  return repeat(turns.slice(first), (turn) => turn.key ?? turn.id, (turn, index) => {
    const isBoundary = turn.outOfContext < 2 && turns[first + index - 1]?.outOfContext === 2;
    return guard(
      [turn.phase, turn.reply, turn.partial, turn.error, turn.isLast, isBoundary, turn.model, turn.msg, turn.editable, turn.edit,
        turn.pager, turn.replyPager, turn.isEarlier],
      () => turnTemplate(turn, isBoundary, actions),
    );
  });
}

/** @type {(turn: Turn, isBoundary: boolean, actions: TurnActions) => unknown} */
function turnTemplate(turn, isBoundary, actions) {
  return html`
    ${isBoundary ? boundaryTemplate() : nothing}
    <article class="turn" data-phase=${turn.phase} data-version=${turn.isEarlier ? "earlier" : nothing}>
      ${turn.msg ? html`<div class="human">
        <h2 class="visually-hidden">${gettext("You")}</h2>
        ${turn.edit === undefined
          ? html`<human-text class="human-text" dir="auto" .text=${turn.msg}></human-text>
            <div class="turn-footer">${humanButtonsTemplate(turn, actions)}${statusTemplate(turn)}${pagerTemplate(turn.pager, gettext("Versions of your message"), actions)}</div>`
          : html`<question-editor .actions=${actions} .turn=${turn}></question-editor>`}
      </div>` : nothing}
      ${(turn.reply && turn.reply.finish_reason !== "answered_together") || (turn.partial && turn.phase !== "queued") ? replyTemplate(turn, actions) : nothing}
    </article>`;
}

const boundaryTemplate = () => html`<p class="boundary"><span>${gettext("The model no longer remembers the messages above")}</span></p>`;

/** @type {(turn: Turn) => unknown} */
function statusTemplate({ phase, partial, error, timestamp }) {
  if (partial?.stopping) return html`<span class="status">${gettext("Stopping…")}</span>`;
  switch (phase) {
    case "waiting":
      return html`<span class="status">${error ? errorMessage(error) : gettext("Waiting for the connection")}</span>`;
    case "sending": return html`<span class="status delayed">${gettext("Sending…")}</span>`;
    case "rejected": return html`<span class="error">${rejection(error)}</span>`;
    case "accepted": return html`<span class="status delayed">${gettext("Sent")}</span>`;
    case "requested": return html`<span class="status delayed">${partial?.continues ? gettext("Continuing…") : gettext("Requested again")}</span>`;
    case "queued": return html`<span class="status">${queuePosition(partial)}</span>`;
    case "loading":
      return html`<span class="status">${gettext("The model is starting:")} <count-down .until=${partial?.retryAt ?? 0}></count-down></span>`;
    default: return timestamp ? timeTemplate(timestamp) : nothing;
  }
}

/** Why a message was rejected. A notice explains that a conversation is full.
 * @type {(error: import("./state.js").ErrorInfo | undefined) => string | undefined} */
const rejection = (error) => (error?.code === "session.full" ? gettext("Not sent") : error && errorMessage(error));

/** @type {(partial: import("./state.js").PartialReply | null) => string} */
function queuePosition(partial) {
  if (partial?.workers === 0) return gettext("No worker is running. The reply comes once one is back.");
  const ahead = partial?.ahead ?? 0;
  const position = ahead
    ? format(ngettext("%(ahead)s message ahead", "%(ahead)s messages ahead", ahead), { ahead })
    : gettext("Next in the queue");
  if (partial?.etaS == null) return position;
  const duration = format(gettext("about %(seconds)s s"), { seconds: Math.max(1, Math.round(partial.etaS)) });
  return new Intl.ListFormat(document.documentElement.lang, { type: "unit", style: "short" }).format([position, duration]);
}

/** @type {(timestamp: string) => unknown} */
function timeTemplate(timestamp) {
  return html`<time class="time" datetime=${timestamp} title=${formatFull(timestamp)}>${formatTime(timestamp)}</time>`;
}

/** @type {(turn: Turn, actions: TurnActions) => unknown} */
function humanButtonsTemplate(turn, actions) {
  const isPending = turn.phase === "waiting" || turn.phase === "rejected";
  return html`<span class="turn-buttons">
    ${isPending || turn.editable !== "no" ? editButton(turn, actions) : nothing}
    ${isPending ? button(ICONS.close, gettext("Discard"), () => actions.discard(turn)) : nothing}
    ${copyButton(turn.msg, actions)}
  </span>`;
}

/** A disabled button has a reason, and keeps the focus. @type {(turn: Turn, actions: TurnActions) => unknown} */
function editButton(turn, actions) {
  const label = gettext("Edit");
  const reason = turn.editable === "later" ? gettext("Wait for the reply, or stop it first.") : "";
  return html`<button type="button" class="icon-button" aria-label=${label} aria-disabled=${reason ? "true" : "false"}
    aria-description=${reason || nothing} title=${reason || label} @click=${() => actions.edit(turn)}>${ICONS.edit}</button>`;
}

/** The element is defined by the module that finds the versions.
 * @type {(pager: import("./versions.js").Pager | undefined, label: string, actions: TurnActions) => unknown} */
const pagerTemplate = (pager, label, actions) =>
  (pager ? html`<version-pager role="group" aria-label=${label} .actions=${actions} .pager=${pager}></version-pager>` : nothing);

/** @type {(turn: Turn, actions: TurnActions) => unknown} */
function replyTemplate(turn, actions) {
  const { reply, partial } = turn;
  const text = replyText(turn);
  const isFinal = !partial?.id;
  const person = partial ? partial.operator : reply?.operator;
  return html`<div class="bot" data-version=${turn.isReplyEarlier ? "earlier" : nothing} aria-busy=${isFinal ? "false" : "true"}>
    ${person
      ? html`<h2 class="person-name">${format(gettext("%(name)s (a person)"), { name: person })}</h2>`
      : html`<h2 class="visually-hidden">${gettext("Reply")}</h2>`}
    <reply-text .content=${{ text, isFinal }}></reply-text>
    ${partial && !text ? html`${partial.thinking ? html`<span class="status">${gettext("Thinking…")}</span>` : nothing}
      <span class="typing" aria-hidden="true"><i></i><i></i><i></i></span>` : nothing}
    ${partial ? nothing : errorTemplate(turn, actions)}
    ${reply && !partial ? replyFooterTemplate(turn, reply, actions) : nothing}
  </div>`;
}

/** @type {(turn: Turn, actions: TurnActions) => unknown} */
function errorTemplate(turn, actions) {
  if (!turn.error) return nothing;
  return html`<p class="error">${errorMessage(turn.error)}
    ${turn.error.retryable && !turn.isEarlier
      ? html`<button type="button" class="button small" @click=${() => actions.regenerate(turn)}>${gettext("Retry")}</button>`
      : nothing}</p>`;
}

/** Defines <reply-rating>, when the first reply is shown.
 * @type {Promise<unknown> | undefined} */
let rating;
const loadRating = () => { rating ??= import("./rating.js").catch(() => { rating = undefined; }); };

/** @type {(turn: Turn, reply: import("./state.js").Message, actions: TurnActions) => unknown} */
function replyFooterTemplate(turn, reply, actions) {
  if (!turn.error) loadRating();
  const isCurrent = turn.isLast && !turn.error && !turn.isReplyEarlier;
  const isUnfinished = reply.finish_reason === "length" || reply.finish_reason === "stop_requested";
  return html`<div class="turn-footer">
    ${pagerTemplate(turn.replyPager, gettext("Versions of the reply"), actions)}
    ${turn.model ? html`<span class="status" dir="auto">${turn.model}</span>` : nothing}
    ${reply.timestamp ? timeTemplate(reply.timestamp) : nothing}
    ${reply.finish_reason === "stop_requested" ? html`<span class="status">${gettext("Stopped by you")}</span>` : nothing}
    ${reply.finish_reason === "length" ? html`<span class="status">${gettext("Stopped at the length limit")}</span>` : nothing}
    ${isCurrent && isUnfinished && reply.msg
      ? html`<button type="button" class="button small" @click=${() => actions.continue(turn)}>${gettext("Continue")}</button>`
      : nothing}
    <span class="turn-buttons">
      ${reply.msg ? [copyButton(reply.msg, actions), readAloudTemplate()] : nothing}
      ${isCurrent && !reply.operator
        ? button(ICONS.regenerate, gettext("Regenerate"), () => actions.regenerate(turn))
        : nothing}
    </span>
    ${turn.error || turn.isReplyEarlier || !reply.reply_to ? nothing : html`<reply-rating data-id=${reply.id} rating=${reply.rating ?? ""} comment=${reply.comment ?? ""}></reply-rating>`}
  </div>`;
}

function readAloudTemplate() {
  if (!("speechSynthesis" in window)) return nothing;
  void import("./read_aloud.js").catch(() => {}); // the server cannot be reached
  return html`<read-aloud></read-aloud>`;
}

/** @type {(text: string, actions: TurnActions) => unknown} */
function copyButton(text, actions) {
  return button([ICONS.copy, ICONS.check], gettext("Copy"), (event) => actions.copy(text, /** @type {HTMLElement} */ (event.currentTarget)));
}

/** @type {(icon: unknown, label: string, onClick: (event: Event) => void) => unknown} */
function button(icon, label, onClick) {
  return html`<button type="button" class="icon-button" aria-label=${label} title=${label} @click=${onClick}>${icon}</button>`;
}

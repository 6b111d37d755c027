// The talk: each turn is what the human said and, beneath it, the reply.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { ICONS } from "./icons.js";
import { faultSentence, fill, fullMoment, moment } from "./words.js";
import "./count_down.js";
import "./reply_text.js";

/** @typedef {import("./turns.js").Turn} Turn */
/**
 * @typedef {object} TurnActions
 * @property {(turn: Turn) => void} regenerate
 * @property {(turn: Turn) => void} edit
 * @property {(turn: Turn) => void} discard
 * @property {(text: string, button?: HTMLElement) => Promise<void>} copy
 */

/**
 * The turns from number `from` on.
 * @param {Turn[]} turns
 * @param {number} from
 * @param {TurnActions} actions
 */
export function talkTemplate(turns, from, actions) {
  return repeat(turns.slice(from), (turn) => turn.id, (turn, at) => {
    const isBoundary = turn.forgotten === 2 && turns[from + at + 1]?.forgotten === 0;
    return guard(
      [turn.phase, turn.reply, turn.writing, turn.fault, turn.isLast, turn.forgotten, isBoundary, turn.msg],
      () => turnTemplate(turn, isBoundary, actions),
    );
  });
}

/** @type {(turn: Turn, isBoundary: boolean, actions: TurnActions) => unknown} */
function turnTemplate(turn, isBoundary, actions) {
  return html`
    <article class="turn" data-phase=${turn.phase}>
      <div class="human ${turn.forgotten ? "forgotten" : ""}">
        <h2 class="visually-hidden">${gettext("You")}</h2>
        <div class="human-text" dir="auto">${turn.msg}</div>
        <div class="under">${humanButtons(turn, actions)}${humanState(turn)}</div>
      </div>
      ${turn.forgotten === 1 ? boundary() : nothing}
      ${turn.reply || (turn.writing && turn.phase !== "queued") ? botTemplate(turn, actions) : nothing}
    </article>
    ${isBoundary ? boundary() : nothing}`;
}

const boundary = () => html`<p class="boundary"><span>${gettext("The model no longer remembers the messages above")}</span></p>`;

/** @type {(turn: Turn) => unknown} */
function humanState({ phase, writing, fault, timestamp }) {
  if (writing?.stopping) return html`<span class="state">${gettext("Stopping…")}</span>`;
  switch (phase) {
    case "waiting":
      return html`<span class="state">${fault ? faultSentence(fault) : gettext("Waiting for the connection")}</span>`;
    case "sending": return html`<span class="state late">${gettext("Sending…")}</span>`;
    case "refused": return html`<span class="fault">${fault && faultSentence(fault)}</span>`;
    case "accepted": return html`<span class="state late">${gettext("Sent")}</span>`;
    case "asked": return html`<span class="state late">${gettext("Requested again")}</span>`;
    case "queued": return html`<span class="state">${queueSentence(writing)}</span>`;
    case "loading":
      return html`<span class="state">${gettext("The model is starting:")} <count-down .until=${writing?.retryAt ?? 0}></count-down></span>`;
    default: return timestamp ? timeTemplate(timestamp) : nothing;
  }
}

/** @type {(writing: import("./state.js").Writing | null) => string} */
function queueSentence(writing) {
  const ahead = writing?.ahead ?? 0;
  const place = ahead
    ? fill(ngettext("%(ahead)s message ahead", "%(ahead)s messages ahead", ahead), { ahead })
    : gettext("Next in the queue");
  if (writing?.etaS == null) return place;
  return `${place}, ${fill(gettext("about %(seconds)s s"), { seconds: Math.max(1, Math.round(writing.etaS)) })}`;
}

/** @type {(timestamp: string) => unknown} */
function timeTemplate(timestamp) {
  return html`<time class="time" datetime=${timestamp} title=${fullMoment(timestamp)}>${moment(timestamp, Date.now())}</time>`;
}

/** @type {(turn: Turn, actions: TurnActions) => unknown} */
function humanButtons(turn, actions) {
  const isPending = turn.phase === "waiting" || turn.phase === "refused";
  const isEditable = isPending || turn.phase === "failed" || (turn.isLast && turn.phase === "done");
  return html`<span class="turn-buttons">
    ${isEditable ? button(ICONS.edit, gettext("Edit and resend"), () => actions.edit(turn)) : nothing}
    ${isPending ? button(ICONS.close, gettext("Discard"), () => actions.discard(turn)) : nothing}
    ${copyButton(turn.msg, actions)}
  </span>`;
}

/** @type {(turn: Turn, actions: TurnActions) => unknown} */
function botTemplate(turn, actions) {
  const { reply, writing } = turn;
  const text = writing?.id ? writing.text : (reply?.msg ?? "");
  const isFinal = !writing?.id;
  return html`<div class="bot ${turn.forgotten === 2 ? "forgotten" : ""}" aria-busy=${isFinal ? "false" : "true"}>
    <h2 class="visually-hidden">${gettext("Reply")}</h2>
    <reply-text .content=${{ text, isFinal }}></reply-text>
    ${writing && !text ? html`<span class="thinking" aria-hidden="true"><i></i><i></i><i></i></span>` : nothing}
    ${writing ? nothing : faultTemplate(turn, actions)}
    ${reply && !writing ? replyFooter(turn, reply, actions) : nothing}
  </div>`;
}

/** @type {(turn: Turn, actions: TurnActions) => unknown} */
function faultTemplate(turn, actions) {
  if (!turn.fault) return nothing;
  return html`<p class="fault">${faultSentence(turn.fault)}
    ${turn.fault.retryable
      ? html`<button type="button" class="button small" @click=${() => actions.regenerate(turn)}>${gettext("Retry")}</button>`
      : nothing}</p>`;
}

/** @type {(turn: Turn, reply: import("./state.js").Message, actions: TurnActions) => unknown} */
function replyFooter(turn, reply, actions) {
  return html`<div class="under">
    ${reply.timestamp ? timeTemplate(reply.timestamp) : nothing}
    ${reply.finish_reason === "stop_requested" ? html`<span class="state">${gettext("Stopped by you")}</span>` : nothing}
    ${reply.finish_reason === "length" ? html`<span class="state">${gettext("Stopped at the length limit")}</span>` : nothing}
    <span class="turn-buttons">
      ${reply.msg ? copyButton(reply.msg, actions) : nothing}
      ${turn.isLast && !turn.fault
        ? button(ICONS.again, gettext("Regenerate"), () => actions.regenerate(turn))
        : nothing}
    </span>
  </div>`;
}

/** @type {(text: string, actions: TurnActions) => unknown} */
function copyButton(text, actions) {
  return button(ICONS.copy, gettext("Copy"), (event) => actions.copy(text, /** @type {HTMLElement} */ (event.currentTarget)));
}

/** @type {(icon: unknown, label: string, onClick: (event: Event) => void) => unknown} */
function button(icon, label, onClick) {
  return html`<button type="button" class="icon-button" aria-label=${label} title=${label} @click=${onClick}>${icon}</button>`;
}

// Quiet lines between the talk and the message box: the connection, the session's time, its end, what went wrong.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { ICONS } from "./icons.js";
import { faultSentence } from "./words.js";
import "./count_down.js";

/** A drop shorter than this is nobody's business. */
const TELL_AFTER_TRIES = 2;
export const LAST_MINUTES_MS = 5 * 60_000;

/**
 * @typedef {object} NoticeActions
 * @property {() => void} reconnect
 * @property {() => void} extend
 * @property {() => void} restart
 * @property {() => void} dismiss
 */

/** @type {(state: import("./state.js").State, endsAt: number, actions: NoticeActions) => unknown} */
export function noticesTemplate(state, endsAt, actions) {
  return html`
    ${state.ended ? endTemplate(state.ended, actions) : [connectionTemplate(state, actions), timeTemplate(state, endsAt, actions)]}
    ${state.notice ? faultTemplate(state.notice, actions) : nothing}`;
}

/** @type {(ended: string, actions: NoticeActions) => unknown} */
function endTemplate(ended, actions) {
  return html`<p class="notice"><span>${faultSentence({ code: ended, detail: "" })}</span>
    <button type="button" class="button small" @click=${actions.restart}>${gettext("New conversation")}</button></p>`;
}

/** @type {(state: import("./state.js").State, actions: NoticeActions) => unknown} */
function connectionTemplate({ connection }, actions) {
  if (connection.phase === "open" || (connection.attempt ?? 0) < TELL_AFTER_TRIES) return nothing;
  if (connection.phase === "connecting") return html`<p class="notice">${gettext("Connecting…")}</p>`;
  if (connection.phase !== "waiting") return nothing;
  return html`<p class="notice"><span>${gettext("No connection. Retrying in")}
    <count-down .until=${connection.retryAt ?? 0}></count-down></span>
    <button type="button" class="button small" @click=${actions.reconnect}>${gettext("Try now")}</button></p>`;
}

/** @type {(state: import("./state.js").State, endsAt: number, actions: NoticeActions) => unknown} */
function timeTemplate({ session }, endsAt, actions) {
  if (!session || endsAt - Date.now() > LAST_MINUTES_MS) return nothing;
  return html`<p class="notice"><span>${gettext("This conversation expires in")}
    <count-down .until=${endsAt}></count-down></span>
    <button type="button" class="button small" @click=${actions.extend}>${gettext("Keep it open")}</button></p>`;
}

/** @type {(fault: import("./state.js").Fault, actions: NoticeActions) => unknown} */
function faultTemplate(fault, actions) {
  return html`<p class="notice fault" role="alert"><span>${faultSentence(fault)}</span>
    <button type="button" class="icon-button" aria-label=${gettext("Dismiss")} @click=${actions.dismiss}>${ICONS.close}</button></p>`;
}

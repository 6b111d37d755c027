// Notices above the message box: connection, expiry, end of the session, errors.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { ICONS } from "./icons.js";
import { errorMessage } from "./i18n.js";
import "./countdown.js";

/** Most lost connections are back at once: do not show those. */
export const NOTICE_AFTER_MS = 1500;
export const EXPIRY_WARNING_MS = 5 * 60_000;

/**
 * @typedef {object} NoticeActions
 * @property {() => void} reconnect
 * @property {() => void} extend
 * @property {() => void} restart
 * @property {() => void} options export and delete
 * @property {() => void} dismiss
 * @property {() => void} viewCurrent
 */

/** @type {(state: import("./state.js").State, expiresAt: number, actions: NoticeActions) => unknown} */
export function noticesTemplate(state, expiresAt, actions) {
  return html`
    ${state.ended || isFull(state) ? endedTemplate(state, actions) : [connectionTemplate(state, actions), expiryTemplate(state, expiresAt, actions)]}
    ${state.view && !state.ended ? viewTemplate(actions) : nothing}
    ${state.notice ? errorTemplate(state.notice, actions) : nothing}`;
}

/** @type {(state: import("./state.js").State) => boolean} */
const isFull = ({ outbox }) => outbox.some(({ error }) => error?.code === "session.full");

/** @type {(state: import("./state.js").State, actions: NoticeActions) => unknown} */
function endedTemplate({ ended, messages, isCopyPartial }, actions) {
  const copy = isCopyPartial
    ? gettext("This browser could not keep all of it.")
    : gettext("You can read it here until you delete it.");
  return html`<p class="notice"><span>${errorMessage({ code: ended || "session.full", detail: "" })}
      ${ended && (messages.size || isCopyPartial) ? copy : nothing}</span>
    <span class="notice-buttons">${ended && messages.size ? html`<button type="button" class="button small" @click=${actions.options}>${gettext("Export…")}</button>` : nothing}
      <button type="button" class="button small" @click=${actions.restart}>${gettext("New conversation")}</button></span></p>`;
}

/** @type {(state: import("./state.js").State, actions: NoticeActions) => unknown} */
function connectionTemplate({ connection }, actions) {
  const { phase, refusal, lostAt = 0, retryAt = 0 } = connection;
  const tryNow = html`<button type="button" class="button small" @click=${actions.reconnect}>${gettext("Try now")}</button>`;
  if (phase === "open" || phase === "closed") return nothing;
  if (refusal) {
    return html`<p class="notice"><span>${gettext("Too many tabs of this chat are open. Close one, and this one connects.")}</span>${tryNow}</p>`;
  }
  const isOffline = !navigator.onLine;
  if (phase === "silent") {
    return html`<p class="notice">${isOffline ? gettext("You are offline.") : gettext("The server doesn't respond. Waiting for it…")}</p>`;
  }
  if (Date.now() - lostAt < NOTICE_AFTER_MS) return nothing;
  if (phase === "connecting") return html`<p class="notice">${isOffline ? gettext("You are offline.") : gettext("Connecting…")}</p>`;
  return html`<p class="notice"><span>${isOffline ? gettext("You are offline. Retrying in") : gettext("No connection. Retrying in")}
    <count-down .until=${retryAt}></count-down></span>${tryNow}</p>`;
}

/** @type {(state: import("./state.js").State, expiresAt: number, actions: NoticeActions) => unknown} */
function expiryTemplate({ session }, expiresAt, actions) {
  if (!session || expiresAt - Date.now() > EXPIRY_WARNING_MS) return nothing;
  return html`<p class="notice"><span>${gettext("This conversation expires in")}
    <count-down .until=${expiresAt}></count-down></span>
    <button type="button" class="button small" @click=${actions.extend}>${gettext("Keep it open")}</button></p>`;
}

/** @type {(actions: NoticeActions) => unknown} */
function viewTemplate(actions) {
  return html`<p class="notice"><span>${gettext("This is not the current version. Your next message continues from it.")}</span>
    <button type="button" class="button small" @click=${actions.viewCurrent}>${gettext("Back to the current version")}</button></p>`;
}

/** @type {(error: import("./state.js").ErrorInfo, actions: NoticeActions) => unknown} */
function errorTemplate(error, actions) {
  return html`<p class="notice error" role="alert"><span>${errorMessage(error)}</span>
    <button type="button" class="icon-button" aria-label=${gettext("Dismiss")} @click=${actions.dismiss}>${ICONS.close}</button></p>`;
}

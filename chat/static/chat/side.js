// The side list: the sessions of this browser.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { ICONS } from "./icons.js";
import { fill, fullMoment, moment } from "./words.js";

/** @typedef {import("./local.js").Known} Known */
/**
 * @typedef {object} SideActions
 * @property {(token: string) => void} show
 * @property {() => void} begin
 * @property {(session: Known) => void} manage
 * @property {() => void} close
 * @property {() => void} settings
 */

export const title = (/** @type {Known} */ session) => session.label || session.name;

/** @type {(session: Known, now: number) => boolean} */
export const isOver = (session, now) => Boolean(session.ended || (session.expiresAt && session.expiresAt < now));

/** @type {(sessions: Known[], current: string | null, actions: SideActions) => unknown} */
export function sideTemplate(sessions, current, actions) {
  const now = Date.now();
  return html`
    <div class="side-head">
      <h2 class="side-title">${gettext("Conversations")}</h2>
      <button type="button" class="icon-button narrow-only" aria-label=${gettext("Close the list")} @click=${actions.close}>${ICONS.close}</button>
    </div>
    <button type="button" class="button side-new" @click=${actions.begin}>${ICONS.add}${gettext("New conversation")}</button>
    <ul class="side-list">
      ${repeat(sessions, ({ token }) => token, (session) => entryTemplate(session, session.token === current, now, actions))}
    </ul>
    <button type="button" class="link-button side-settings" @click=${actions.settings}>${gettext("Settings and shortcuts")}</button>`;
}

/** @type {(session: Known, isCurrent: boolean, now: number, actions: SideActions) => unknown} */
function entryTemplate(session, isCurrent, now, actions) {
  const over = isOver(session, now);
  return html`
    <li class="side-entry ${isCurrent ? "current" : ""} ${over ? "over" : ""}">
      <button type="button" class="side-open" aria-current=${isCurrent ? "true" : "false"} @click=${() => actions.show(session.token)}>
        <span class="side-name"><bdi>${title(session)}</bdi></span>
        <time class="side-time" datetime=${new Date(session.at).toISOString()} title=${fullMoment(session.at)}>${moment(session.at, now)}</time>
        <span class="side-words" dir="auto">${over ? gettext("Ended") : (session.lastWords ?? gettext("No messages yet"))}</span>
      </button>
      <button type="button" class="icon-button" aria-label=${fill(gettext("Options for %(name)s"), { name: title(session) })}
        @click=${() => actions.manage(session)}>${ICONS.more}</button>
    </li>`;
}

/** @type {(name: string, isOpen: boolean, hasSide: boolean, actions: {toggle: () => void, settings: () => void}) => unknown} */
export function barTemplate(name, isOpen, hasSide, actions) {
  return html`
    ${hasSide
      ? html`<button type="button" id="open-sessions" class="icon-button bar-button narrow-only" aria-controls="sessions"
          aria-expanded=${isOpen ? "true" : "false"} aria-label=${gettext("Conversations")} title=${gettext("Conversations")}
          @click=${actions.toggle}>${ICONS.menu}</button>`
      : nothing}
    <h1 class="bar-title"><bdi>${name}</bdi></h1>
    <button type="button" class="icon-button bar-button" aria-label=${gettext("Settings and shortcuts")}
      title=${gettext("Settings and shortcuts")} @click=${actions.settings}>${ICONS.settings}</button>`;
}

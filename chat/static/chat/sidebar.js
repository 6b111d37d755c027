// The sidebar with the sessions of this browser, and the bar above the transcript.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { ICONS } from "./icons.js";
import { format, formatFull, formatTime } from "./i18n.js";
import { hasEnded, title } from "./sessions.js";

/** @typedef {import("./storage.js").StoredSession} StoredSession */
/**
 * @typedef {object} SidebarActions
 * @property {(token: string) => void} show
 * @property {() => void} startNew
 * @property {(session: StoredSession) => void} openOptions
 * @property {() => void} close
 * @property {() => void} settings
 */

/** @type {(sessions: StoredSession[], current: string | null, actions: SidebarActions) => unknown} */
export function sidebarTemplate(sessions, current, actions) {
  return html`
    <div class="sidebar-head">
      <h2 class="sidebar-title">${gettext("Conversations")}</h2>
      <button type="button" class="icon-button narrow-only" aria-label=${gettext("Close the list")} @click=${actions.close}>${ICONS.close}</button>
    </div>
    <button type="button" class="button sidebar-new" @click=${actions.startNew}>${ICONS.add}${gettext("New conversation")}</button>
    <ul class="sidebar-list">
      ${repeat(sessions, ({ token }) => token, (session) => entryTemplate(session, session.token === current, actions))}
    </ul>
    <button type="button" class="link-button sidebar-settings" @click=${actions.settings}>${gettext("Settings and shortcuts")}</button>`;
}

/** @type {(session: StoredSession, isCurrent: boolean, actions: SidebarActions) => unknown} */
function entryTemplate(session, isCurrent, actions) {
  const ended = hasEnded(session);
  return html`
    <li class="sidebar-entry ${isCurrent ? "current" : ""} ${ended ? "ended" : ""}">
      <button type="button" class="sidebar-open" aria-current=${isCurrent ? "true" : "false"} @click=${() => actions.show(session.token)}>
        <span class="sidebar-name"><bdi>${title(session)}</bdi></span>
        <time class="sidebar-time" datetime=${new Date(session.at).toISOString()} title=${formatFull(session.at)}>${formatTime(session.at)}</time>
        <span class="sidebar-preview" dir="auto">${ended ? gettext("Ended") : (session.lastWords ?? gettext("No messages yet"))}</span>
      </button>
      <button type="button" class="icon-button" aria-label=${format(gettext("Options for %(name)s"), { name: title(session) })}
        @click=${() => actions.openOptions(session)}>${ICONS.more}</button>
    </li>`;
}

/** @type {(name: string, isOpen: boolean, hasSidebar: boolean, actions: {toggle: () => void, settings: () => void}) => unknown} */
export function barTemplate(name, isOpen, hasSidebar, actions) {
  return html`
    ${hasSidebar
      ? html`<button type="button" id="open-sidebar" class="icon-button bar-button narrow-only" aria-controls="sidebar"
          aria-expanded=${isOpen ? "true" : "false"} aria-label=${gettext("Conversations")} title=${gettext("Conversations")}
          @click=${actions.toggle}>${ICONS.menu}</button>`
      : nothing}
    <h1 class="bar-title"><bdi>${name}</bdi></h1>
    <button type="button" class="icon-button bar-button" aria-label=${gettext("Settings and shortcuts")}
      title=${gettext("Settings and shortcuts")} @click=${actions.settings}>${ICONS.settings}</button>`;
}

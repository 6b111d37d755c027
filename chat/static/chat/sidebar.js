// The sidebar with the sessions of this browser, and the bar above the transcript.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { ICONS } from "./icons.js";
import { dayGroup, format, formatFull, formatTime } from "./i18n.js";
import { hasEnded, isUnread, title } from "./sessions.js";

/** @typedef {import("./storage.js").StoredSession} StoredSession */
/**
 * @typedef {object} Search
 * @property {string} query
 * @property {Map<string, import("./archive.js").Snippet | null> | null} found by token; null: nothing is searched
 */
/**
 * @typedef {object} SidebarActions
 * @property {(token: string) => void} show
 * @property {() => void} startNew
 * @property {(query: string) => void} search
 * @property {(session: StoredSession) => void} openOptions
 * @property {() => void} close
 * @property {() => void} settings
 */

/** @type {(sessions: StoredSession[], current: string | null, search: Search, actions: SidebarActions) => unknown} */
export function sidebarTemplate(sessions, current, { query, found }, actions) {
  const listed = found ? sessions.filter(({ token }) => found.has(token)) : sessions;
  return html`
    <div class="sidebar-head">
      <h2 class="sidebar-title">${gettext("Conversations")}</h2>
      <button type="button" class="icon-button narrow-only" aria-label=${gettext("Close the list")} @click=${actions.close}>${ICONS.close}</button>
    </div>
    <button type="button" class="button sidebar-new" @click=${actions.startNew}>${ICONS.add}${gettext("New conversation")}</button>
    ${sessions.length > 1 ? searchTemplate(query, actions) : nothing}
    <p class="sidebar-found" role="status">${found && !listed.length ? gettext("No conversation contains this.") : nothing}</p>
    <div class="sidebar-list">
      ${repeat(groups(listed), ([name]) => name, ([name, group]) => html`
        <section>
          <h3 class="sidebar-group">${name}</h3>
          <ul>${repeat(group, ({ token }) => token, (session) =>
            entryTemplate(session, session.token === current, found?.get(session.token), actions))}</ul>
        </section>`)}
    </div>
    <button type="button" class="link-button sidebar-settings" @click=${actions.settings}>${gettext("Settings and shortcuts")}</button>`;
}

/** The sessions of each day or month. @type {(sessions: StoredSession[]) => [string, StoredSession[]][]} */
function groups(sessions) {
  /** @type {Map<string, StoredSession[]>} */
  const byDay = new Map();
  for (const session of sessions) {
    const name = dayGroup(session.at);
    byDay.set(name, [...(byDay.get(name) ?? []), session]);
  }
  return [...byDay];
}

/** @type {(query: string, actions: SidebarActions) => unknown} */
function searchTemplate(query, actions) {
  const label = gettext("Search conversations");
  const search = (/** @type {Event} */ event) => actions.search(/** @type {HTMLInputElement} */ (event.target).value);
  const clear = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !query) return;
    event.stopPropagation(); // otherwise it stops the reply
    event.preventDefault();
    actions.search("");
  };
  return html`<input type="search" class="field sidebar-search" aria-label=${label} placeholder=${label} autocomplete="off" dir="auto"
    .value=${query} @input=${search} @keydown=${clear}>`;
}

/** @type {(session: StoredSession, isCurrent: boolean, snippet: import("./archive.js").Snippet | null | undefined,
 *   actions: SidebarActions) => unknown} */
function entryTemplate(session, isCurrent, snippet, actions) {
  const unread = !isCurrent && isUnread(session);
  const classes = `${isCurrent ? "current" : ""} ${hasEnded(session) ? "ended" : ""} ${unread ? "unread" : ""}`;
  return html`
    <li class="sidebar-entry ${classes}">
      <button type="button" class="sidebar-open" aria-current=${isCurrent ? "true" : "false"} @click=${() => actions.show(session.token)}>
        <span class="sidebar-name"><bdi>${title(session)}</bdi></span>
        ${unread
          ? html`<span class="unread-mark"><span class="visually-hidden">${gettext("New reply")}</span></span>`
          : html`<time class="sidebar-time" datetime=${new Date(session.at).toISOString()} title=${formatFull(session.at)}>${formatTime(session.at)}</time>`}
        <span class="sidebar-preview" dir="auto">${snippet ? snippetTemplate(snippet) : previewOf(session)}</span>
      </button>
      <button type="button" class="icon-button" aria-label=${format(gettext("Options for %(name)s"), { name: title(session) })}
        @click=${() => actions.openOptions(session)}>${ICONS.more}</button>
    </li>`;
}

/** @type {(session: StoredSession) => string} */
function previewOf(session) {
  const words = session.lastWords ?? gettext("No messages yet");
  return hasEnded(session) ? `${gettext("Ended")} · ${words}` : words;
}

/** @type {(snippet: import("./archive.js").Snippet) => unknown} */
const snippetTemplate = ([before, match, after]) => html`${before}<mark>${match}</mark>${after}`;

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

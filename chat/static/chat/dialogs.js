// The dialogs: options of a session, and settings with the list of shortcuts.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { ICONS } from "./icons.js";
import { SHORTCUTS } from "./shortcuts.js";
import * as sessions from "./sessions.js";
import * as storage from "./storage.js";
import { loadStyles } from "./styles.js";
import "./notification_settings.js";

/** @typedef {import("./storage.js").StoredSession} StoredSession */
/**
 * @typedef {object} SessionActions
 * @property {(session: StoredSession) => Promise<void>} remove
 * @property {() => void} changed what the page shows of a session
 * @property {(session: StoredSession) => import("./state.js").State | null} shownState if the session is shown
 * @property {boolean} canShare whether the server creates read-only links
 * @property {string} erasure when what the server deleted has left its disk
 */
await loadStyles("dialogs.css"); // a dialog never shows without it

/** Open a modal dialog; it is removed when it closes.
 * @type {(heading: string, body: (close: () => void) => unknown) => void} */
function open(heading, body) {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  dialog.setAttribute("aria-labelledby", "dialog-title");
  const close = () => dialog.close();
  render(html`
    <div class="dialog-head"><h2 id="dialog-title">${heading}</h2>
      <button type="button" class="icon-button" aria-label=${gettext("Close")} @click=${close}>${ICONS.close}</button></div>
    ${body(close)}`, dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
  document.body.append(dialog);
  dialog.showModal();
}

/** @type {(session: StoredSession, actions: SessionActions) => void} */
export function openSessionDialog(session, actions) {
  open(sessions.title(session), (close) => {
    const runAndClose = (/** @type {() => Promise<void>} */ action) => async (/** @type {Event} */ event) => {
      const dialog = /** @type {HTMLElement} */ (event.target).closest("dialog");
      try {
        await action();
        close();
      } catch (error) {
        const message = dialog?.querySelector(".error");
        if (message) message.textContent = error instanceof Error ? error.message : String(error);
      }
    };
    const rename = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const label = new FormData(/** @type {HTMLFormElement} */ (event.target)).get("label");
      sessions.rename(session, String(label).trim());
      actions.changed();
      close();
    };
    const exportAs = (/** @type {"markdown" | "json"} */ format) => runAndClose(async () => {
      const { exportConversation } = await import("./export.js");
      await exportConversation(session, format, actions.shownState(session));
    });
    const showLinks = async (/** @type {Event} */ event) => {
      const details = /** @type {HTMLDetailsElement} */ (event.currentTarget);
      const links = await import("./share_links.js");
      if (details.open) await links.show(session.token, /** @type {HTMLElement} */ (details.lastElementChild));
    };
    return html`
      <form class="field-row" @submit=${rename}>
        <label class="visually-hidden" for="label">${gettext("Title")}</label>
        <input id="label" name="label" class="field" maxlength="100" dir="auto" autocomplete="off" .value=${sessions.title(session)}>
        <button class="button">${gettext("Rename")}</button>
      </form>
      <div class="dialog-row">
        <button type="button" class="button" @click=${exportAs("markdown")}>${gettext("Export as Markdown")}</button>
        <button type="button" class="button" @click=${exportAs("json")}>${gettext("Export as JSON")}</button>
      </div>
      ${actions.canShare && !session.ended ? html`<details @toggle=${showLinks}><summary>${gettext("Share a read-only link…")}</summary><div class="share"></div></details>` : nothing}
      <details class="delete">
        <summary>${gettext("Delete…")}</summary>
        <p>${session.ended
          ? gettext("The server has deleted it already. This permanently deletes the copy in this browser.")
          : `${gettext("This permanently deletes it now, on the server and in this browser.")} ${actions.erasure}`}</p>
        <button type="button" class="button danger" @click=${runAndClose(() => actions.remove(session))}>${gettext("Delete permanently")}</button>
      </details>
      <p class="error" role="alert"></p>`;
  });
}

export function openSettings() {
  const themes = [["auto", gettext("System")], ["light", gettext("Light")], ["dark", gettext("Dark")]];
  const csrf = /** @type {HTMLInputElement | null} */ (document.querySelector("[name=csrfmiddlewaretoken]"));
  const languages = document.getElementById("languages");
  const nameField = /** @type {HTMLInputElement | null} */ (document.getElementById("name"));
  open(gettext("Settings and shortcuts"), () => html`
    <div class="setting"><label for="own-name">${gettext("Your name")}</label>
      <input id="own-name" class="field" maxlength=${nameField?.maxLength ?? ""} dir="auto" autocomplete="nickname"
        aria-describedby="own-name-hint" .value=${storage.name()}
        @change=${(/** @type {Event} */ event) => storage.setName(/** @type {HTMLInputElement} */ (event.target).value.trim())}>
      <p id="own-name-hint" class="hint">${gettext("New conversations start with this name.")}</p></div>
    <fieldset class="choices"><legend>${gettext("Theme")}</legend>
      ${themes.map(([value, label]) => html`<label><input type="radio" name="theme" value=${value}
        ?checked=${storage.theme() === value} @change=${() => setTheme(value)}>${label}</label>`)}
    </fieldset>
    <notification-settings></notification-settings>
    ${csrf ? html`<form method="post" action=${languages?.dataset.action ?? ""} class="choices">
      <fieldset class="choices"><legend>${gettext("Language")}</legend>
        <input type="hidden" name="csrfmiddlewaretoken" value=${csrf.value}>
        <input type="hidden" name="next" value=${location.pathname}>
        ${JSON.parse(languages?.textContent ?? "[]").map((/** @type {string[]} */ [code, name]) => html`
          <button class="button small" name="language" value=${code} lang=${code}
            aria-pressed=${document.documentElement.lang === code ? "true" : "false"}>${name}</button>`)}
      </fieldset>
    </form>` : nothing}
    <h3>${gettext("Shortcuts")}</h3>
    <dl class="shortcuts">
      ${SHORTCUTS().map(({ keys, description }) => html`<div><dt>${keys.map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${description}</dd></div>`)}
    </dl>
    <label class="choice"><input type="checkbox" ?checked=${storage.singleKeys()}
      @change=${(/** @type {Event} */ event) => storage.setSingleKeys(/** @type {HTMLInputElement} */ (event.target).checked)}>
      ${gettext("Enable single-key shortcuts (? and /)")}</label>`);
}

/** @param {string} theme */
function setTheme(theme) {
  storage.setTheme(theme);
  document.documentElement.dataset.theme = theme;
}

// The part of the settings about notifications. The browser is asked for permission only when the visitor turns them on.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import * as storage from "./storage.js";

/** @returns {NotificationPermission | "unavailable"} */
const permission = () => ("Notification" in window && isSecureContext ? Notification.permission : "unavailable");

class NotificationSettings extends HTMLElement {
  connectedCallback() { this.#render(); }

  #render() {
    const setting = permission() === "granted" ? storage.notifications() : "off";
    const isOn = setting !== "off";
    const isBlocked = permission() === "denied" || permission() === "unavailable";
    render(html`<fieldset class="choices notifications"><legend>${gettext("Notifications")}</legend>
      <label class="choice"><input type="checkbox" role="switch" .checked=${isOn} ?disabled=${isBlocked}
        aria-describedby="notification-state" @change=${this.#change}>
        ${gettext("Notify me when a reply is ready and this tab is hidden")}</label>
      ${isOn ? html`<label class="choice"><input type="checkbox" .checked=${setting === "text"} @change=${this.#changeText}>
        ${gettext("Show the beginning of the reply")}</label>` : nothing}
      <p id="notification-state" class="hint" role="status">${stateText(isOn)}</p></fieldset>`, this);
  }

  #change = async (/** @type {Event} */ event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    field.checked &&= await Notification.requestPermission() === "granted";
    storage.setNotifications(field.checked ? "on" : "off");
    this.#render();
  };

  #changeText = (/** @type {Event} */ event) => {
    storage.setNotifications(/** @type {HTMLInputElement} */ (event.target).checked ? "text" : "on");
    this.#render();
  };
}

/** @type {(isOn: boolean) => string} */
function stateText(isOn) {
  switch (permission()) {
    case "unavailable": return gettext("This browser offers no notifications for this page.");
    case "denied": return gettext("This browser blocks notifications of this site. You can allow them in its settings.");
    case "granted": return isOn ? gettext("Notifications arrive while a tab of this site is open.") : "";
    default: return gettext("The browser will ask for your permission.");
  }
}

customElements.define("notification-settings", NotificationSettings);

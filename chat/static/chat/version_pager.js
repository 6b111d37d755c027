// <version-pager>: shows the versions of a question or reply one by one, and makes one of them the current version.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { format } from "./i18n.js";
import { ICONS } from "./icons.js";
import { loadStyles } from "./styles.js";
import { versionText, withVersions } from "./versions.js";

/** @typedef {import("./versions.js").Pager} Pager */
/**
 * @typedef {object} PagerActions
 * @property {(version: import("./state.js").Version | null, pager: Element) => void} viewVersion
 * @property {() => void} chooseVersion
 */

await loadStyles("version_pager.css");

class VersionPager extends HTMLElement {
  /** @type {PagerActions | undefined} */ actions;
  /** @type {Pager | undefined} */ #pager;

  /** @param {Pager} pager */
  set pager(pager) {
    this.#pager = pager;
    this.className = "version-pager";
    render(this.#template(pager), this);
  }

  #view(/** @type {number} */ number) {
    if (this.#pager && number >= 1 && number <= this.#pager.count) this.actions?.viewVersion(this.#pager.version(number), this);
  }

  /** @type {(pager: Pager) => unknown} */
  #template(pager) {
    const { number, count, isCurrent, isCut, opening } = pager;
    const position = format(gettext("Version %(number)s of %(count)s"), { number, count });
    return html`
      ${this.#step(gettext("Previous version"), ICONS.previous, number - 1, number > 1)}
      <span class="version-number" aria-hidden="true">${number}/${count}</span>
      ${this.#step(gettext("Next version"), ICONS.next, number + 1, number < count)}
      <span aria-live="polite"><span class="visually-hidden">${position}</span>
        ${isCurrent ? nothing : html`<span class="status">${gettext("Not the current version")}</span>`}
        ${isCut ? html`<span class="status">${gettext("Only its beginning is shown.")}</span>` : nothing}
        ${opening && !opening.error ? html`<span class="status delayed">${gettext("Loading…")}</span>` : nothing}
        ${opening?.error ? html`<span class="error">${opening.error.code ? gettext("This version could not be loaded.") : opening.error.detail}</span>` : nothing}</span>
      ${opening?.error && pager.refusal !== "ended"
        ? html`<button type="button" class="button small" @click=${() => this.actions?.viewVersion({ id: opening.id, of: opening.of }, this)}>${gettext("Try again")}</button>`
        : nothing}
      ${isCurrent || pager.refusal === "ended" ? nothing : this.#choice(pager)}`;
  }

  /** At the ends the buttons are disabled, but keep the focus.
   * @type {(label: string, icon: unknown, number: number, isEnabled: boolean) => unknown} */
  #step(label, icon, number, isEnabled) {
    return html`<button type="button" class="icon-button" aria-label=${label} title=${label}
      aria-disabled=${isEnabled ? "false" : "true"} @click=${() => this.#view(number)}>${icon}</button>`;
  }

  /** @type {(pager: Pager) => unknown} */
  #choice({ refusal }) {
    const reason = refusal === "busy" ? gettext("Wait for the reply, or stop it first.") : refusal ? gettext("Waiting for the connection") : "";
    return html`<button type="button" class="button small" aria-disabled=${reason ? "true" : "false"} title=${reason || nothing}
      aria-description=${reason || nothing} @click=${() => { if (!reason) this.actions?.chooseVersion(); }}>${gettext("Use this version")}</button>`;
  }
}

customElements.define("version-pager", VersionPager);

/** Show a version. Its text is loaded if this browser does not have it.
 * @type {(conversation: import("./conversation.js").Conversation, version: import("./state.js").Version | null) => void} */
export function viewVersion(conversation, version) {
  const { state } = conversation;
  if (!version || versionText(version.id, state)) conversation.view(version);
  else if (state.ended) conversation.dispatch({ type: "local.load", version: { ...version, error: missing() } });
  else conversation.loadVersion(version);
}

const missing = () => ({ code: "", detail: gettext("This browser has no copy of this version.") });

export { withVersions };

// Above the message box: the person who answers instead of the model, and the button that asks for one.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { format } from "./i18n.js";

/** @typedef {import("./person.js").Person} Person */
/** @typedef {{requestOperator: (wanted: boolean) => void}} SupportActions */

const TYPING_SHOWN_MS = 5000;
let timer = 0;

/** @type {(state: import("./state.js").State, actions: SupportActions) => void} */
export function renderSupport(state, actions) {
  clearTimeout(timer);
  const typesForMs = state.person.typedAt + TYPING_SHOWN_MS - Date.now();
  const isTyping = typesForMs > 0 && ![...state.partialReplies.values()].some(({ text }) => text);
  if (isTyping) timer = window.setTimeout(() => renderSupport(state, actions), typesForMs);
  const content = state.ended ? nothing : template(state.person, isTyping, actions);
  render(content, document.getElementById("support") ?? createContainer());
}

function createContainer() {
  const container = document.createElement("div");
  container.id = "support";
  container.className = "notices";
  container.setAttribute("aria-live", "polite");
  document.getElementById("notices")?.before(container);
  return container;
}

/** @type {(person: Person, isTyping: boolean, actions: SupportActions) => unknown} */
function template({ name, left, canAsk, isRequested, isAvailable }, isTyping, actions) {
  if (name) {
    const sentence = isTyping ? gettext("%(name)s is typing…") : gettext("%(name)s, a person, is here and answers instead of the model.");
    return html`<p class="notice person">${format(sentence, { name })}</p>`;
  }
  return html`
    ${left ? html`<p class="notice person">${format(gettext("%(name)s has left. The model answers again."), { name: left })}</p>` : nothing}
    ${canAsk ? requestTemplate(isRequested, isAvailable, actions) : nothing}`;
}

/** @type {(isRequested: boolean, isAvailable: boolean, actions: SupportActions) => unknown} */
function requestTemplate(isRequested, isAvailable, actions) {
  if (!isRequested) {
    return html`<p class="ask-person"><button type="button" class="link-button" @click=${() => actions.requestOperator(true)}>${gettext("Ask for a person")}</button></p>`;
  }
  const sentence = isAvailable
    ? gettext("You asked for a person. Until one joins, the model answers.")
    : gettext("You asked for a person. Nobody is available right now, so the model goes on answering.");
  return html`<p class="notice person"><span>${sentence}</span>
    <button type="button" class="button small" @click=${() => actions.requestOperator(false)}>${gettext("Withdraw the request")}</button></p>`;
}

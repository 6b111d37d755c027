// The choice of a model, below the message box. Loaded only if the server has several.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";

const container = document.createElement("div");
container.className = "models";
document.getElementById("composer")?.after(container);

/** Offer the models; with fewer than two, nothing. A model that is not one of them counts as the default, the first.
 * @param {import("./state.js").Model[]} models
 * @param {string | undefined} chosen name
 * @param {(name: string) => void} choose
 */
export function renderPicker(models, chosen, choose) {
  const current = models.find(({ name }) => name === chosen) ?? models[0];
  const option = (/** @type {import("./state.js").Model} */ { name, label }) =>
    html`<option value=${name} ?selected=${name === current.name} dir="auto">${label}</option>`;
  const picker = html`<select aria-label=${gettext("Model")} dir="auto" .value=${current?.name ?? ""}
    @change=${(/** @type {Event} */ event) => choose(/** @type {HTMLSelectElement} */ (event.target).value)}>${models.map(option)}</select>`;
  render(models.length > 1 ? picker : nothing, container);
}

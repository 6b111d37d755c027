// The part of a session's dialog that creates, lists and revokes its read-only links.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { copy } from "./clipboard.js";
import { bearer, request } from "./http.js";
import { format, formatFull } from "./i18n.js";
import { ICONS } from "./icons.js";
import * as storage from "./storage.js";

/**
 * @typedef {object} Link
 * @property {string} id
 * @property {string} created
 * @property {string | null} ends
 * @property {number} messages
 * @property {boolean} show_name
 */

const HOUR_S = 3600;
const STYLES = new URL("./shared.css", import.meta.url).href;

/** @type {() => Record<string, string>} */
const refusals = () => ({
  empty: gettext("There is nothing to share yet."),
  too_many: gettext("This conversation has as many links as it may have. Revoke one first."),
  too_large: gettext("This conversation and its other links are too long to be shared."),
});

// Each function throws an Error whose message is for the visitor.

/** @type {(token: string, method: string, path: string, body?: object) => Promise<Response>} */
async function send(token, method, path, body) {
  const headers = { ...bearer(token), ...(body && { "Content-Type": "application/json" }) };
  const response = await request(method, path, headers, body && JSON.stringify(body));
  if (response.ok || (method === "DELETE" && response.status === 404)) return response;
  const { reason } = await response.json().catch(() => ({}));
  if (response.status === 400) throw new Error(gettext("The server no longer has this conversation."));
  if (response.status === 429) throw new Error(gettext("Too many requests. Wait a minute and try again."));
  throw new Error(refusals()[reason] ?? gettext("The server can't do this right now. Try again shortly."));
}

/** @type {(token: string) => Promise<Link[]>} */
const loadLinks = async (token) => (await (await send(token, "GET", "share")).json()).shares;

/** Create a link, and keep its address in this browser, because the server knows only a hash of it.
 * @type {(token: string, wanted: {ttl_s: number | null, show_name: boolean}) => Promise<string>} */
async function createLink(token, wanted) {
  const { id, url } = await (await send(token, "POST", "share", wanted)).json();
  const stored = storage.session(token);
  if (stored) storage.saveSession({ ...stored, links: { ...stored.links, [id]: url } });
  return url;
}

/** @type {(token: string, id: string) => Promise<void>} */
async function revokeLink(token, id) {
  await send(token, "DELETE", `share/${id}`);
  const stored = storage.session(token);
  if (!stored?.links) return;
  const { [id]: _, ...links } = stored.links;
  storage.saveSession({ ...stored, links });
}

/** Show the form and the links of a session. @type {(token: string, host: HTMLElement) => Promise<void>} */
export async function show(token, host) {
  /** @type {Link[]} */ let links = [];
  let [created, error] = ["", ""];
  const attempt = async (/** @type {() => Promise<unknown>} */ action) => {
    error = "";
    try {
      await action();
      links = await loadLinks(token);
    } catch (caught) {
      error = caught instanceof Error ? caught.message : String(caught);
    }
    update();
  };
  const create = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const [button, data] = [form.querySelector("button"), new FormData(form)];
    const wanted = { ttl_s: Number(data.get("ttl")) || null, show_name: data.has("show-name") };
    if (button) button.disabled = true; // one link for a double click
    await attempt(async () => { created = await createLink(token, wanted); });
    if (button) button.disabled = false;
    if (!error) /** @type {HTMLInputElement | null} */ (host.querySelector(".share-new input"))?.select();
  };
  const revoke = async (/** @type {Link} */ { id }) => {
    if (storage.session(token)?.links?.[id] === created) created = "";
    await attempt(() => revokeLink(token, id));
    /** @type {HTMLElement | null} */ (host.querySelector(".share-form .button"))?.focus(); // the button is gone
  };
  const update = () => render(template({ token, links, created, error, create, revoke }), host);
  update();
  await attempt(async () => {});
}

/**
 * @typedef {object} View
 * @property {string} token
 * @property {Link[]} links
 * @property {string} created the address of the link that was just created
 * @property {string} error
 * @property {(event: SubmitEvent) => void} create
 * @property {(link: Link) => void} revoke
 */

/** @type {(view: View) => unknown} */
function template({ token, links, created, error, create, revoke }) {
  const session = storage.session(token);
  const choices = [
    ["", gettext("With this conversation")],
    [HOUR_S, gettext("After one hour")],
    [24 * HOUR_S, gettext("After one day")],
  ];
  return html`<link rel="stylesheet" href=${STYLES}>
    <p class="hint">${gettext("Anyone who has the link can read the messages up to now. Later messages are not added. It ends with this conversation at the latest, and you can revoke it.")}</p>
    <form class="share-form" @submit=${create}>
      <fieldset class="choices"><legend>${gettext("The link ends")}</legend>
        ${choices.map(([value, label]) => html`<label><input type="radio" name="ttl" value=${value} ?checked=${value === ""}>${label}</label>`)}
      </fieldset>
      <label class="choice"><input type="checkbox" name="show-name"><span dir="auto">${format(gettext("Show my name (%(name)s)"), { name: session?.name ?? "" })}</span></label>
      <button class="button">${gettext("Create link")}</button>
    </form>
    <p class="error" role="alert">${error}</p>
    ${created ? newLinkTemplate(created) : nothing}
    ${links.length ? html`<h3>${gettext("Links to this conversation")}</h3>
      <ul class="share-links">${links.map((link) => linkTemplate(link, session?.links?.[link.id], revoke))}</ul>` : nothing}`;
}

/** @type {(url: string) => unknown} */
const newLinkTemplate = (url) => html`<div class="share-new" role="status">
  <input class="field" readonly dir="ltr" aria-label=${gettext("Address of the link")} .value=${url}
    @focus=${(/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).select()}>
  ${copyButton(url)}</div>`;

/** @type {(link: Link, url: string | undefined, revoke: (link: Link) => void) => unknown} */
function linkTemplate(link, url, revoke) {
  const count = link.messages;
  const time = formatFull(link.created);
  const contents = format(ngettext("%(count)s message, as of %(time)s.", "%(count)s messages, as of %(time)s.", count), { count, time });
  const end = link.ends ? format(gettext("Ends %(time)s."), { time: formatFull(link.ends) }) : gettext("Ends with this conversation.");
  return html`<li><p>${contents} <span class="hint">${end} ${link.show_name ? gettext("Shows your name.") : nothing}
      ${url ? nothing : gettext("Only the browser that created it knows its address.")}</span></p>
    <span class="share-buttons">${url ? copyButton(url) : nothing}
      <button type="button" class="button small danger" @click=${() => revoke(link)}>${gettext("Revoke")}</button></span></li>`;
}

/** @type {(url: string) => unknown} */
const copyButton = (url) => html`<button type="button" class="button small share-copy"
  @click=${(/** @type {Event} */ event) => copy(url, /** @type {HTMLElement} */ (event.currentTarget))}>${ICONS.copy}${ICONS.check} ${gettext("Copy link")}</button>`;

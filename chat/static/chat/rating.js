// <reply-rating>: what the visitor thinks of a reply. Loaded with the first reply. Its attributes are the stored rating
// and comment; a choice is sent as the event "rate" and shown once the server has stored it.

import { html, nothing, render, svg } from "../vendor/lit-html/lit-html.js";
import { ICONS } from "./icons.js";
import { loadStyles } from "./styles.js";

/** @typedef {"up" | "down"} Rating */

const MAX_CHARS = 1000; // as MAX_COMMENT_CHARS of the server
const THUMB = svg`<path d="M7 11v9H4v-9zM7 12l4-8c1.6 0 2.5 1.2 2.2 2.7L12.6 10H18a2 2 0 0 1 2 2.4l-1.3 6A2 2 0 0 1 16.8 20H7"/>`;
/** @type {Record<Rating, unknown>} */
const THUMBS = {
  up: svg`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${THUMB}</svg>`,
  down: svg`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><g transform="rotate(180 12 12)">${THUMB}</g></svg>`,
};

void loadStyles("rating.css");

let lastId = 0;

class ReplyRating extends HTMLElement {
  static observedAttributes = ["rating", "comment"];
  #fieldId = `rating-comment-${++lastId}`;
  #isSent = false;
  #isOpen = false;
  #status = "";

  connectedCallback() { this.#render(); }

  /** @type {(name: string, before: string | null, after: string | null) => void} */
  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (this.#isSent && name === "comment" && after) this.#status = gettext("Thank you for your feedback.");
    this.#isSent = false;
    if (!this.#rating) this.#isOpen = false;
    if (this.isConnected) this.#render();
  }

  get #rating() { return this.getAttribute("rating"); }
  get #comment() { return this.getAttribute("comment") ?? ""; }

  /** @type {(rating: Rating | null, comment: string) => void} */
  #send(rating, comment) {
    this.#status = "";
    if ((rating ?? "") === this.#rating && comment === this.#comment) return;
    this.#isSent = true;
    this.dispatchEvent(new CustomEvent("rate", { bubbles: true, detail: { id: this.dataset.id, rating, comment } }));
  }

  /** @type {(rating: Rating) => void} */
  #choose(rating) {
    const isRevoked = this.#rating === rating;
    this.#send(isRevoked ? null : rating, "");
    this.#isOpen = !isRevoked;
    this.#render();
  }

  #close() {
    this.#isOpen = false;
    this.#render();
    this.querySelector("button")?.focus();
  }

  #submit(/** @type {SubmitEvent} */ event) {
    event.preventDefault();
    const comment = this.querySelector("textarea")?.value.trim() ?? "";
    this.#send(/** @type {Rating | null} */ (this.#rating || null), comment);
    this.#close();
  }

  #render() {
    const rating = this.#rating;
    render(html`
      <span class="turn-buttons${rating ? " rated" : ""}" aria-busy=${this.#isSent ? "true" : "false"}>
        ${this.#button("up", gettext("Good reply"))}${this.#button("down", gettext("Bad reply"))}
        ${rating && !this.#isOpen
          ? html`<button type="button" class="link-button" @click=${() => this.#open()}>${this.#comment ? gettext("Edit comment") : gettext("Add a comment")}</button>`
          : nothing}
      </span>
      <span class="status" role="status">${this.#isOpen ? "" : this.#status}</span>
      ${this.#isOpen ? this.#form(rating) : nothing}`, this);
  }

  #open() {
    this.#isOpen = true;
    this.#render();
    this.querySelector("textarea")?.focus();
  }

  /** @type {(rating: Rating, label: string) => unknown} */
  #button(rating, label) {
    return html`<button type="button" class="icon-button" aria-label=${label} title=${label}
      aria-pressed=${this.#rating === rating ? "true" : "false"} @click=${() => this.#choose(rating)}>${THUMBS[rating]}</button>`;
  }

  /** @type {(rating: string | null) => unknown} */
  #form(rating) {
    const question = rating === "down" ? gettext("What was wrong with it?") : gettext("What was good about it?");
    return html`<form class="rating-form" @submit=${(/** @type {SubmitEvent} */ event) => this.#submit(event)} @keydown=${(/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") { event.stopPropagation(); this.#close(); }
    }}>
      <label for=${this.#fieldId}>${question}</label>
      <textarea id=${this.#fieldId} class="field" rows="2" maxlength=${MAX_CHARS} dir="auto"
        aria-describedby="${this.#fieldId}-hint" .value=${this.#comment}></textarea>
      <p id="${this.#fieldId}-hint" class="hint">${gettext("The operator of this site can read your comment with the conversation.")}</p>
      <div class="rating-buttons">
        <button class="button small">${gettext("Send comment")}</button>
        <button type="button" class="icon-button" aria-label=${gettext("Close")} title=${gettext("Close")} @click=${() => this.#close()}>${ICONS.close}</button>
      </div>
    </form>`;
  }
}

customElements.define("reply-rating", ReplyRating);

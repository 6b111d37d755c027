// <question-editor>: a question that is being edited, in its place. Loaded when the first one is.

import { html, render } from "../vendor/lit-html/lit-html.js";
import { remainingText } from "./render.js";
import { loadStyles } from "./styles.js";

/** @typedef {import("./turns.js").Turn} Turn */
/**
 * @typedef {object} EditorActions
 * @property {number} maxChars
 * @property {(turn: Turn, text: string | null) => void} setEdit null: cancel
 * @property {(turn: Turn, text: string) => void} sendEdit
 */

await loadStyles("question_editor.css");

class QuestionEditor extends HTMLElement {
  /** @type {EditorActions | undefined} */ actions;
  /** @type {Turn | undefined} */ #turn;

  /** @param {Turn} turn */
  set turn(turn) {
    this.#turn = turn;
    render(this.#template(turn, turn.edit ?? ""), this);
    this.#grow();
  }

  focus() {
    const box = this.querySelector("textarea");
    box?.focus();
    box?.setSelectionRange(box.value.length, box.value.length);
  }

  /** @type {(turn: Turn, text: string) => unknown} */
  #template(turn, text) {
    const reason = this.#reason(turn, text);
    return html`<form class="question-editor" @submit=${(/** @type {Event} */ event) => { event.preventDefault(); this.#send(); }}>
      <textarea class="field message-field" rows="1" dir="auto" enterkeyhint="send" aria-label=${gettext("Edit your message")}
        aria-describedby="edit-hint" .value=${text}
        @input=${(/** @type {Event} */ event) => this.actions?.setEdit(turn, /** @type {HTMLTextAreaElement} */ (event.target).value)}
        @keydown=${(/** @type {KeyboardEvent} */ event) => this.#key(event)}></textarea>
      <div class="question-editor-foot">
        <p id="edit-hint" class=${this.#isTooLong(text) ? "hint error" : "hint"}>${this.#isTooLong(text)
          ? reason : gettext("It replaces this message and all that follow. They stay available as an earlier version.")}</p>
        <div class="question-editor-buttons"><button type="button" class="button small" @click=${() => this.actions?.setEdit(turn, null)}>${gettext("Cancel")}</button>
        <button class="button small primary" aria-disabled=${reason ? "true" : "false"} title=${reason}>${gettext("Send")}</button></div>
      </div></form>`;
  }

  /** Why it cannot be sent now, or "". @type {(turn: Turn, text: string) => string} */
  #reason(turn, text) {
    if (!text.trim()) return gettext("Type a message first");
    if (this.#isTooLong(text)) return remainingText(this.#left(text));
    return turn.editable === "later" ? gettext("Wait for the reply, or stop it first.") : "";
  }

  #left(/** @type {string} */ text) { return (this.actions?.maxChars ?? Infinity) - [...text.trim()].length; }
  #isTooLong(/** @type {string} */ text) { return this.#left(text) < 0; }

  #send() {
    const [turn, text] = [this.#turn, this.#turn?.edit ?? ""];
    if (turn && !this.#reason(turn, text)) this.actions?.sendEdit(turn, text.trim());
  }

  /** Enter that ends a composition belongs to the input method, as in the message box. */
  #key(/** @type {KeyboardEvent} */ event) {
    if (event.isComposing || event.keyCode === 229 || event.shiftKey || event.altKey || !this.#turn) return;
    if (event.key === "Enter") this.#send();
    else if (event.key === "Escape") this.actions?.setEdit(this.#turn, null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #grow() {
    const box = this.querySelector("textarea");
    if (!box || CSS.supports("field-sizing", "content")) return;
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  }
}

customElements.define("question-editor", QuestionEditor);

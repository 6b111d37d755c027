// The message box: grows with its text, sends on Enter, saves its draft, recalls earlier messages.

const SAVE_DELAY_MS = 250;

export class Composer {
  #timer = 0;
  /** How many messages back the text is; 0: it is the visitor's own. */
  #recalled = 0;

  /**
   * @param {HTMLFormElement} form
   * @param {{send: (text: string) => boolean, save: (text: string) => void, changed: () => void, sent: () => string[]}} actions
   *   send returns whether it accepted the text; sent returns the visitor's messages, oldest first
   */
  constructor(form, actions) {
    this.box = /** @type {HTMLTextAreaElement} */ (form.querySelector("textarea"));
    this.actions = actions;
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#send(); });
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.box.addEventListener("input", () => this.#changed());
    addEventListener("pagehide", () => this.saveNow());
  }

  get text() { return this.box.value; }

  /** @param {string} text */
  set text(text) {
    this.box.value = text;
    this.#changed();
  }

  focus() { this.box.focus(); }

  #send() {
    if (!this.box.value.trim()) return this.focus();
    if (!this.actions.send(this.box.value.trim())) return;
    this.text = "";
    this.saveNow();
  }

  /** Enter that ends a composition (Japanese, Chinese, Korean) belongs to the input method; Safari reports it as keyCode 229. */
  #key(/** @type {KeyboardEvent} */ event) {
    if (event.isComposing || event.keyCode === 229 || event.shiftKey || event.altKey) return;
    if (event.key === "ArrowUp" && this.#recall(1)) event.preventDefault();
    if (event.key === "ArrowDown" && this.#recall(-1)) event.preventDefault();
    if (event.key !== "Enter") return;
    event.preventDefault();
    this.#send();
  }

  /** Replace the text by an earlier message, or by a later one. A text of the visitor's own stays.
   * @param {1 | -1} step back or forth
   * @returns whether it did */
  #recall(step) {
    const { value, selectionStart, selectionEnd } = this.box;
    const sent = this.actions.sent();
    if (value !== (this.#recalled ? sent.at(-this.#recalled) : "")) this.#recalled = 0;
    const isOwn = !this.#recalled && value;
    // Inside a text of several lines the key moves the caret.
    const isInside = selectionStart !== selectionEnd || (step > 0 ? value.slice(0, selectionStart) : value.slice(selectionEnd)).includes("\n");
    const next = this.#recalled + step;
    if (isOwn || isInside || next < 0 || next > sent.length) return false;
    this.#recalled = next;
    this.text = next ? sent[sent.length - next] : "";
    return true;
  }

  #changed() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.saveNow(), SAVE_DELAY_MS);
    this.actions.changed();
    if (!CSS.supports("field-sizing", "content")) this.#grow();
  }

  #grow() {
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
  }

  /** Save an unsaved draft. */
  saveNow() {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.actions.save(this.box.value);
  }
}

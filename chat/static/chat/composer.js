// The message box: grows with its text, sends on Enter, saves its draft.

const SAVE_DELAY_MS = 250;

export class Composer {
  #timer = 0;

  /**
   * @param {HTMLFormElement} form
   * @param {{send: (text: string) => boolean, save: (text: string) => void, changed: (text: string) => void}} actions
   *   send returns whether it accepted the text
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
    if (!this.box.value.trim() || !this.actions.send(this.box.value.trim())) return;
    this.text = "";
    this.saveNow();
  }

  /** Enter that ends a composition (Japanese, Chinese, Korean) belongs to the input method; Safari reports it as keyCode 229. */
  #key(/** @type {KeyboardEvent} */ event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#send();
  }

  #changed() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.saveNow(), SAVE_DELAY_MS);
    this.actions.changed(this.box.value);
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

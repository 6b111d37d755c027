// The texts of messages. <reply-text> renders Markdown once the renderer is loaded, plain text until then.

/** @type {Promise<typeof import("./markdown.js") | null> | undefined} */
let loading;

/** Load the Markdown renderer; null if that fails. */
export function loadMarkdown() {
  loading ??= import("./markdown.js").catch(() => { loading = undefined; return null; });
  return loading;
}

class ReplyText extends HTMLElement {
  #text = "";
  #isFinal = false;
  #scheduled = false;
  #isPlain = false;
  /** @type {import("./markdown.js").Blocks | null} */ #blocks = null;

  /** @param {{text: string, isFinal: boolean}} content */
  set content({ text, isFinal }) {
    if (text === this.#text && isFinal === this.#isFinal) return;
    this.#text = text;
    this.#isFinal = isFinal;
    if (isFinal) this.#isPlain = false; // the end of a text may change how its beginning is nested
    void this.#show();
  }

  get text() { return this.#text; }

  async #show() {
    if (this.#blocks) return this.#update();
    if (markdown && !this.#isPlain) return this.#render(markdown);
    this.textContent = this.#text;
    this.classList.add("plain");
    if (this.#scheduled || this.#isPlain) return;
    this.#scheduled = true;
    markdown = await loadMarkdown();
    if (markdown) this.#render(markdown);
    this.#scheduled = false;
  }

  #render(/** @type {typeof import("./markdown.js")} */ { Blocks }) {
    this.replaceChildren();
    this.classList.remove("plain");
    this.#blocks = new Blocks(this);
    this.#update();
  }

  /** A text that is nested too deeply for the renderer stays plain. */
  #update() {
    try {
      this.#blocks?.update(this.#text, this.#isFinal);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#blocks = null;
      this.#isPlain = true;
      this.textContent = this.#text;
      this.classList.add("plain");
    }
  }
}

/** <human-text>: a visitor's message as it was typed, with its fenced code as blocks. */
class HumanText extends HTMLElement {
  #text = "";

  set text(/** @type {string} */ text) {
    if (text === this.#text) return;
    this.#text = text;
    this.textContent = text;
    if (CODE_FENCE.test(text)) void this.#showCode();
  }

  async #showCode() {
    markdown ??= await loadMarkdown();
    if (markdown) this.replaceChildren(...markdown.withCodeBlocks(this.#text));
  }
}

const CODE_FENCE = /^ {0,3}(?:```|~~~)/m;
/** @type {typeof import("./markdown.js") | null} */
let markdown = null;

customElements.define("reply-text", ReplyText);
customElements.define("human-text", HumanText);

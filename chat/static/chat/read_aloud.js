// <read-aloud>: the buttons below a reply that read it aloud. There are none without a voice on this device.

import { html, nothing, render, svg } from "../vendor/lit-html/lit-html.js";
import { ICONS } from "./icons.js";
import { pause, resume, speak, stop, voices } from "./speech.js";
import { languageOf } from "./text_language.js";

const icon = (/** @type {unknown} */ paths) => svg`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${paths}</svg>`;
const SPEAKER = icon(svg`<path d="M4 10v4h3l5 4V6L7 10zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11"/>`);
const PAUSE = icon(svg`<path d="M9 6v12M15 6v12"/>`);
const RESUME = icon(svg`<path d="M8 5l10 7l-10 7z"/>`);

class ReadAloud extends HTMLElement {
  /** @type {import("./speech.js").SpeechState} */ #state = "idle";

  connectedCallback() {
    speechSynthesis.addEventListener("voiceschanged", this.#render);
    this.#render();
  }

  disconnectedCallback() {
    speechSynthesis.removeEventListener("voiceschanged", this.#render);
    if (this.#state !== "idle") stop();
  }

  #render = () => {
    const [label, symbol, action] = {
      idle: [gettext("Read aloud"), SPEAKER, this.#start],
      speaking: [gettext("Pause reading"), PAUSE, pause],
      paused: [gettext("Continue reading"), RESUME, resume],
    }[this.#state];
    const isIdle = this.#state === "idle";
    this.classList.toggle("reading", !isIdle);
    // The first button stays the same element, so that it keeps the focus.
    render(!voices().length ? nothing : html`
      <button type="button" class="icon-button" aria-label=${label} title=${label} @click=${action}>${symbol}</button>
      ${isIdle ? nothing : html`<button type="button" class="icon-button" aria-label=${gettext("Stop reading")}
        title=${gettext("Stop reading")} @click=${this.#stop}>${ICONS.stop}</button>`}`, this);
  };

  #start = () => {
    const reply = this.closest(".bot")?.querySelector("reply-text");
    const blocks = reply ? textsOf(reply) : [];
    const language = languageOf(blocks.join("\n"), document.documentElement.lang);
    speak(blocks.flatMap((block) => sentencesOf(block, language)), language, (state) => {
      this.#state = state;
      this.#render();
    });
  };

  #stop = () => {
    stop();
    this.querySelector("button")?.focus();
  };
}

/** The rendered text of each block: no Markdown marks, and no code. @type {(reply: Element) => string[]} */
function textsOf(reply) {
  if (!reply.children.length) return [reply.textContent ?? ""];
  return [...reply.children].map((block) => (block.matches("figure")
    ? gettext("Code block")
    : /** @type {HTMLElement} */ (block).innerText.replaceAll("\t", ", ")));
}

/** @type {(text: string, language: string) => string[]} */
const sentencesOf = (text, language) => text.split("\n").flatMap((line) =>
  [...new Intl.Segmenter(language, { granularity: "sentence" }).segment(line)].map(({ segment }) => segment.trim()))
  .filter((sentence) => /[\p{L}\p{N}]/u.test(sentence));

customElements.define("read-aloud", ReadAloud);

// <count-down>: the time left until a moment, told every second.

import { countdown } from "./words.js";

class CountDown extends HTMLElement {
  #until = 0;
  #timer = 0;

  /** @param {number} moment ms since the epoch */
  set until(moment) {
    this.#until = moment;
    this.#tell();
  }

  connectedCallback() {
    this.role = "timer";
    this.ariaLive = "off";
    this.#timer = window.setInterval(() => this.#tell(), 1000);
    this.#tell();
  }

  disconnectedCallback() { clearInterval(this.#timer); }

  #tell() { this.textContent = countdown((this.#until - Date.now()) / 1000); }
}

customElements.define("count-down", CountDown);

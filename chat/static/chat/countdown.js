// <count-down>: the time left, updated every second.

class CountDown extends HTMLElement {
  #until = 0;
  #timer = 0;

  /** @param {number} timestamp ms since the epoch */
  set until(timestamp) {
    this.#until = timestamp;
    this.#render();
  }

  connectedCallback() {
    this.role = "timer";
    this.ariaLive = "off";
    this.#timer = window.setInterval(() => this.#render(), 1000);
    this.#render();
  }

  disconnectedCallback() { clearInterval(this.#timer); }

  #render() { this.textContent = duration((this.#until - Date.now()) / 1000); }
}

/** "0:42" or, from one hour on, "1:05:00". @type {(seconds: number) => string} */
function duration(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  const [hours, minutes] = [Math.floor(left / 3600), Math.floor(left / 60) % 60];
  const pad = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(left % 60)}` : `${minutes}:${pad(left % 60)}`;
}

customElements.define("count-down", CountDown);

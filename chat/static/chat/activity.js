// Whether the user is active in this tab: it is visible, and there was an input a short time ago.

/** The user is active for so long after the last input. */
const ACTIVE_MS = 30_000;
const INPUTS = ["keydown", "pointerdown", "pointermove", "wheel"];

export class Activity {
  #inputAt = performance.now();
  #isActive = false;

  /**
   * @param {() => boolean} isAwaiting whether the user waits for something, which counts as activity
   * @param {(isActive: boolean) => void} onChange
   */
  constructor(isAwaiting, onChange) {
    this.isAwaiting = isAwaiting;
    this.onChange = onChange;
    document.addEventListener("visibilitychange", () => this.renew());
    addEventListener("offline", () => this.renew());
    for (const type of INPUTS) {
      addEventListener(type, () => { this.#inputAt = performance.now(); if (!this.#isActive) this.#update(); }, { capture: true, passive: true });
    }
    setInterval(() => this.#update(), 1000);
  }

  /** Count from now, and report at once. */
  renew() {
    this.#inputAt = performance.now();
    this.#update(true);
  }

  #update(isForced = false) {
    const wasActive = this.#isActive;
    this.#isActive = !document.hidden && (performance.now() - this.#inputAt < ACTIVE_MS || this.isAwaiting());
    if (isForced || this.#isActive !== wasActive) this.onChange(this.#isActive);
  }
}

// Keeps the transcript scrolled to its end while the reader is at the end, else to what the reader sees.

const NEAR_PX = 48;

export class AutoScroll {
  isAtEnd = true;
  /** Whether less than a screen is left above. */
  isNearStart = true;
  #top = 0;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} content
   * @param {() => void} onChange called when isAtEnd changes, and when the reader comes near the start
   */
  constructor(scroller, content, onChange) {
    this.scroller = scroller;
    this.onChange = onChange;
    scroller.addEventListener("scroll", () => this.#update(), { passive: true });
    const observer = new ResizeObserver(() => this.follow());
    observer.observe(content);
    observer.observe(scroller);
  }

  /** Stay at the end if the reader is there. */
  follow() {
    if (this.isAtEnd) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#update();
  }

  /** Make a change that adds content above, without moving what the reader sees. @param {() => void} change */
  addAbove(change) {
    const { scroller } = this;
    const below = scroller.scrollHeight - scroller.scrollTop;
    change();
    if (!this.isAtEnd) scroller.scrollTop = scroller.scrollHeight - below;
  }

  /** Make a change without moving an element on the screen. @type {(element: Element, change: () => void) => void} */
  keep(element, change) {
    const { top } = element.getBoundingClientRect();
    change();
    if (element.isConnected) this.scroller.scrollTop += element.getBoundingClientRect().top - top;
    this.#update();
  }

  /** Scroll to the end and stay there. */
  jump() {
    this.#set(true);
    this.follow();
  }

  /** Only scrolling up leaves the end. Growing content moves the end away too, but the reader has not left it. */
  #update() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    const isNear = scrollHeight - scrollTop - clientHeight <= NEAR_PX;
    const isScrolledUp = scrollTop < this.#top;
    this.#top = scrollTop;
    if (isNear || isScrolledUp) this.#set(isNear);
    const wasNearStart = this.isNearStart;
    this.isNearStart = scrollTop < clientHeight;
    if (this.isNearStart && !wasNearStart) this.onChange();
  }

  #set(/** @type {boolean} */ isAtEnd) {
    if (isAtEnd === this.isAtEnd) return;
    this.isAtEnd = isAtEnd;
    this.onChange();
  }
}

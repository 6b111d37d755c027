// Keeps the transcript scrolled to its end while the reader is at the end.

const NEAR_PX = 48;

export class AutoScroll {
  isAtEnd = true;
  #top = 0;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} content
   * @param {() => void} onChange called when isAtEnd changes
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
  }

  #set(/** @type {boolean} */ isAtEnd) {
    if (isAtEnd === this.isAtEnd) return;
    this.isAtEnd = isAtEnd;
    this.onChange();
  }
}

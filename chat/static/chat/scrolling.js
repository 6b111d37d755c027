// The talk follows its end only while the reader is at the end.

const NEAR_PX = 48;

export class Follower {
  isAtEnd = true;
  #top = 0;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} content
   * @param {(isAtEnd: boolean) => void} onChange
   */
  constructor(scroller, content, onChange) {
    this.scroller = scroller;
    this.onChange = onChange;
    scroller.addEventListener("scroll", () => this.#look(), { passive: true });
    const resized = new ResizeObserver(() => this.follow());
    resized.observe(content);
    resized.observe(scroller);
  }

  /** Stay at the end, if the reader is there. */
  follow() {
    if (this.isAtEnd) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#look();
  }

  /** Go to the end and stay there. */
  jump() {
    this.#set(true);
    this.follow();
  }

  /** Only who moves up leaves the end: a talk that grows moves it away, too, and is followed. */
  #look() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    const isNear = scrollHeight - scrollTop - clientHeight <= NEAR_PX;
    const isMovedUp = scrollTop < this.#top;
    this.#top = scrollTop;
    if (isNear || isMovedUp) this.#set(isNear);
  }

  #set(/** @type {boolean} */ isAtEnd) {
    if (isAtEnd === this.isAtEnd) return;
    this.isAtEnd = isAtEnd;
    this.onChange(isAtEnd);
  }
}

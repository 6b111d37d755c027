// The talk follows its end only while the reader is at the end.

const NEAR_PX = 48;

export class Follower {
  isAtEnd = true;

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
    else this.#look();
  }

  /** Go to the end and stay there. */
  jump() {
    this.#set(true);
    this.follow();
  }

  #look() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    this.#set(scrollHeight - scrollTop - clientHeight <= NEAR_PX);
  }

  #set(/** @type {boolean} */ isAtEnd) {
    if (isAtEnd === this.isAtEnd) return;
    this.isAtEnd = isAtEnd;
    this.onChange(isAtEnd);
  }
}

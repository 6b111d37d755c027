// The sidebar as a drawer: on narrow screens it covers the page.

/** @type {(id: string) => any} */
const element = (id) => document.getElementById(id);
const isNarrow = matchMedia("(width < 60rem)");

export class Drawer {
  isOpen = false;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    isNarrow.addEventListener("change", () => this.set(false));
    document.addEventListener("click", (event) => {
      const isInside = /** @type {Element} */ (event.target).closest("#sidebar, #open-sidebar, dialog");
      if (this.isOpen && !isInside) this.set(false);
    });
  }

  /** Whether the sidebar is one. */
  get isNeeded() { return isNarrow.matches; }

  /** A sidebar that covers the page is a modal dialog: the rest is inert for screen readers, too.
   * @param {boolean} open */
  set(open) {
    const wasOpen = this.isOpen;
    this.isOpen = open;
    const [sidebar, isModal] = [element("sidebar"), open && isNarrow.matches];
    element("page").inert = isModal;
    sidebar.role = isModal ? "dialog" : "complementary";
    sidebar.ariaModal = isModal ? "true" : null;
    this.onChange();
    if (isModal) requestAnimationFrame(() => sidebar.querySelector("button")?.focus());
    else if (wasOpen) requestAnimationFrame(() => element("open-sidebar")?.focus());
  }
}

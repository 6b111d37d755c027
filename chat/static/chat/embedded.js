// The page in a frame of another website: what it and the launcher around it (static/embed/launcher.js) tell each other.

/**
 * @typedef {object} Page
 * @property {() => void} focus go to the message box
 * @property {() => boolean} isBusy whether Escape does something on the page itself
 * @property {(name: string) => void} identify use this name, and start a conversation if none is shown
 */

/** Say that the page is ready, and listen to the website around its frame, if its origin may embed the page.
 * @type {(origins: string[], page: Page) => {reply: () => void}} */
export function connect(origins, page) {
  /** Nothing of this is secret: whoever shows the page in a frame is in `origins`, or the browser would not show it.
   * @type {(type: "ready" | "reply" | "close") => void} */
  const tell = (type) => window.parent.postMessage({ from: "chat", type }, "*");
  addEventListener("message", ({ source, origin, data }) => {
    if (source !== window.parent || !origins.includes(origin) || data?.from !== "chat.embed") return;
    if (data.type === "opened") page.focus();
    const name = typeof data.name === "string" ? data.name.trim().slice(0, nameLength()) : "";
    if (name) page.identify(name);
  });
  // Captured, to see the page as it was before Escape closed something.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]") && !page.isBusy()) tell("close");
  }, true);
  document.documentElement.classList.add("embedded");
  tell("ready");
  return { reply: () => tell("reply") };
}

const nameLength = () => /** @type {HTMLInputElement} */ (document.getElementById("name")).maxLength;

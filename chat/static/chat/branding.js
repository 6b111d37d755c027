// What the operator added to the page, if there is something.

import "./reply_text.js";
import * as storage from "./storage.js";

/** @param {{send: (text: string) => void, focus: () => void}} actions */
export function showBranding({ send, focus }) {
  showWelcome();

  document.querySelector(".suggestions")?.addEventListener("click", (event) => {
    const button = /** @type {HTMLElement} */ (event.target).closest("button");
    if (button) send(button.textContent ?? "");
  });

  const banner = document.querySelector(".banner");
  banner?.querySelector("button")?.addEventListener("click", () => {
    storage.setClosedBanner(document.documentElement.dataset.banner ?? "");
    banner.remove();
    focus();
  });
}

/** Render the welcome text's Markdown. */
export function showWelcome() {
  for (const welcome of /** @type {NodeListOf<any>} */ (document.querySelectorAll(".welcome-text"))) {
    welcome.content = { text: welcome.textContent, isFinal: true };
  }
}

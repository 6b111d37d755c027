// @ts-check
// Shows replies on a session's page as visitors see them, if the operator wishes so.

/** @type {WeakMap<Element, string>} */
const sources = new WeakMap();
const checkbox = /** @type {HTMLInputElement | null} */ (document.getElementById("render-markdown"));

/** Render or restore the replies that are shown now. */
async function update() {
  if (!checkbox) return;
  const { Blocks } = await import("../chat/markdown.js");
  for (const text of document.querySelectorAll(".chat-bot .chat-text")) {
    const source = sources.get(text);
    if (checkbox.checked && source === undefined) {
      const markdown = text.textContent ?? "";
      sources.set(text, markdown);
      text.replaceChildren();
      new Blocks(/** @type {HTMLElement} */ (text)).update(markdown, true);
      text.classList.add("chat-rendered");
    } else if (!checkbox.checked && source !== undefined) {
      sources.delete(text);
      text.textContent = source;
      text.classList.remove("chat-rendered");
    }
  }
}

// The renderer translates the labels of its buttons; the admin is in English.
globalThis.gettext ??= (/** @type {string} */ text) => text;
checkbox?.addEventListener("change", update);
document.addEventListener("chat:updated", () => { if (checkbox?.checked) void update(); });

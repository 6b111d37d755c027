// Copies text to the clipboard. Pages served without TLS have no navigator.clipboard.

const DONE_SHOWN_MS = 1500;

/** Copy text and mark the button as done. Return whether it worked.
 * @type {(text: string, button?: HTMLElement) => Promise<boolean>} */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copySelection(text)) return false;
  }
  button?.classList.add("done");
  setTimeout(() => button?.classList.remove("done"), DONE_SHOWN_MS);
  return true;
}

/** Do what a click on a button of a code block asks for: wrap its lines or copy them.
 * @type {(event: MouseEvent, copyCode: (code: string, button: HTMLElement) => unknown) => void} */
export function handleCodeButton(event, copyCode) {
  const target = /** @type {HTMLElement} */ (event.target);
  const wrap = target.closest("[data-wrap-code]");
  if (wrap) wrap.ariaPressed = String(wrap.closest("figure")?.classList.toggle("wrapped"));
  const button = target.closest("[data-copy-code]");
  const code = button?.closest("figure")?.querySelector("code")?.textContent;
  if (code) copyCode(code, /** @type {HTMLElement} */ (button));
}

/** @type {(text: string) => boolean} */
function copySelection(text) {
  const focused = document.activeElement;
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "visually-hidden";
  document.body.append(box);
  box.select();
  const isCopied = document.execCommand("copy");
  box.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}

// Copying, also where the page has no TLS and so no clipboard interface.

const DONE_MS = 1500;

/** Copy a text, show on the button that it is done, and return whether it is.
 * @type {(text: string, button?: HTMLElement) => Promise<boolean>} */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copyBySelection(text)) return false;
  }
  button?.classList.add("done");
  setTimeout(() => button?.classList.remove("done"), DONE_MS);
  return true;
}

/** @type {(text: string) => boolean} */
function copyBySelection(text) {
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

// Copying, also where the page has no TLS and so no clipboard interface.

/** Copy a text and show on the button that it is done. @type {(text: string, button: HTMLElement) => Promise<void>} */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copyBySelection(text)) return;
  }
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
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

// Where the keyboard focus goes when what had it disappears.

/** On touch devices, focusing a field opens a keyboard that covers half of the page. */
export const hasKeyboard = matchMedia("(hover: hover)");

/** @type {(id: string) => any} */
const element = (id) => document.getElementById(id);
const isConversation = () => document.documentElement.dataset.view === "conversation";

/** The field to type in. */
const field = () => element(isConversation() ? "message" : "name");

/** The list's current entry, or the button above the list. */
export const currentEntry = () => element("sidebar").querySelector("[aria-current=true]") ?? element("sidebar").querySelector(".sidebar-new");

/** Focus the list's current entry; if there is no list, the field to type in. */
export function focusList() {
  const entry = currentEntry();
  if (entry?.checkVisibility()) entry.focus();
  else if (hasKeyboard.matches) field().focus();
}

/** Keep the focus near a button that disappears, without opening a keyboard on the screen. */
export function focusComposer() {
  if (hasKeyboard.matches) field().focus();
  else element("transcript").focus();
}

/** Rendering may remove the focused button, or its whole conversation: the focus then stays near it.
 * @type {(action: () => void) => void} */
export function keepFocus(action) {
  const focused = document.activeElement;
  const wasInSidebar = element("sidebar").contains(focused);
  action();
  if (!focused || focused.isConnected) return;
  const form = element(isConversation() ? "composer" : "welcome");
  const entry = currentEntry();
  if (wasInSidebar && entry?.checkVisibility()) entry.focus();
  else form.querySelector(hasKeyboard.matches ? ".field" : ".primary")?.focus();
}

// Keyboard shortcuts. Single keys can be disabled; the others need Alt.

const ALT = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌥" : "Alt";

/** The list in the settings dialog. */
export const SHORTCUTS = () => [
  { keys: ["Enter"], description: gettext("Send the message") },
  { keys: ["Shift", "Enter"], description: gettext("Insert a new line") },
  { keys: ["Esc"], description: gettext("Stop the reply or close the dialog") },
  { keys: ["/"], description: gettext("Go to the message box") },
  { keys: ["↑"], description: gettext("In an empty message box: recall your earlier messages") },
  { keys: [ALT, "↑"], description: gettext("Edit your last message") },
  { keys: [ALT, "↓"], description: gettext("Jump to the latest message") },
  { keys: [ALT, "R"], description: gettext("Regenerate or retry") },
  { keys: [ALT, "C"], description: gettext("Copy the last reply") },
  { keys: [ALT, "N"], description: gettext("New conversation") },
  { keys: [ALT, "L"], description: gettext("List of conversations") },
  { keys: ["?"], description: gettext("Settings and shortcuts") },
];

/** @typedef {"stop"|"focus"|"edit"|"jump"|"regenerate"|"copy"|"startNew"|"list"|"settings"} Command */

/** @type {Record<string, Command>} */
const ALT_KEYS = { ArrowUp: "edit", ArrowDown: "jump", KeyR: "regenerate", KeyC: "copy", KeyN: "startNew", KeyL: "list" };
/** @type {Record<string, Command>} */
const SINGLE_KEYS = { "/": "focus", "?": "settings", "؟": "settings" };

/** The command of a key, if it has one.
 * @type {(event: KeyboardEvent, singleKeys: boolean) => Command | undefined} */
export function commandOf(event, singleKeys) {
  if (event.isComposing || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return undefined;
  if (event.altKey) return ALT_KEYS[event.code];
  if (event.key === "Escape") return "stop";
  const isTyping = event.target instanceof Element && event.target.closest("input, textarea, select");
  return singleKeys && !isTyping ? SINGLE_KEYS[event.key] : undefined;
}

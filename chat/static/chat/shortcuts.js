// Every action by keyboard. Single keys can be switched off; the others need Alt.

const ALT = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌥" : "Alt";

/** What the list shows. */
export const SHORTCUTS = () => [
  { keys: ["Enter"], does: gettext("Send the message") },
  { keys: ["Shift", "Enter"], does: gettext("Insert a new line") },
  { keys: ["Esc"], does: gettext("Stop the reply, or close what is open") },
  { keys: ["/"], does: gettext("Go to the message box") },
  { keys: [ALT, "↑"], does: gettext("Edit and resend your last message") },
  { keys: [ALT, "↓"], does: gettext("Jump to the latest message") },
  { keys: [ALT, "R"], does: gettext("Regenerate or retry") },
  { keys: [ALT, "C"], does: gettext("Copy the last reply") },
  { keys: [ALT, "N"], does: gettext("New conversation") },
  { keys: [ALT, "L"], does: gettext("List of conversations") },
  { keys: ["?"], does: gettext("Settings and shortcuts") },
];

/** @typedef {"stop"|"box"|"edit"|"jump"|"again"|"copy"|"begin"|"list"|"settings"} Command */

/** @type {Record<string, Command>} */
const WITH_ALT = { ArrowUp: "edit", ArrowDown: "jump", KeyR: "again", KeyC: "copy", KeyN: "begin", KeyL: "list" };
/** @type {Record<string, Command>} */
const SINGLE = { "/": "box", "?": "settings" };

/** The command a key stands for, if any.
 * @type {(event: KeyboardEvent, singleKeys: boolean) => Command | undefined} */
export function commandOf(event, singleKeys) {
  if (event.isComposing || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return undefined;
  if (event.altKey) return WITH_ALT[event.code];
  if (event.key === "Escape") return "stop";
  const isTyping = event.target instanceof Element && event.target.closest("input, textarea, select");
  return singleKeys && !isTyping ? SINGLE[event.key] : undefined;
}

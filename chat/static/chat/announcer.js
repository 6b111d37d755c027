// What screen readers read.

import { errorMessage } from "./i18n.js";

/** Let screen readers read a text. A new element makes them repeat an equal text. @type {(text: string) => void} */
export function announce(text) {
  const line = document.createElement("p");
  line.textContent = text;
  document.getElementById("announcer")?.replaceChildren(line);
}

/** Announce a reply: what went wrong, or its text without that of the reply which it continues.
 * @type {(reply: import("./state.js").Message, state: import("./state.js").State) => void} */
export function announceReply({ error, msg = "", continues = "" }, { messages }) {
  announce(error ? errorMessage(error) : msg.slice(messages.get(continues)?.msg?.length ?? 0));
}

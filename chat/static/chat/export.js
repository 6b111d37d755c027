// Exports a conversation as a file.

import { fetchMessages } from "./http.js";
import { title } from "./sessions.js";
import { turns } from "./turns.js";

/** @typedef {{source: string, msg: string, timestamp: string, error?: {code: string, detail: string}}} ExportedMessage */

/** Download a conversation. Its messages come from the state if it has all of them, else from the server.
 * @type {(session: import("./storage.js").StoredSession, format: "markdown" | "json",
 *   state: import("./state.js").State | null) => Promise<void>} */
export async function exportConversation(session, format, state) {
  const messages = state && !state.hasEarlier ? visibleMessages(turns(state)) : await fetchMessages(session.token);
  const name = title(session);
  if (format === "json") download(`${name}.json`, "application/json", toJson(name, messages));
  else download(`${name}.md`, "text/markdown", toMarkdown(name, messages));
}

/** @type {(turns: import("./turns.js").Turn[]) => ExportedMessage[]} */
function visibleMessages(turns) {
  const accepted = turns.filter((turn) => turn.timestamp);
  return accepted.flatMap(({ msg, timestamp, reply }) => [
    { source: "human", msg, timestamp: String(timestamp) },
    ...(reply ? [{ source: "bot", msg: reply.msg ?? "", timestamp: String(reply.timestamp), error: reply.error }] : []),
  ]);
}

/** @type {(title: string, messages: ExportedMessage[]) => string} */
function toMarkdown(title, messages) {
  const parts = messages.map(({ source, msg, timestamp, error }) => {
    const author = source === "human" ? gettext("You") : gettext("Reply");
    return `## ${author}, ${timestamp}\n\n${[msg, error && `*${error.detail}*`].filter(Boolean).join("\n\n")}\n`;
  });
  return [`# ${title}\n`, ...parts].join("\n");
}

/** @type {(title: string, messages: ExportedMessage[]) => string} */
const toJson = (title, messages) => `${JSON.stringify({ name: title, messages }, null, 2)}\n`;

/** @type {(name: string, type: string, text: string) => void} */
function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name.replace(/[^\p{L}\p{N} ._-]/gu, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Exports a conversation as a file.

import { load } from "./archive.js";
import { fetchMessages } from "./http.js";
import { title } from "./sessions.js";
import { EMPTY, reduce } from "./state.js";
import { turns } from "./turns.js";

/** @typedef {{source: string, msg: string, timestamp: string, error?: {code: string, detail: string},
 *   operator?: string}} ExportedMessage */

/** Download a conversation. Its messages come from the state if it has all of them, else from the server, else from the
 * copy in this browser.
 * @type {(session: import("./storage.js").StoredSession, format: "markdown" | "json",
 *   state: import("./state.js").State | null) => Promise<void>} */
export async function exportConversation(session, format, state) {
  const messages = state && !state.hasEarlier ? visibleMessages(turns(state)) : await storedMessages(session);
  const name = title(session);
  if (format === "json") download(`${name}.json`, "application/json", toJson(name, messages));
  else download(`${name}.md`, "text/markdown", toMarkdown(name, messages));
}

/** @type {(session: import("./storage.js").StoredSession) => Promise<ExportedMessage[]>} */
async function storedMessages(session) {
  const copy = async () => {
    const messages = await load(session.token);
    return visibleMessages(turns(reduce(EMPTY, { type: "local.archived", messages })));
  };
  if (session.ended) return copy();
  try {
    return await fetchMessages(session.token);
  } catch (error) {
    const messages = await copy();
    if (messages.length) return messages;
    throw error;
  }
}

/** @type {(turns: import("./turns.js").Turn[]) => ExportedMessage[]} */
function visibleMessages(turns) {
  const accepted = turns.filter((turn) => turn.timestamp);
  return accepted.flatMap(({ msg, timestamp, reply }) => [
    ...(msg ? [{ source: "human", msg, timestamp: String(timestamp) }] : []),
    ...(reply && reply.finish_reason !== "answered_together"
      ? [{ source: reply.source ?? "bot", msg: reply.msg ?? "", timestamp: String(reply.timestamp), error: reply.error, operator: reply.operator }]
      : []),
  ]);
}

/** @type {(title: string, messages: ExportedMessage[]) => string} */
function toMarkdown(title, messages) {
  const parts = messages.map(({ source, msg, timestamp, error, operator }) => {
    const author = operator ?? (source === "human" ? gettext("You") : gettext("Reply"));
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

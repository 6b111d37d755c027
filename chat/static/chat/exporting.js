// A talk as a file. Pure but for the download itself.

/** @typedef {{source: string, msg: string, timestamp: string, error?: {code: string, detail: string}}} Said */

/** The messages a reader sees, in the order shown.
 * @type {(turns: import("./turns.js").Turn[]) => Said[]} */
export function saidIn(turns) {
  const kept = turns.filter((turn) => turn.timestamp);
  return kept.flatMap(({ msg, timestamp, reply }) => [
    { source: "human", msg, timestamp: String(timestamp) },
    ...(reply ? [{ source: "bot", msg: reply.msg ?? "", timestamp: String(reply.timestamp), error: reply.error }] : []),
  ]);
}

/** @type {(title: string, said: Said[]) => string} */
export function toMarkdown(title, said) {
  const parts = said.map(({ source, msg, timestamp, error }) => {
    const who = source === "human" ? gettext("You") : gettext("Reply");
    return `## ${who}, ${timestamp}\n\n${[msg, error && `*${error.detail}*`].filter(Boolean).join("\n\n")}\n`;
  });
  return [`# ${title}\n`, ...parts].join("\n");
}

/** @type {(title: string, said: Said[]) => string} */
export const toJson = (title, said) => `${JSON.stringify({ name: title, messages: said }, null, 2)}\n`;

/** @type {(name: string, type: string, text: string) => void} */
export function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name.replace(/[^\p{L}\p{N} ._-]/gu, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

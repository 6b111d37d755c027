// Which messages newer ones replace. The server says it too, but not to those who were sent both. Pure.

/** @typedef {import("./state.js").Message} Message */

/** Mark what newer messages replace: a reply replaces one reply; a question replaces another one, the questions after
 * that one, and the replies to all of them.
 * @type {(messages: Map<string, Message>, firstSeq: number) => Map<string, Message>} */
export function markReplaced(messages, firstSeq) {
  const replacing = [...messages.values()].filter(({ replaces, source }) => replaces && source).sort((a, b) => a.seq - b.seq);
  const mark = (/** @type {Message} */ message, /** @type {string} */ by) => {
    if (!message.replaced_by) messages.set(message.id, { ...message, replaced_by: by });
  };
  for (const { id, seq, source, replaces } of replacing) {
    const old = messages.get(String(replaces));
    if (source !== "human" && old) mark(old, id);
    const from = old?.seq ?? (isWholeUpTo(seq, messages, firstSeq) ? firstSeq : Infinity);
    if (source === "human") branch(messages, from, seq).forEach((message) => mark(message, id));
  }
  return messages;
}

/** The questions from one seq up to another, and the replies to them.
 * @type {(messages: ReadonlyMap<string, Message>, from: number, to: number) => Message[]} */
function branch(messages, from, to) {
  return [...messages.values()].filter((message) => {
    const question = message.reply_to ? messages.get(message.reply_to) : message;
    return question && question.seq >= from && question.seq < to;
  });
}

/** Whether no message before this seq is missing. If one is, it may be the one that is replaced.
 * @type {(seq: number, messages: ReadonlyMap<string, Message>, firstSeq: number) => boolean} */
const isWholeUpTo = (seq, messages, firstSeq) =>
  [...messages.values()].filter((message) => message.seq < seq).length === seq - firstSeq;

/** Add the texts of a version that are not known.
 * @type {(known: ReadonlyMap<string, Message>, version: Message[]) => ReadonlyMap<string, Message>} */
export function withTexts(known, version) {
  const messages = new Map(known);
  for (const message of version) {
    const stub = messages.get(message.id);
    if (stub && stub.msg === undefined) messages.set(message.id, { ...message, ...stub });
  }
  return messages;
}

// The state as the reader sees it: turns, each a human message with its reply. Pure.

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Message} Message */
/**
 * @typedef {object} Turn
 * @property {string} id of the human message
 * @property {string} msg "" if the reply is what a person wrote without a message to answer
 * @property {string} [timestamp]
 * @property {"waiting"|"sending"|"rejected"|"accepted"|"requested"|"queued"|"loading"|"streaming"|"done"|"failed"} phase
 * @property {import("./state.js").ErrorInfo} [error] why it was rejected, has to wait or failed
 * @property {Message|null} reply the committed reply
 * @property {import("./state.js").PartialReply|null} partial the reply that is not committed yet
 * @property {0|1|2} outOfContext 1: the model no longer receives the human message, 2: nor its reply
 * @property {boolean} isLast
 * @property {string} [model] label of the model that wrote the reply, if there are several
 * @property {"yes"|"later"|"no"} editable later: once it and those after it have their replies
 * @property {string} [edit] its new text while it is being edited
 * @property {string} [replaces] the question that this one, not accepted yet, is an edit of
 * @property {string} [key] the same for all versions of the question
 * @property {import("./versions.js").Pager} [pager] if the question has several versions
 * @property {import("./versions.js").Pager} [replyPager] if the reply has
 * @property {boolean} [isEarlier] the question is not the current version
 * @property {boolean} [isReplyEarlier] the reply is not
 */
/** @typedef {{humans: Message[], replies: Map<string, Message>}} Exchanges replies are keyed by the human message's id */

/** Deltas do not change the messages, so most calls find their result here.
 * @type {WeakMap<ReadonlyMap<string, Message>, Exchanges>} */
const cache = new WeakMap();

/** What a person wrote without a message to answer is a turn of its own. @type {(message: Message) => boolean} */
const isRemark = ({ source, reply_to }) => source === "operator" && !reply_to;

/** The human messages in order, and the current reply of each.
 * @type {(messages: ReadonlyMap<string, Message>) => Exchanges} */
function exchanges(messages) {
  const cached = cache.get(messages);
  if (cached) return cached;
  const all = [...messages.values()].sort((a, b) => a.seq - b.seq);
  const visible = all.filter((message) => message.source && !message.replaced_by);
  const grouped = {
    humans: visible.filter((message) => message.source === "human" || isRemark(message)),
    replies: new Map(visible.filter((m) => m.source !== "human" && m.reply_to).map((m) => [String(m.reply_to), m])),
  };
  cache.set(messages, grouped);
  return grouped;
}

/**
 * All turns, oldest first, followed by the messages that are not accepted yet.
 * @param {State} state
 * @returns {Turn[]}
 */
export function turns(state) {
  const { humans, replies } = exchanges(state.messages);
  const outOfContext = countOutOfContext(state, humans, replies);
  const isSending = state.outbox.some(({ error }) => !error || error.retryable);
  const lastUnsettled = isSending ? humans.length : humans.findLastIndex(({ id }) => state.partialReplies.has(id) || !replies.has(id));
  const accepted = humans.map((human, index) => {
    const reply = isRemark(human) ? human : (replies.get(human.id) ?? null);
    const partial = state.partialReplies.get(human.id) ?? null;
    return {
      id: human.id, msg: isRemark(human) ? "" : (human.msg ?? ""), timestamp: human.timestamp, reply, partial, outOfContext: outOfContext[index],
      phase: partial?.phase ?? (reply ? (reply.error ? "failed" : "done") : "accepted"),
      error: partial ? undefined : reply?.error,
      model: state.session?.models?.find(({ name }) => name === reply?.model)?.label ?? reply?.model,
      isLast: index === humans.length - 1 && !state.outbox.length && !state.ended,
      editable: state.ended ? "no" : index > lastUnsettled ? "yes" : "later",
      edit: state.edit?.id === human.id && !state.ended ? state.edit.msg : undefined,
    };
  });
  const isOpen = state.connection.phase === "open";
  const unsent = state.outbox.map(({ id, msg, replaces, error }, index) => ({
    id, msg, replaces, reply: null, partial: null, outOfContext: 0, editable: "no", isLast: index === state.outbox.length - 1, error,
    phase: error && !error.retryable ? "rejected" : error || !isOpen ? "waiting" : "sending",
  }));
  return /** @type {Turn[]} */ ([...withoutEdited(accepted, state), ...unsent]);
}

/** The text of the reply. A reply that goes on is the old one until it is longer. @type {(turn: Turn) => string} */
export function replyText({ reply, partial }) {
  const text = reply?.msg ?? "";
  return partial?.id && !(partial.continues && partial.length < [...text].length) ? partial.text : text;
}

/** The turns without those in whose place an edited question is being sent.
 * @type {<T extends {id: string}>(accepted: T[], state: State) => T[]} */
function withoutEdited(accepted, { outbox }) {
  const edited = outbox.filter(({ replaces, error }) => replaces && (!error || error.retryable)).map(({ replaces }) => replaces);
  const first = accepted.findIndex(({ id }) => edited.includes(id));
  return first < 0 ? accepted : accepted.slice(0, first);
}

/** How many messages of each turn the next prompt leaves out. A prompt has history_messages messages: the new one and
 * the latest before it. Failed and empty replies do not count.
 * @type {(state: State, humans: Message[], replies: Map<string, Message>) => number[]} */
function countOutOfContext({ session }, humans, replies) {
  let room = (session?.limits.history_messages ?? Infinity) - 1;
  const counts = humans.map(() => 0);
  for (let index = humans.length - 1; index >= 0; index -= 1) {
    const reply = replies.get(humans[index].id);
    const size = reply?.msg && !reply.error ? 2 : 1;
    const left = Math.max(0, size - room);
    counts[index] = left === size ? 2 : left;
    room = Math.max(0, room - size);
  }
  return counts;
}

/** Whether a reply is to come. @type {(state: State) => boolean} */
export const isAwaiting = (state) => !state.ended && turns(state).some(({ phase }) => !["done", "failed", "rejected"].includes(phase));

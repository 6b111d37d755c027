// What the state looks like to a reader: turns, each a human message with its own reply beneath it. Pure.

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Message} Message */
/** @typedef {import("./state.js").Writing} Writing */
/** @typedef {import("./state.js").Fault} Fault */
/**
 * @typedef {object} Turn
 * @property {string} id of the human's message
 * @property {string} msg
 * @property {string} [timestamp]
 * @property {"waiting"|"sending"|"refused"|"accepted"|"asked"|"queued"|"loading"|"writing"|"done"|"failed"} phase
 * @property {Fault} [fault] why it was refused, waits or failed
 * @property {Message|null} reply the committed one
 * @property {Writing|null} writing the one that is not committed yet
 * @property {number} forgotten 2: the model no longer sees this turn, 1: it sees only the reply
 * @property {boolean} isLast
 */

/** @type {WeakMap<ReadonlyMap<string, Message>, Committed>} */
const groups = new WeakMap();
/** @typedef {{humans: Message[], replies: Map<string, Message>}} Committed */

/** The human messages in order, and the reply that stands for each.
 * @type {(messages: ReadonlyMap<string, Message>) => Committed} */
export function committed(messages) {
  const known = groups.get(messages);
  if (known) return known;
  const all = [...messages.values()].sort((a, b) => a.seq - b.seq);
  const replaced = new Set(all.map((message) => message.replaces));
  const shown = all.filter((message) => message.source && !message.replaced_by && !replaced.has(message.id));
  const grouped = {
    humans: shown.filter((message) => message.source === "human"),
    replies: new Map(shown.filter((m) => m.source === "bot").map((m) => [String(m.reply_to), m])),
  };
  groups.set(messages, grouped);
  return grouped;
}

/**
 * All turns of the talk, oldest first, with what is not accepted yet at the end.
 * @param {State} state
 * @returns {Turn[]}
 */
export function turns(state) {
  const { humans, replies } = committed(state.messages);
  const outside = partsOutside(state, humans, replies);
  const accepted = humans.map((human, at) => {
    const reply = replies.get(human.id) ?? null;
    const writing = state.writing.get(human.id) ?? null;
    return {
      id: human.id, msg: human.msg ?? "", timestamp: human.timestamp, reply, writing, forgotten: outside[at],
      phase: writing?.phase ?? (reply ? (reply.error ? "failed" : "done") : "accepted"),
      fault: writing ? undefined : reply?.error, isLast: at === humans.length - 1 && !state.outbox.length && !state.ended,
    };
  });
  const open = state.connection.phase === "open";
  const typed = state.outbox.map(({ id, msg, error }, at) => ({
    id, msg, reply: null, writing: null, forgotten: 0, isLast: at === state.outbox.length - 1, fault: error,
    phase: error && !error.retryable ? "refused" : error || !open ? "waiting" : "sending",
  }));
  return /** @type {Turn[]} */ ([...accepted, ...typed]);
}

/** How many parts of each turn lie outside of the next prompt: the new message and what came before it fill a window
 * of history_messages, counted from the end; failed and empty replies do not count.
 * @type {(state: State, humans: Message[], replies: Map<string, Message>) => number[]} */
function partsOutside({ session }, humans, replies) {
  let room = (session?.limits.history_messages ?? Infinity) - 1;
  const outside = humans.map(() => 0);
  for (let at = humans.length - 1; at >= 0; at -= 1) {
    const reply = replies.get(humans[at].id);
    const parts = reply?.msg && !reply.error ? 2 : 1;
    const hidden = Math.max(0, parts - room);
    outside[at] = hidden === parts ? 2 : hidden;
    room = Math.max(0, room - parts);
  }
  return outside;
}

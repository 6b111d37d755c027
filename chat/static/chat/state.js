// The state of one conversation and how each event changes it. Pure: no DOM, no clock, no network.
//
// Events are the server's frames and the page's own events, whose types begin with "local.". Frames may arrive twice,
// late or after a gap. The reducer applies what is new and ignores the rest, so every order of delivery ends in the
// same state.

import { PERMANENT_ERRORS } from "./client.js";

/** @typedef {{code: string, detail: string, retryable?: boolean}} ErrorInfo */
/**
 * @typedef {object} Message as the server sends it; a replaced one has only id, seq, replaced_by and replaces
 * @property {string} id
 * @property {number} seq
 * @property {"human"|"bot"} [source]
 * @property {string} [msg]
 * @property {string} [timestamp]
 * @property {string|null} [reply_to]
 * @property {string} [finish_reason]
 * @property {string} [replaces]
 * @property {string} [replaced_by]
 * @property {ErrorInfo} [error]
 * @property {"up"|"down"|null} [rating]
 * @property {string|null} [comment] on the rating
 */
/**
 * @typedef {object} PartialReply a reply that is not committed yet
 * @property {"requested"|"queued"|"loading"|"streaming"} phase
 * @property {string|null} id of the attempt, once it has started
 * @property {string} text
 * @property {number} length of the text in Unicode code points, the unit of the frames' offset
 * @property {number} [ahead] messages before this one in the queue
 * @property {number} [etaS]
 * @property {number} [workers] that are running
 * @property {number} [retryAt] ms since the epoch
 * @property {boolean} [stopping]
 * @property {boolean} [thinking] the model reasons, so there is no text yet
 */
/** @typedef {{id: string, msg: string, error?: ErrorInfo}} OutboxMessage a message that is not accepted yet */
/** @typedef {{max_message_chars: number, history_messages: number, session_ttl_s: number}} Limits */
/** @typedef {{name: string, session_start: string, expires_at: string, limits: Limits}} Session */
/**
 * @typedef {object} State
 * @property {Session|null} session
 * @property {string} ended the code that ended the session, or "" while it is active
 * @property {import("./client.js").Connection} connection
 * @property {ReadonlyMap<string, Message>} messages by id, from firstSeq on
 * @property {number} firstSeq
 * @property {boolean} hasEarlier the session has messages before firstSeq
 * @property {ReadonlyMap<string, PartialReply>} partialReplies by the id of the human message
 * @property {readonly OutboxMessage[]} outbox
 * @property {ErrorInfo|null} notice an error that belongs to no message
 * @property {boolean} isCopyPartial the server no longer has the messages, and this browser has only some of them
 */
/** @typedef {{type: string, [field: string]: any}} Event */

/** @type {State} */
export const EMPTY = Object.freeze({
  session: null,
  ended: "",
  connection: { phase: /** @type {const} */ ("connecting") },
  messages: new Map(),
  firstSeq: 1,
  hasEarlier: false,
  partialReplies: new Map(),
  outbox: [],
  notice: null,
  isCopyPartial: false,
});

/** @type {Record<string, (state: State, event: Event) => State>} */
const REDUCERS = {
  "session.ready": (state, { name, session_start, expires_at, limits, messages, reply, recovered, has_earlier }) => ({
    ...state,
    session: { name, session_start, expires_at, limits },
    ended: "",
    notice: null,
    ...(recovered && !has_earlier
      ? { messages: addMessages(state, messages) }
      : { messages: byId(messages), firstSeq: messages[0]?.seq ?? 1, hasEarlier: has_earlier }),
    partialReplies: resumePartials(state, messages, reply),
    outbox: withoutIds(state.outbox, messages),
  }),
  "session.messages": (state, { before, messages, has_earlier }) =>
    before === state.firstSeq
      ? {
        ...state,
        messages: new Map([...byId(messages), ...state.messages]),
        firstSeq: messages[0]?.seq ?? 1,
        hasEarlier: has_earlier,
      }
      : state,
  "session.expiring": (state, { expires_at }) =>
    state.session ? { ...state, session: { ...state.session, expires_at } } : state,
  "session.expired": (state) => ({ ...state, ended: "session.expired", partialReplies: new Map() }),

  "message.accepted": (state, { message }) => ({
    ...state,
    session: extendBy(state.session, message),
    messages: addMessages(state, [message]),
    outbox: withoutIds(state.outbox, [message]),
  }),

  // Received after reply.started, it means that the attempt was lost; after a reply, that another one was requested.
  "reply.queued": (state, { reply_to, ahead, eta_s, workers }) =>
    updatePartial(state, reply_to, { phase: "queued", ahead, etaS: eta_s, workers, id: null, text: "", length: 0 }),
  "model.loading": (state, { reply_to, retry_in_s, receivedAt }) =>
    state.partialReplies.get(reply_to)?.text
      ? state
      : updatePartial(state, reply_to, { phase: "loading", retryAt: receivedAt + retry_in_s * 1000 }),
  "reply.started": (state, { reply_to, id }) =>
    state.messages.has(id) || state.partialReplies.get(reply_to)?.id === id
      ? state
      : updatePartial(state, reply_to, { phase: "streaming", id, text: "", length: 0, thinking: false }),
  "reply.thinking": (state, { reply_to, id }) => {
    const reply = state.partialReplies.get(reply_to);
    return reply?.id === id && !reply?.text ? updatePartial(state, reply_to, { thinking: true }) : state;
  },
  "reply.delta": (state, { reply_to, id, offset, text }) => {
    const reply = state.partialReplies.get(reply_to);
    if (!reply || reply.id !== id || offset > reply.length) return state;
    const added = [...text].slice(reply.length - offset);
    if (!added.length) return state;
    return updatePartial(state, reply_to, {
      phase: "streaming", text: reply.text + added.join(""), length: reply.length + added.length,
    });
  },
  "reply.completed": (state, { message }) => commit(state, message),
  "reply.failed": (state, { message }) => commit(state, message),
  "reply.rated": (state, { id, rating, comment }) => {
    const reply = state.messages.get(id);
    return reply && !reply.replaced_by ? { ...state, messages: new Map(state.messages).set(id, { ...reply, rating, comment }) } : state;
  },

  error: (state, { code, detail, ref, limit }) => {
    if (limit === "sockets") return state; // the connection names it as its refusal
    if (code === "session.unknown") return { ...state, ended: code, partialReplies: new Map() };
    if (!state.outbox.some(({ id }) => id === ref)) {
      return { ...state, notice: { code, detail }, partialReplies: withoutRequests(state.partialReplies) };
    }
    const error = { code, detail, retryable: !PERMANENT_ERRORS.includes(code) };
    return { ...state, outbox: state.outbox.map((message) => (message.id === ref ? { ...message, error } : message)) };
  },

  "local.opened": (_, { outbox }) => ({ ...EMPTY, outbox }),
  // The copy in this browser is shown if the server cannot be reached or no longer has the conversation.
  "local.archived": (state, { messages, lastSeq }) => {
    if (state.session && !state.ended) return state;
    const all = new Map([...byId(messages), ...state.messages]);
    const seqs = [...all.values()].map(({ seq }) => seq);
    const isWhole = !lastSeq || (seqs.includes(1) && Math.max(...seqs) >= lastSeq);
    return { ...state, messages: all, firstSeq: 1, hasEarlier: false, isCopyPartial: Boolean(state.ended) && !isWhole };
  },
  "local.connection": (state, { connection }) => ({
    ...state,
    connection,
    partialReplies: connection.phase === "open" ? state.partialReplies : startedOnly(state.partialReplies),
  }),
  "local.sent": (state, { id, msg }) => ({ ...state, notice: null, outbox: [...withoutIds(state.outbox, [{ id }]), { id, msg }] }),
  "local.discarded": (state, { id }) => ({ ...state, outbox: withoutIds(state.outbox, [{ id }]) }),
  "local.stop": (state, { reply_to }) => updatePartial(state, reply_to, { stopping: true }),
  "local.regenerate": (state, { reply_to }) => updatePartial(state, reply_to, { phase: "requested" }),
  "local.dismissed": (state) => ({ ...state, notice: null }),
};

/**
 * The state after an event. An unknown event changes nothing.
 * @param {State} state
 * @param {Event} event
 * @returns {State}
 */
export function reduce(state, event) {
  return Object.hasOwn(REDUCERS, event.type) ? REDUCERS[event.type](state, event) : state;
}

/** @type {PartialReply} */
const NOT_STARTED = { phase: "requested", id: null, text: "", length: 0 };

/** @type {(state: State, replyTo: string, change: Partial<PartialReply>) => State} */
function updatePartial(state, replyTo, change) {
  const reply = { ...(state.partialReplies.get(replyTo) ?? NOT_STARTED), ...change };
  return { ...state, partialReplies: new Map(state.partialReplies).set(replyTo, reply) };
}

/** Keep queue positions until their reply arrives; of started replies keep only the one the server reports.
 * @type {(state: State, messages: Message[],
 *   reply: {reply_to: string, id: string, text: string} | null) => ReadonlyMap<string, PartialReply>} */
function resumePartials({ messages: known, partialReplies: partials }, messages, reply) {
  const committed = new Set(messages.map(({ reply_to, replaced_by }) => reply_to ?? known.get(replaced_by ?? "")?.reply_to));
  const resumed = new Map([...partials].filter(([replyTo, { id }]) => !id && !committed.has(replyTo)));
  if (!reply) return resumed;
  const partial = partials.get(reply.reply_to);
  const isSame = partial?.id === reply.id;
  const length = [...reply.text].length;
  const fromServer = { phase: /** @type {const} */ ("streaming"), id: reply.id, text: reply.text, length, stopping: isSame && partial.stopping };
  return resumed.set(reply.reply_to, isSame && partial.length >= length ? partial : fromServer);
}

/** Without a connection, queue positions go stale.
 * @type {(partials: ReadonlyMap<string, PartialReply>) => ReadonlyMap<string, PartialReply>} */
const startedOnly = (partials) => notStopping([...partials].filter(([, { id }]) => id));

/** Remove requests that the server rejected: to regenerate, to stop.
 * @type {(partials: ReadonlyMap<string, PartialReply>) => ReadonlyMap<string, PartialReply>} */
const withoutRequests = (partials) => notStopping([...partials].filter(([, { phase }]) => phase !== "requested"));

/** @type {(entries: [string, PartialReply][]) => ReadonlyMap<string, PartialReply>} */
const notStopping = (entries) => new Map(entries.map(([replyTo, reply]) => [replyTo, { ...reply, stopping: false }]));

/** @type {(messages: Message[]) => Map<string, Message>} */
const byId = (messages) => new Map(messages.map((message) => [message.id, message]));

/** @type {(state: State, added: Message[]) => ReadonlyMap<string, Message>} */
function addMessages({ messages: known, firstSeq }, added) {
  const messages = new Map(known);
  for (const message of added) {
    if (message.seq >= firstSeq && !messages.get(message.id)?.replaced_by) messages.set(message.id, message);
  }
  return messages;
}

/** @type {(state: State, message: Message) => State} */
function commit(state, message) {
  const replyTo = String(message.reply_to);
  const isOld = state.messages.has(message.id) && state.partialReplies.get(replyTo)?.id !== message.id;
  if (isOld) return state;
  const partialReplies = new Map(state.partialReplies);
  partialReplies.delete(replyTo);
  // A failed attempt to replace a reply: the old one stays.
  const notice = (message.replaced_by && message.error) || state.notice;
  return { ...state, notice, session: extendBy(state.session, message), messages: addMessages(state, [message]), partialReplies };
}

/** Every message restarts the session's time to live.
 * @type {(session: Session|null, message: Message) => Session|null} */
function extendBy(session, { timestamp }) {
  if (!session || !timestamp) return session;
  const expiresMs = Date.parse(timestamp) + session.limits.session_ttl_s * 1000;
  return expiresMs > Date.parse(session.expires_at) ? { ...session, expires_at: new Date(expiresMs).toISOString() } : session;
}

/** @type {(outbox: readonly OutboxMessage[], removed: {id: string}[]) => readonly OutboxMessage[]} */
function withoutIds(outbox, removed) {
  const ids = new Set(removed.map(({ id }) => id));
  return outbox.some(({ id }) => ids.has(id)) ? outbox.filter(({ id }) => !ids.has(id)) : outbox;
}

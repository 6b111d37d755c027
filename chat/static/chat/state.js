// What the page knows, and how each event changes it. Pure: no DOM, no clock, no network.
//
// Events are the server's frames as they are, and the page's own, whose types begin with "local.".
// The reducer may be given a frame twice, late, or after a gap: it takes what adds to what it knows and
// leaves the rest, so that every order in which a network can deliver ends in the same state.

/** @typedef {{code: string, detail: string, retryable?: boolean}} Fault */
/**
 * @typedef {object} Message as the server sends it; a replaced one has only id, seq and replaced_by
 * @property {string} id
 * @property {number} seq
 * @property {"human"|"bot"} [source]
 * @property {string} [msg]
 * @property {string} [timestamp]
 * @property {string|null} [reply_to]
 * @property {string} [finish_reason]
 * @property {string} [replaces]
 * @property {string} [replaced_by]
 * @property {Fault} [error]
 */
/**
 * @typedef {object} Writing a reply that is not committed yet
 * @property {"asked"|"queued"|"loading"|"writing"} phase
 * @property {string|null} id of the attempt, once it has begun
 * @property {string} text
 * @property {number} length of the text in Unicode code points
 * @property {number} [ahead]
 * @property {number} [etaS]
 * @property {number} [retryAt] ms since the epoch
 * @property {boolean} [stopping]
 */
/** @typedef {{id: string, msg: string, error?: Fault}} Pending typed here, not yet accepted */
/** @typedef {{max_message_chars: number, history_messages: number, session_ttl_s: number}} Limits */
/** @typedef {{name: string, session_start: string, expires_at: string, limits: Limits}} Session */
/**
 * @typedef {object} State
 * @property {Session|null} session
 * @property {string} ended "" while it lives, else the code that ended it
 * @property {import("./client.js").Connection} connection
 * @property {ReadonlyMap<string, Message>} messages by id
 * @property {ReadonlyMap<string, Writing>} writing by the id of the human's message
 * @property {readonly Pending[]} outbox
 * @property {Fault|null} notice
 */
/** @typedef {{type: string, [field: string]: any}} Event */

/** @type {State} */
export const EMPTY = Object.freeze({
  session: null,
  ended: "",
  connection: { phase: /** @type {const} */ ("connecting") },
  messages: new Map(),
  writing: new Map(),
  outbox: [],
  notice: null,
});

const REFUSED_FOR_GOOD = new Set(["message.empty", "message.too_long", "message.invalid"]);

/** @type {Record<string, (state: State, event: Event) => State>} */
const STEPS = {
  "session.ready": (state, frame) => {
    const known = frame.recovered ? state.messages : new Map();
    const { name, session_start, expires_at, limits } = frame;
    const resumed = { ...state, session: { name, session_start, expires_at, limits }, ended: "", notice: null };
    return {
      ...resumed,
      messages: learn(known, frame.messages),
      writing: resumedWriting(state, frame),
      outbox: withoutAll(state.outbox, frame.messages),
    };
  },
  "session.expiring": (state, { expires_at }) =>
    state.session ? { ...state, session: { ...state.session, expires_at } } : state,
  "session.expired": (state) => ({ ...state, ended: "session.expired", writing: new Map() }),

  "message.accepted": (state, { message }) => ({
    ...state,
    session: prolonged(state.session, message),
    messages: learn(state.messages, [message]),
    outbox: withoutAll(state.outbox, [message]),
  }),

  // After reply.started it means that the attempt is lost; after a reply, that another was asked for.
  "reply.queued": (state, { reply_to, ahead, eta_s }) =>
    write(state, reply_to, { phase: "queued", ahead, etaS: eta_s, id: null, text: "", length: 0 }),
  "model.loading": (state, { reply_to, retry_in_s, at }) =>
    state.writing.get(reply_to)?.text ? state : write(state, reply_to, { phase: "loading", retryAt: at + retry_in_s * 1000 }),
  "reply.started": (state, { reply_to, id }) =>
    state.messages.has(id) || state.writing.get(reply_to)?.id === id
      ? state
      : write(state, reply_to, { phase: "writing", id, text: "", length: 0 }),
  "reply.delta": (state, frame) => {
    const reply = state.writing.get(frame.reply_to);
    if (!reply || reply.id !== frame.id || frame.offset > reply.length) return state;
    const news = [...frame.text].slice(reply.length - frame.offset);
    return news.length ? write(state, frame.reply_to, appended(reply, news)) : state;
  },
  "reply.completed": (state, { message }) => commit(state, message),
  "reply.failed": (state, { message }) => commit(state, message),

  error: (state, { code, detail, ref }) => {
    if (code === "session.unknown") return { ...state, ended: code, writing: new Map() };
    if (!state.outbox.some((pending) => pending.id === ref)) {
      return { ...state, notice: { code, detail }, writing: withoutWishes(state.writing) };
    }
    const error = { code, detail, retryable: !REFUSED_FOR_GOOD.has(code) };
    return { ...state, outbox: state.outbox.map((pending) => (pending.id === ref ? { ...pending, error } : pending)) };
  },

  "local.opened": (_, { outbox }) => ({ ...EMPTY, outbox }),
  "local.connection": (state, { connection }) => ({
    ...state,
    connection,
    writing: connection.phase === "open" ? state.writing : begunOnly(state.writing),
  }),
  "local.sent": (state, { id, msg }) => ({ ...state, notice: null, outbox: [...withoutAll(state.outbox, [{ id }]), { id, msg }] }),
  "local.forgotten": (state, { id }) => ({ ...state, outbox: withoutAll(state.outbox, [{ id }]) }),
  "local.stop": (state, { reply_to }) => write(state, reply_to, { stopping: true }),
  "local.regenerate": (state, { reply_to }) => write(state, reply_to, { phase: "asked" }),
  "local.dismissed": (state) => ({ ...state, notice: null }),
};

/**
 * The state after an event. An unknown event changes nothing.
 * @param {State} state
 * @param {Event} event
 * @returns {State}
 */
export function reduce(state, event) {
  return Object.hasOwn(STEPS, event.type) ? STEPS[event.type](state, event) : state;
}

/** @type {Writing} */
const UNBEGUN = { phase: "asked", id: null, text: "", length: 0 };

/** @type {(state: State, replyTo: string, change: Partial<Writing>) => State} */
function write(state, replyTo, change) {
  const reply = { ...(state.writing.get(replyTo) ?? UNBEGUN), ...change };
  return { ...state, writing: new Map(state.writing).set(replyTo, reply) };
}

/** @type {(reply: Writing, codePoints: string[]) => Partial<Writing>} */
function appended(reply, codePoints) {
  return { phase: "writing", text: reply.text + codePoints.join(""), length: reply.length + codePoints.length };
}

/** Places in the queue stay until their reply is there; of begun replies only the server's own.
 * @type {(state: State, frame: Event) => ReadonlyMap<string, Writing>} */
function resumedWriting(state, { messages, reply }) {
  const answered = new Set(messages.map((/** @type {Message} */ message) => message.reply_to));
  const kept = [...state.writing].filter(([replyTo, { id }]) => !id && !answered.has(replyTo));
  return new Map(reply ? [...kept, [reply.reply_to, resumedReply(state, reply)]] : kept);
}

/** @type {(state: State, reply: {reply_to: string, id: string, text: string}) => Writing} */
function resumedReply(state, { reply_to, id, text }) {
  const known = state.writing.get(reply_to);
  const length = [...text].length;
  if (known?.id === id && known.length >= length) return known;
  return { phase: "writing", id, text, length, stopping: known?.id === id && known.stopping };
}

/** Without a connection nobody tells how the queue moves.
 * @type {(writing: ReadonlyMap<string, Writing>) => ReadonlyMap<string, Writing>} */
function begunOnly(writing) {
  return new Map([...writing].filter(([, { id }]) => id).map(([replyTo, reply]) => [replyTo, { ...reply, stopping: false }]));
}

/** What was asked for and refused: another reply, a stop.
 * @type {(writing: ReadonlyMap<string, Writing>) => ReadonlyMap<string, Writing>} */
function withoutWishes(writing) {
  const kept = [...writing].filter(([, { phase }]) => phase !== "asked");
  return new Map(kept.map(([replyTo, reply]) => [replyTo, { ...reply, stopping: false }]));
}

/** @type {(known: ReadonlyMap<string, Message>, news: Message[]) => ReadonlyMap<string, Message>} */
function learn(known, news) {
  const messages = new Map(known);
  for (const message of news) {
    if (!messages.get(message.id)?.replaced_by) messages.set(message.id, message);
  }
  return messages;
}

/** @type {(state: State, message: Message) => State} */
function commit(state, message) {
  const replyTo = String(message.reply_to);
  const isOld = state.messages.has(message.id) && state.writing.get(replyTo)?.id !== message.id;
  if (isOld) return state;
  const writing = new Map(state.writing);
  writing.delete(replyTo);
  return { ...state, session: prolonged(state.session, message), messages: learn(state.messages, [message]), writing };
}

/** The session's time starts again with every message.
 * @type {(session: Session|null, message: Message) => Session|null} */
function prolonged(session, { timestamp }) {
  if (!session || !timestamp) return session;
  const end = new Date(Date.parse(timestamp) + session.limits.session_ttl_s * 1000).toISOString();
  return Date.parse(end) > Date.parse(session.expires_at) ? { ...session, expires_at: end } : session;
}

/** @type {(outbox: readonly Pending[], gone: {id: string}[]) => readonly Pending[]} */
function withoutAll(outbox, gone) {
  const ids = new Set(gone.map(({ id }) => id));
  return outbox.some(({ id }) => ids.has(id)) ? outbox.filter(({ id }) => !ids.has(id)) : outbox;
}

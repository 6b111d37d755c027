// The state of one conversation and how each event changes it. Pure: no DOM, no clock, no network.
//
// Events are the server's frames and the page's own events, whose types begin with "local.". Frames may arrive twice,
// late or after a gap. The reducer applies what is new and ignores the rest, so every order of delivery ends in the
// same state.

import { PERMANENT_ERRORS } from "./client.js";
import { NOBODY, PERSON_REDUCERS, personOf } from "./person.js";
import { markReplaced, withTexts } from "./replaced.js";

/** @typedef {{code: string, detail: string, retryable?: boolean}} ErrorInfo */
/**
 * @typedef {object} Message as the server sends it; a replaced one has no msg, unless this browser knew it before
 * @property {string} id
 * @property {number} seq
 * @property {"human"|"bot"|"operator"} [source]
 * @property {string} [operator] the name of the person who wrote it
 * @property {string} [msg]
 * @property {string} [timestamp]
 * @property {string|null} [reply_to]
 * @property {string} [finish_reason]
 * @property {string} [model] name of the model that wrote it, if there are several
 * @property {string} [replaces]
 * @property {string} [replaced_by]
 * @property {string} [version_of] the original, if it is a copy
 * @property {string} [continues] the reply with whose text it begins
 * @property {boolean} [failed] of a replaced message: it is no version to choose
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
 * @property {string | null} [operator] the person who writes it
 * @property {boolean} [thinking] the model reasons, so there is no text yet
 * @property {boolean} [continues] it begins with the text of the committed reply
 */
/** @typedef {{id: string, msg: string, replaces?: string, error?: ErrorInfo}} OutboxMessage a message that is not accepted yet */
/**
 * @typedef {object} Version an earlier version of a question or reply
 * @property {string} id of the replaced message that has its text
 * @property {string} of which question or reply it is a version
 */
/** @typedef {{messages: Message[], hasMore: boolean}} VersionText a replaced message; after a question, what followed it */
/** @typedef {{max_message_chars: number, history_messages: number, session_ttl_s: number}} Limits */
/** @typedef {{name: string, label: string}} Model */
/** @typedef {{name: string, session_start: string, expires_at: string, limits: Limits, models?: Model[]}} Session */
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
 * @property {string} [model] name of the chosen model
 * @property {{id: string, msg: string}|null} edit the question that is being edited, and its new text
 * @property {ErrorInfo|null} notice an error that belongs to no message
 * @property {import("./person.js").Person} person who answers instead of the model
 * @property {boolean} isCopyPartial the server no longer has the messages, and this browser has only some of them
 * @property {Version|null} view the earlier version that is shown in place of the current one
 * @property {Version & {error?: ErrorInfo}|null} opening the one that is loading or could not be loaded
 * @property {ReadonlyMap<string, VersionText>} versionTexts by id, as the server sent them
 * @property {string} choice the id of the request to make a version the current one, or ""
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
  edit: null,
  notice: null,
  isCopyPartial: false,
  person: NOBODY,
  view: null,
  opening: null,
  versionTexts: new Map(),
  choice: "",
});

/** @type {Record<string, (state: State, event: Event) => State>} */
const REDUCERS = {
  ...PERSON_REDUCERS,
  "session.ready": (state, { name, session_start, expires_at, limits, models, messages, reply, recovered, has_earlier, ...frame }) => ({
    ...(messages.some((/** @type {Message} */ it) => changesVersions(it) && !state.messages.has(it.id)) ? showCurrent(state) : state),
    session: { name, session_start, expires_at, limits, models },
    ended: "",
    notice: null,
    ...(recovered && !has_earlier
      ? { messages: addMessages(state, messages) }
      : { ...firstPage(state.messages, messages), hasEarlier: has_earlier }),
    partialReplies: resumePartials(state, messages, reply),
    person: personOf({ ...frame, limits }),
    outbox: withoutIds(state.outbox, messages),
  }),
  "session.messages": (state, { before, messages, has_earlier }) => {
    if (before !== state.firstSeq) return state;
    const firstSeq = messages[0]?.seq ?? 1;
    const all = markReplaced(new Map([...byId(messages), ...state.messages]), firstSeq);
    return { ...state, messages: all, firstSeq, hasEarlier: has_earlier };
  },
  "session.expiring": (state, { expires_at }) =>
    state.session ? { ...state, session: { ...state.session, expires_at } } : state,
  "session.expired": (state) => end(state, "session.expired"),

  "message.accepted": (state, { message }) => ({
    ...afterChoice(state, message),
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
  "reply.started": (state, { reply_to, id, operator, continues }) =>
    state.messages.has(id) || state.partialReplies.get(reply_to)?.id === id
      ? state
      : updatePartial(state, reply_to, { phase: "streaming", id, text: "", length: 0, thinking: false, operator, continues: Boolean(continues) }),
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
  "session.version": (state, { id, messages, has_more }) => ({
    ...state,
    versionTexts: new Map(state.versionTexts).set(id, { messages, hasMore: has_more }),
    messages: withTexts(state.messages, messages), // so that this browser keeps them
    ...(state.opening?.id === id ? { view: state.opening, opening: null } : {}),
  }),

  error: (state, { code, detail, ref, limit }) => {
    if (limit === "sockets") return state; // the connection names it as its refusal
    if (code === "session.unknown") return end(state, code);
    if (state.opening && ref === state.opening.id) return { ...state, opening: { ...state.opening, error: { code, detail } } };
    if (ref && ref === state.choice) return { ...state, choice: "", notice: { code, detail } };
    if (!state.outbox.some(({ id }) => id === ref)) {
      return { ...state, notice: { code, detail }, partialReplies: withoutRequests(state.partialReplies) };
    }
    const error = { code, detail, retryable: !PERMANENT_ERRORS.includes(code) };
    return { ...state, outbox: state.outbox.map((message) => (message.id === ref ? { ...message, error } : message)) };
  },

  "local.opened": (_, { outbox, edit, model }) => ({ ...EMPTY, outbox, edit, model }),
  "local.model": (state, { model }) => ({ ...state, model }),
  // The copy in this browser is shown if the server cannot be reached or no longer has the conversation.
  "local.archived": (state, { messages, lastSeq }) => {
    if (state.session && !state.ended) return state;
    const all = markReplaced(new Map([...byId(messages), ...state.messages]), 1);
    const seqs = [...all.values()].map(({ seq }) => seq);
    const isWhole = !lastSeq || (seqs.includes(1) && Math.max(...seqs) >= lastSeq);
    return { ...state, messages: all, firstSeq: 1, hasEarlier: false, isCopyPartial: Boolean(state.ended) && !isWhole };
  },
  "local.connection": (state, { connection }) => ({
    ...state,
    connection,
    ...(connection.phase === "open" ? {} : { partialReplies: startedOnly(state.partialReplies), choice: "" }),
  }),
  "local.sent": (state, { id, msg, replaces }) => ({
    ...showCurrent(state),
    notice: null,
    outbox: [...withoutIds(state.outbox, [{ id }]), { id, msg, replaces }],
    edit: replaces ? null : state.edit,
  }),
  "local.edit": (state, { edit }) => ({ ...state, edit }),
  "local.discarded": (state, { id }) => ({ ...state, outbox: withoutIds(state.outbox, [{ id }]) }),
  "local.stop": (state, { reply_to }) => updatePartial(state, reply_to, { stopping: true }),
  "local.regenerate": (state, { reply_to }) => updatePartial(showCurrent(state), reply_to, { phase: "requested", continues: false }),
  "local.continue": (state, { reply_to }) => updatePartial(showCurrent(state), reply_to, { phase: "requested", continues: true }),
  "local.view": (state, { version }) => ({ ...state, view: version, opening: null }),
  "local.load": (state, { version }) => ({ ...state, opening: version }),
  "local.choose": (state, { id }) => ({ ...state, notice: null, choice: id }),
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
 *   reply: {reply_to: string, id: string, text: string, operator?: string, continues?: string} | null) => ReadonlyMap<string, PartialReply>} */
function resumePartials({ messages: known, partialReplies: partials }, messages, reply) {
  const committed = new Set(messages.map(({ reply_to, replaced_by }) => reply_to ?? known.get(replaced_by ?? "")?.reply_to));
  const resumed = new Map([...partials].filter(([replyTo, { id }]) => !id && !committed.has(replyTo)));
  if (!reply) return resumed;
  const partial = partials.get(reply.reply_to);
  const isSame = partial?.id === reply.id;
  const length = [...reply.text].length;
  const fromServer = { phase: /** @type {const} */ ("streaming"), id: reply.id, text: reply.text, length, operator: reply.operator, continues: Boolean(reply.continues), stopping: isSame && partial.stopping };
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

/** A replaced message keeps its text, if it is known.
 * @type {(state: Pick<State, "messages" | "firstSeq">, added: Message[], texts?: ReadonlyMap<string, Message>) => ReadonlyMap<string, Message>} */
function addMessages({ messages: known, firstSeq }, added, texts = known) {
  const messages = new Map(known);
  for (const message of added) {
    const isNew = message.seq >= firstSeq && !messages.get(message.id)?.replaced_by;
    if (isNew) messages.set(message.id, message.msg === undefined ? { ...texts.get(message.id), ...message } : message);
  }
  return markReplaced(messages, firstSeq);
}

/** @type {(known: ReadonlyMap<string, Message>, messages: Message[]) => Pick<State, "messages" | "firstSeq">} */
function firstPage(known, messages) {
  const firstSeq = messages[0]?.seq ?? 1;
  return { messages: addMessages({ messages: new Map(), firstSeq }, messages, known), firstSeq };
}

/** @type {(state: State, code: string) => State} */
const end = (state, code) => ({ ...state, ended: code, partialReplies: new Map(), opening: null, choice: "" });

/** Another version is the current one when its copy arrives, or an edit. The answer to a choice may also be a message
 * that is current already.
 * @type {(state: State, message: Message) => State} */
const afterChoice = (state, message) => (state.choice || changesVersions(message) ? { ...showCurrent(state), choice: "" } : state);

/** @type {(message: Message) => boolean} */
const changesVersions = ({ source, replaces, version_of }) => Boolean(version_of || (source === "human" && replaces));

/** @type {(state: State) => State} */
const showCurrent = (state) => (state.view || state.opening ? { ...state, view: null, opening: null } : state);

/** @type {(state: State, message: Message) => State} */
function commit(state, message) {
  const replyTo = String(message.reply_to);
  const isOld = state.messages.has(message.id) && state.partialReplies.get(replyTo)?.id !== message.id;
  if (isOld) return state.choice ? afterChoice(state, message) : state;
  const partialReplies = new Map(state.partialReplies);
  partialReplies.delete(replyTo);
  // A failed attempt to replace a reply: the old one stays.
  const notice = (message.replaced_by && message.error) || state.notice;
  const person = message.operator ? { ...state.person, typedAt: 0 } : state.person;
  return { ...afterChoice(state, message), notice, person, session: extendBy(state.session, message), messages: addMessages(state, [message]), partialReplies };
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

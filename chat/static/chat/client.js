// A client of the chat.v1 WebSocket protocol, for browsers, Node 22, Deno and Bun: one file without dependencies.
//
//   const client = new ChatClient({ url: "ws://127.0.0.1:3500/chat", token, onFrame: console.log });
//   client.open();
//   client.send("hello");
//
// A message given to send() is sent again after every reconnect until the server accepts it. It is stored once,
// because the server ignores an id it already has. When a frame is missing, the client asks the server to resync.

/** @typedef {{type: string, [field: string]: any}} Frame a JSON object of the protocol */
/**
 * @typedef {{phase: "connecting"|"open"|"silent"|"waiting"|"closed", retryAt?: number, attempt?: number,
 *   lostAt?: number, refusal?: Frame}} Connection silent: open, but the server does not respond; retryAt, lostAt: ms
 *   since the epoch; refusal: the error with which the server refused the connection, because too many are open
 */

const RETRY_MS = { first: 500, longest: 30_000 };
const RESPONSE_TIMEOUT_MS = 10_000;
const SILENCE_MS = 1500;
const RESEND_MS = 3000;
const POLICY_VIOLATION = 1008; // the session expired or does not exist
/** Error codes after which sending the same message again is pointless. */
export const PERMANENT_ERRORS = ["message.empty", "message.too_long", "message.invalid", "message.unknown_model", "session.full"];

/** A random UUID. crypto.randomUUID is missing on pages served without TLS. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export class ChatClient {
  /** @type {string | undefined} name of the model that is to reply, one of `models` in session.ready */ model;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Map<string, Frame>} messages and ratings not confirmed yet, by their id */ #outbox = new Map();
  /** @type {Set<number>} seq of messages received beyond a gap */ #beyondGap = new Set();
  /** @type {{id: string, length: number} | null} the reply being streamed */ #reply = null;
  #revision = 0; // of the last rating
  #firstSeq = 1; #lastSeq = 0; // every message from #firstSeq to #lastSeq has been received
  #unknownReply = ""; // id of a reply whose start was missed and for which a resync was requested
  #ready = false; #syncing = false; #loadingEarlier = false; #isActive = false; #silent = false;
  #attempt = 0; #lostAt = 0; #pingMs = 0;
  /** @type {Frame | undefined} */ #refusal;
  /** @type {Record<string, number>} */ #timers = {};

  /**
   * @param {{url: string, token?: string, pending?: {id: string, msg: string, replaces?: string}[],
   *   onFrame?: (frame: Frame) => void, onConnection?: (connection: Connection) => void}} options
   *   pending: messages of an earlier run that were not accepted; token: omit it if a cookie carries it
   */
  constructor({ url, token, pending = [], onFrame = () => {}, onConnection = () => {} }) {
    this.url = url;
    this.onFrame = onFrame;
    this.onConnection = onConnection;
    this.protocols = token ? ["chat.v1", `token.${token}`] : ["chat.v1"];
    for (const { id, msg, replaces } of pending) this.#outbox.set(id, { type: "message.send", id, msg, replaces });
  }

  /** Connect now, without waiting for the next retry. */
  open() {
    clearTimeout(this.#timers.retry);
    if (this.#socket) return;
    this.#report("connecting");
    const known = this.#lastSeq ? `?after=${this.#lastSeq}&ratings_revision=${this.#revision}` : "";
    const socket = new WebSocket(this.url + known, this.protocols);
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => this.#disconnect(event.code === POLICY_VIOLATION);
    this.#socket = socket;
    this.#expectFrame();
  }

  /** While the user is active, ping the server after each pause. */
  setActive(/** @type {boolean} */ isActive) {
    this.#isActive = isActive;
    this.#ping(0);
  }

  /** Disconnect and do not reconnect. */
  close() { this.#disconnect(true); }

  /** Send a message, or edit the one that it replaces. Return its id, which message.accepted or an error will name.
   * @param {string} msg
   * @param {string} [id]
   * @param {string} [replaces] */
  send(msg, id = uuid(), replaces) {
    this.#queue({ type: "message.send", id, msg, replaces });
    return id;
  }

  /** Rate a reply, "up" or "down", or revoke that with null. reply.rated or an error will name it. */
  rate(/** @type {string} */ id, /** @type {"up" | "down" | null} */ rating, comment = "") {
    this.#queue({ type: "reply.rate", id, rating, comment });
  }

  /** Stop sending a message that is not accepted yet. */
  forget(/** @type {string} */ id) { this.#outbox.delete(id); }
  stop(/** @type {string} */ replyTo) { this.#transmit({ type: "reply.stop", reply_to: replyTo }); }
  regenerate(/** @type {string} */ replyTo) { this.#transmit({ type: "reply.regenerate", reply_to: replyTo }); }
  /** Continue the last reply, if it was cut off. */
  continueReply(/** @type {string} */ replyTo) { this.#transmit({ type: "reply.continue", reply_to: replyTo }); }
  /** Ask for the text of a replaced message. onFrame gets session.version. */
  loadVersion(/** @type {string} */ id) { this.#transmit({ type: "version.load", id }); }
  /** Make a replaced message current again. Return the request's id, which an error will name. */
  chooseVersion(/** @type {string} */ version, id = uuid()) {
    this.#transmit({ type: "version.choose", id, version });
    return id;
  }
  extend() { this.#transmit({ type: "session.extend" }); }
  /** Ask for a person, or withdraw that. */
  requestOperator(wanted = true) { this.#transmit({ type: "operator.request", wanted }); }
  /** Tell the person who is there that the visitor types. */
  typing() { this.#transmit({ type: "message.typing" }); }

  /** Ask for missed frames. Reconnects if the server does not respond. */
  sync() {
    if (!this.#ready || this.#syncing) return;
    this.#syncing = true;
    this.#transmit({ type: "session.sync", after: this.#lastSeq, ratings_revision: this.#revision });
  }

  /** Ask for the messages before those received. onFrame gets session.messages. */
  loadEarlier() {
    if (!this.#ready || this.#loadingEarlier || this.#firstSeq === 1) return;
    this.#loadingEarlier = true;
    this.#transmit({ type: "session.history", before: this.#firstSeq });
  }

  #queue(/** @type {Frame} */ frame) {
    const isAfterEdit = frame.type === "message.send" && [...this.#outbox.values()].some(({ replaces }) => replaces);
    this.#outbox.set(frame.id, frame);
    if (this.#ready && !isAfterEdit) this.#transmit(frame);
  }

  #transmit(/** @type {Frame} */ frame) {
    if (this.#socket?.readyState !== 1) return;
    this.#socket.send(JSON.stringify(frame.type === "message.send" ? { ...frame, model: this.model } : frame));
    if (frame.type !== "reply.stop" && frame.type !== "message.typing") this.#expectFrame();
  }

  #after(/** @type {number} */ delay, /** @type {string} */ timer, /** @type {() => void} */ action) {
    clearTimeout(this.#timers[timer]);
    this.#timers[timer] = Number(setTimeout(action, delay));
  }

  #expectFrame() { this.#after(RESPONSE_TIMEOUT_MS, "response", () => this.#disconnect(false)); }

  /** Browsers cannot send ping frames, and notice a lost connection only after minutes. */
  #ping(delay = this.#pingMs) {
    clearTimeout(this.#timers.ping);
    if (this.#isActive && this.#ready && this.#pingMs) this.#after(delay, "ping", () => {
      this.#transmit({ type: "session.ping" });
      this.#after(SILENCE_MS, "silence", () => { this.#silent = true; this.#report("silent"); });
    });
  }

  #report(/** @type {Connection["phase"]} */ phase, retryAt = 0) {
    this.#lostAt = phase === "open" || phase === "closed" ? 0 : this.#lostAt || Date.now();
    this.onConnection({ phase, retryAt, attempt: this.#attempt, lostAt: this.#lostAt, refusal: this.#refusal });
  }

  #receive(/** @type {Frame} */ frame) {
    for (const timer of ["response", "silence"]) clearTimeout(this.#timers[timer]);
    if (this.#silent) { this.#silent = false; this.#report("open"); }
    if (frame.type === "session.ready") this.#resume(frame);
    else if (frame.type === "session.messages") this.#addEarlier(frame);
    else if (frame.message) this.#addMessage(frame.message);
    else if (frame.type === "reply.rated") this.#confirmRating(frame);
    else if (frame.type === "reply.started") this.#reply = { id: frame.id, length: 0 };
    else if (frame.type === "reply.delta") this.#checkOffset(frame);
    else if (frame.type === "error" && this.#outbox.has(frame.ref)) this.#handleRejection(frame);
    else if (frame.type === "error" && frame.limit === "sockets") this.#refusal = frame;
    else if (frame.type === "error") this.#retryRequest();
    this.#ping();
    this.onFrame(frame);
  }

  #resume(/** @type {Frame} */ { messages, reply, recovered, has_earlier, limits, models, ratings_revision }) {
    this.#revision = ratings_revision ?? 0;
    if (!models?.some((/** @type {{name: string}} */ { name }) => name === this.model)) this.model = undefined;
    if (!recovered || has_earlier) {
      this.#firstSeq = messages[0]?.seq ?? 1;
      this.#lastSeq = this.#firstSeq - 1;
      this.#beyondGap.clear();
    }
    this.#syncing = true; // a gap inside these messages must not request another resync
    for (const message of messages) this.#addMessage(message);
    this.#syncing = this.#loadingEarlier = false;
    this.#reply = reply && { id: reply.id, length: [...reply.text].length };
    this.#ready = true;
    this.#attempt = 0;
    this.#refusal = undefined;
    this.#pingMs = 1000 * (limits.ping_interval_s ?? 0);
    this.#report("open");
    this.#sendOutbox();
  }

  /** Messages after an edit wait for it, because it replaces what was accepted before it. */
  #sendOutbox() {
    let isAfterEdit = false;
    for (const frame of this.#outbox.values()) {
      if (frame.type === "reply.rate" || !isAfterEdit) this.#transmit(frame);
      isAfterEdit ||= Boolean(frame.replaces);
    }
  }

  #confirmRating(/** @type {Frame} */ { id, revision }) {
    this.#outbox.delete(id);
    this.#revision = Math.max(this.#revision, revision);
  }

  #addEarlier(/** @type {Frame} */ { before, messages }) {
    this.#loadingEarlier = false;
    if (before === this.#firstSeq) this.#firstSeq = messages[0]?.seq ?? 1;
  }

  #addMessage(/** @type {{id: string, seq: number}} */ { id, seq }) {
    const sent = this.#outbox.get(id);
    if (sent?.type === "message.send") this.#outbox.delete(id); // a rating waits for its own confirmation
    if (sent?.replaces && this.#ready) this.#sendOutbox();
    if (id === this.#reply?.id) this.#reply = null;
    if (seq > this.#lastSeq) this.#beyondGap.add(seq);
    while (this.#beyondGap.delete(this.#lastSeq + 1)) this.#lastSeq += 1;
    if (this.#beyondGap.size) this.sync();
  }

  #checkOffset(/** @type {Frame} */ { id, offset, text }) {
    const known = this.#reply?.id === id ? this.#reply : null;
    if (known && offset <= known.length) known.length = Math.max(known.length, offset + [...text].length);
    else if (known || id !== this.#unknownReply) { this.#unknownReply = id; this.sync(); }
  }

  /** A request other than a message failed. Repeat session.sync, and allow loadEarlier() again, after a while. */
  #retryRequest() {
    const wasSyncing = this.#syncing;
    this.#syncing = false;
    this.#after(RESEND_MS, "retry", () => { this.#loadingEarlier = false; if (wasSyncing) this.sync(); });
  }

  #handleRejection(/** @type {Frame} */ { ref, code }) {
    clearTimeout(this.#timers.retry);
    if (PERMANENT_ERRORS.includes(code)) { this.#outbox.delete(ref); this.#sendOutbox(); }
    else this.#after(RESEND_MS, "retry", () => this.sync()); // session.ready sends the outbox again
  }

  #disconnect(/** @type {boolean} */ permanently) {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) { socket.onmessage = socket.onclose = null; socket.close(); }
    this.#ready = this.#syncing = this.#loadingEarlier = this.#silent = false;
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    if (permanently) return this.#report("closed");
    const backoff = Math.min(RETRY_MS.first * 2 ** this.#attempt++, RETRY_MS.longest);
    const delay = (this.#refusal ? RETRY_MS.longest : backoff) * (0.5 + Math.random() / 2);
    this.#after(delay, "retry", () => this.open());
    this.#report("waiting", Date.now() + delay);
  }
}

// A client of the chat.v1 WebSocket protocol, for browsers, Node 22, Deno and Bun: one file, no dependency.
//
//   const client = new ChatClient({ url: "ws://127.0.0.1:3500/chat", token, onFrame: console.log });
//   client.open();
//   client.send("hello");
//
// What is given to send() is sent again until the server accepts it, however often the connection drops: the server
// takes the id chosen here only once. A gap in what arrives is asked for again.

/** @typedef {{type: string, [field: string]: any}} Frame a JSON object of the protocol */
/** @typedef {{phase: "connecting"|"open"|"waiting"|"closed", retryAt?: number, attempt?: number}} Connection */

const RETRY_MS = { first: 500, longest: 30_000 };
const ANSWER_WITHIN_MS = 10_000;
const RESEND_MS = 3000;
const SESSION_OVER = 1008;
const REFUSED_FOR_GOOD = ["message.empty", "message.too_long", "message.invalid"];

/** A random UUID, also where crypto.randomUUID is missing: pages served without TLS. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export class ChatClient {
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Map<string, string>} id → text of what is not accepted yet */ #outbox = new Map();
  /** @type {Set<number>} numbers of messages beyond a gap */ #ahead = new Set();
  /** @type {{id: string, length: number} | null} the reply being written */ #reply = null;
  #after = 0; // every message up to this number is known
  #unheardOf = ""; // a reply whose start was missed: asked for once
  #ready = false; #syncing = false; #attempt = 0;
  #retry = 0; #patience = 0; // timers

  /**
   * @param {{url: string, token?: string, pending?: {id: string, msg: string}[],
   *   onFrame?: (frame: Frame) => void, onConnection?: (connection: Connection) => void}} options
   *   pending: messages that an earlier run never saw accepted; token: none where a cookie carries it
   */
  constructor({ url, token, pending = [], onFrame = () => {}, onConnection = () => {} }) {
    this.url = url;
    this.onFrame = onFrame;
    this.onConnection = onConnection;
    this.protocols = token ? ["chat.v1", `token.${token}`] : ["chat.v1"];
    for (const { id, msg } of pending) this.#outbox.set(id, msg);
  }

  /** Connect; also cuts short the wait for the next try. */
  open() {
    clearTimeout(this.#retry);
    if (this.#socket) return;
    this.onConnection({ phase: "connecting", attempt: this.#attempt });
    const socket = new WebSocket(`${this.url}${this.#after ? `?after=${this.#after}` : ""}`, this.protocols);
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => this.#lost(event.code === SESSION_OVER);
    this.#socket = socket;
    this.#expectAnswer();
  }

  /** Disconnect for good. */
  close() { this.#lost(true); }

  /** Say something. Returns its id, which message.accepted or an error will name. */
  send(/** @type {string} */ msg, id = uuid()) {
    this.#outbox.set(id, msg);
    if (this.#ready) this.#transmit({ type: "message.send", id, msg });
    return id;
  }

  /** Take back what was not accepted yet. */
  forget(/** @type {string} */ id) { this.#outbox.delete(id); }
  stop(/** @type {string} */ replyTo) { this.#transmit({ type: "reply.stop", reply_to: replyTo }); }
  regenerate(/** @type {string} */ replyTo) { this.#transmit({ type: "reply.regenerate", reply_to: replyTo }); }
  extend() { this.#transmit({ type: "session.extend" }); }

  /** Ask for what was missed. Without an answer the connection counts as dead and is made anew. */
  sync() {
    if (!this.#ready || this.#syncing) return;
    this.#syncing = true;
    this.#transmit({ type: "session.sync", after: this.#after });
  }

  #transmit(/** @type {Frame} */ frame) {
    if (this.#socket?.readyState !== 1) return;
    this.#socket.send(JSON.stringify(frame));
    if (frame.type !== "reply.stop") this.#expectAnswer();
  }

  #expectAnswer() {
    clearTimeout(this.#patience);
    this.#patience = Number(setTimeout(() => this.#lost(false), ANSWER_WITHIN_MS));
  }

  #receive(/** @type {Frame} */ frame) {
    clearTimeout(this.#patience);
    if (frame.type === "session.ready") this.#resume(frame);
    else if (frame.message) this.#learn(frame.message);
    else if (frame.type === "reply.started") this.#reply = { id: frame.id, length: 0 };
    else if (frame.type === "reply.delta") this.#measure(frame);
    else if (frame.type === "error" && this.#outbox.has(frame.ref)) this.#refused(frame);
    this.onFrame(frame);
  }

  #resume(/** @type {Frame} */ { messages, reply, recovered }) {
    if (!recovered) { this.#after = 0; this.#ahead.clear(); }
    this.#syncing = true;
    for (const message of messages) this.#learn(message);
    this.#syncing = false;
    this.#reply = reply && { id: reply.id, length: [...reply.text].length };
    this.#ready = true;
    this.#attempt = 0;
    this.onConnection({ phase: "open" });
    for (const [id, msg] of this.#outbox) this.#transmit({ type: "message.send", id, msg });
  }

  #learn(/** @type {{id: string, seq: number}} */ { id, seq }) {
    this.#outbox.delete(id);
    if (id === this.#reply?.id) this.#reply = null;
    if (seq > this.#after) this.#ahead.add(seq);
    while (this.#ahead.delete(this.#after + 1)) this.#after += 1;
    if (this.#ahead.size) this.sync();
  }

  #measure(/** @type {Frame} */ { id, offset, text }) {
    const known = this.#reply?.id === id ? this.#reply : null;
    if (known && offset <= known.length) known.length = Math.max(known.length, offset + [...text].length);
    else if (known || id !== this.#unheardOf) { this.#unheardOf = id; this.sync(); }
  }

  #refused(/** @type {Frame} */ { ref, code }) {
    clearTimeout(this.#retry);
    if (REFUSED_FOR_GOOD.includes(code)) this.#outbox.delete(ref);
    else this.#retry = Number(setTimeout(() => this.sync(), RESEND_MS));
  }

  #lost(/** @type {boolean} */ over) {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) { socket.onmessage = socket.onclose = null; socket.close(); }
    this.#ready = this.#syncing = false;
    for (const timer of [this.#patience, this.#retry]) clearTimeout(timer);
    if (over) return this.onConnection({ phase: "closed" });
    const wait = Math.min(RETRY_MS.first * 2 ** this.#attempt++, RETRY_MS.longest) * (0.5 + Math.random() / 2);
    this.#retry = Number(setTimeout(() => this.open(), wait));
    this.onConnection({ phase: "waiting", retryAt: Date.now() + wait, attempt: this.#attempt });
  }
}

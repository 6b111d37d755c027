// One session in this tab: its state, its connection, and what the browser stores of it: unsent messages, an unsent edit,
// and a copy of the others.

import { ChatClient, uuid } from "./client.js";
import { socketUrl } from "./http.js";
import { EMPTY, reduce } from "./state.js";
import * as storage from "./storage.js";

/** @typedef {import("./state.js").State} State */

const TYPING_INTERVAL_MS = 2000;

export class Conversation {
  /** @type {State} */ state = EMPTY;
  #typedAt = 0;

  /**
   * @param {string} token
   * @param {(conversation: Conversation, event: import("./state.js").Event) => void} onChange
   */
  constructor(token, onChange) {
    this.token = token;
    this.onChange = onChange;
    const outbox = storage.pending(token);
    this.client = new ChatClient({
      url: socketUrl(),
      token,
      pending: outbox,
      onFrame: (frame) => this.dispatch(["model.loading", "operator.typing"].includes(frame.type) ? { ...frame, receivedAt: Date.now() } : frame),
      onConnection: (connection) => this.dispatch({ type: "local.connection", connection }),
    });
    this.client.model = storage.session(token)?.model;
    this.dispatch({ type: "local.opened", outbox, edit: storage.edit(token), model: this.client.model });
  }

  /** Connect; a session that has ended is shown from this browser's copy. */
  open() {
    if (storage.session(this.token)?.ended) this.dispatch({ type: "session.expired" });
    else this.client.open();
  }

  close() { this.client.close(); }
  sync() { this.client.sync(); }
  /** @param {boolean} isActive */
  setActive(isActive) { this.client.setActive(isActive); }
  loadEarlier() { this.client.loadEarlier(); }
  extend() { this.client.extend(); }
  dismiss() { this.dispatch({ type: "local.dismissed" }); }

  /** @param {import("./state.js").Event} event */
  dispatch(event) {
    const before = this.state;
    this.state = reduce(before, event);
    if (this.state === before) return;
    const unsent = new Set(this.state.outbox.map(({ id }) => id));
    for (const { id } of before.outbox) if (!unsent.has(id)) storage.removePending(this.token, id);
    if (this.state.edit !== before.edit) storage.setEdit(this.token, this.state.edit);
    this.onChange(this, event);
    if (event.type !== "local.archived") this.#keep(before);
    if (event.type === "session.ready" && this.state.opening && !this.state.opening.error) this.client.loadVersion(this.state.opening.id);
    if (event.type === "session.ready" && event.has_earlier) void this.#archive(({ complete }) => complete(this.token));
    const isUnreachable = !this.state.session && ["waiting", "silent"].includes(this.state.connection.phase);
    if ((this.state.ended && !before.ended) || (isUnreachable && !before.messages.size)) void this.#showCopy();
  }

  /** Copy new messages into the browser's storage. @param {State} before */
  #keep({ messages }) {
    const added = [...this.state.messages.values()].filter((message) => messages.get(message.id) !== message);
    if (added.length) void this.#archive(({ save }) => save(this.token, added));
  }

  async #showCopy() {
    const messages = await this.#archive(({ load }) => load(this.token));
    this.dispatch({ type: "local.archived", messages: messages ?? [], lastSeq: storage.session(this.token)?.lastSeq });
  }

  /** Without storage, or if it is full, the copy has gaps, which the page says when the copy is all that is left.
   * @template T
   * @param {(archive: typeof import("./archive.js")) => Promise<T>} action */
  async #archive(action) {
    try {
      const archive = await import("./archive.js");
      void import("./register_worker.js").catch(() => {});
      // A session that was deleted meanwhile must not come back.
      return storage.session(this.token) ? await action(archive) : undefined;
    } catch {
      return undefined;
    }
  }

  /** @param {string} msg @param {string} [replaces] the question that it is an edit of */
  send(msg, replaces) {
    const message = { id: uuid(), msg, replaces };
    storage.addPending(this.token, message, Date.now()); // before sending: a crash must not lose it
    this.dispatch({ type: "local.sent", ...message });
    this.client.send(msg, message.id, replaces);
  }

  /** Choose the model for the messages to come. @param {string} model */
  chooseModel(model) {
    const session = storage.session(this.token);
    if (session) storage.saveSession({ ...session, model });
    this.client.model = model;
    this.dispatch({ type: "local.model", model });
  }

  /** Discard a message that is not accepted yet. @param {string} id */
  discard(id) {
    this.client.forget(id);
    this.dispatch({ type: "local.discarded", id });
  }

  /** @param {boolean} wanted */
  requestOperator(wanted) { this.client.requestOperator(wanted); }

  /** Tell the person who is there that the visitor types. */
  typing() {
    if (!this.state.person.name || Date.now() - this.#typedAt < TYPING_INTERVAL_MS) return;
    this.#typedAt = Date.now();
    this.client.typing();
  }

  /** @param {{id: string, rating: "up" | "down" | null, comment: string}} rating */
  rate({ id, rating, comment }) { this.client.rate(id, rating, comment); }

  /** @param {string} replyTo */
  stop(replyTo) {
    this.dispatch({ type: "local.stop", reply_to: replyTo });
    this.client.stop(replyTo);
  }

  /** @param {string} replyTo */
  regenerate(replyTo) {
    this.dispatch({ type: "local.regenerate", reply_to: replyTo });
    this.client.regenerate(replyTo);
  }

  /** @param {string} replyTo */
  continue(replyTo) {
    this.dispatch({ type: "local.continue", reply_to: replyTo });
    this.client.continueReply(replyTo);
  }

  /** Edit a question; null: no longer. @param {{id: string, msg: string} | null} edit */
  edit(edit) { this.dispatch({ type: "local.edit", edit }); }

  /** Show an earlier version, or null: the current one. @param {import("./state.js").Version | null} version */
  view(version) { this.dispatch({ type: "local.view", version }); }

  /** Show an earlier version that the server has. @param {import("./state.js").Version} version */
  loadVersion(version) {
    this.dispatch({ type: "local.load", version });
    this.client.loadVersion(version.id);
  }

  /** Make the version that is viewed the current one. */
  choose() {
    if (!this.state.view) return;
    const id = uuid();
    this.dispatch({ type: "local.choose", id });
    this.client.chooseVersion(this.state.view.id, id);
  }
}

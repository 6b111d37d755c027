// One session in this tab: its state, its connection, and its unsent messages in the browser's storage.

import { ChatClient, uuid } from "./client.js";
import { socketUrl } from "./http.js";
import { EMPTY, reduce } from "./state.js";
import * as storage from "./storage.js";

/** @typedef {import("./state.js").State} State */

export class Conversation {
  /** @type {State} */ state = EMPTY;

  /**
   * @param {string} token
   * @param {(state: State, event: import("./state.js").Event) => void} onChange
   */
  constructor(token, onChange) {
    this.token = token;
    this.onChange = onChange;
    const outbox = storage.pending(token);
    this.client = new ChatClient({
      url: socketUrl(),
      token,
      pending: outbox,
      onFrame: (frame) => this.dispatch(frame.type === "model.loading" ? { ...frame, receivedAt: Date.now() } : frame),
      onConnection: (connection) => this.dispatch({ type: "local.connection", connection }),
    });
    this.dispatch({ type: "local.opened", outbox });
  }

  open() { this.client.open(); }
  close() { this.client.close(); }
  sync() { this.client.sync(); }
  /** @param {boolean} watched */
  watch(watched) { this.client.watch(watched); }
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
    this.onChange(this.state, event);
  }

  /** @param {string} msg */
  send(msg) {
    const id = uuid();
    storage.addPending(this.token, id, msg, Date.now()); // before sending: a crash must not lose it
    this.dispatch({ type: "local.sent", id, msg });
    this.client.send(msg, id);
  }

  /** Discard a message that is not accepted yet. @param {string} id */
  discard(id) {
    this.client.forget(id);
    this.dispatch({ type: "local.discarded", id });
  }

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
}

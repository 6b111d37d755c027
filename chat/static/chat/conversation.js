// One session in this tab: its state, its connection, and what is kept of it in the browser.

import { ChatClient, uuid } from "./client.js";
import { socketAddress } from "./http.js";
import * as local from "./local.js";
import { EMPTY, reduce } from "./state.js";

/** @typedef {import("./state.js").State} State */

export class Conversation {
  /** @type {State} */ state = EMPTY;

  /**
   * @param {string} token
   * @param {(state: State, before: State, event: import("./state.js").Event) => void} onChange
   */
  constructor(token, onChange) {
    this.token = token;
    this.onChange = onChange;
    const outbox = local.pending(token);
    this.client = new ChatClient({
      url: socketAddress(),
      token,
      pending: outbox,
      onFrame: (frame) => this.dispatch(frame.type === "model.loading" ? { ...frame, at: Date.now() } : frame),
      onConnection: (connection) => this.dispatch({ type: "local.connection", connection }),
    });
    this.dispatch({ type: "local.opened", outbox });
  }

  open() { this.client.open(); }
  close() { this.client.close(); }

  /** @param {import("./state.js").Event} event */
  dispatch(event) {
    const before = this.state;
    this.state = reduce(before, event);
    if (this.state === before) return;
    const kept = new Set(this.state.outbox.map(({ id }) => id));
    for (const { id } of before.outbox) if (!kept.has(id)) local.dropPending(this.token, id);
    this.onChange(this.state, before, event);
  }

  /** @param {string} msg */
  send(msg) {
    const id = uuid();
    local.keepPending(this.token, id, msg, Date.now());
    this.dispatch({ type: "local.sent", id, msg });
    this.client.send(msg, id);
  }

  /** Take back a message that was not accepted. @param {string} id */
  discard(id) {
    this.client.forget(id);
    this.dispatch({ type: "local.forgotten", id });
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

  extend() { this.client.extend(); }
  dismiss() { this.dispatch({ type: "local.dismissed" }); }
}

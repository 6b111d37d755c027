// Conversations that are not shown, but whose replies are awaited.

import { isAwaiting } from "./turns.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */

/** Each needs a connection. */
const MAX_FOLLOWED = 3;

export class Followed {
  /** @type {Map<string, Conversation>} */ #conversations = new Map();

  /** @returns {Iterable<Conversation>} */
  all() { return this.#conversations.values(); }

  /** Keep a conversation connected until its replies have arrived; close it if there are none, or too many others.
   * @param {Conversation} conversation */
  add(conversation) {
    const isAdded = isAwaiting(conversation.state) && this.#conversations.size < MAX_FOLLOWED;
    if (isAdded) this.#conversations.set(conversation.token, conversation);
    else conversation.close();
  }

  /** Connect to conversations whose replies a former page awaited. @param {Conversation[]} conversations */
  resume(conversations) {
    for (const conversation of conversations.slice(0, MAX_FOLLOWED)) {
      this.#conversations.set(conversation.token, conversation);
      conversation.open();
    }
  }

  /** Stop following a conversation, and return it if it was followed. @param {string} token */
  take(token) {
    const conversation = this.#conversations.get(token);
    this.#conversations.delete(token);
    return conversation;
  }

  /** Close a conversation once its replies have arrived. @param {Conversation} conversation */
  closeIfSettled(conversation) {
    const { token, state } = conversation;
    const isKnown = state.ended || (state.session && state.connection.phase === "open");
    if (this.#conversations.get(token) === conversation && isKnown && !isAwaiting(state)) this.take(token)?.close();
  }
}

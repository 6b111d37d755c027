// The HTTP calls of the page. A token travels in a header or a body, never in a URL.

const at = (/** @type {string} */ path) => new URL(path, document.baseURI);

/** Why the server said no, in one sentence for the reader. */
export class Refused extends Error {}

/** @type {(path: string, options: RequestInit) => Promise<Response>} */
async function call(path, options) {
  try {
    return await fetch(at(path), { ...options, credentials: "same-origin" });
  } catch (error) {
    throw new Refused(gettext("The server can't be reached. Check your connection and try again."), { cause: error });
  }
}

/** @type {(name: string) => Promise<{token: string, name: string, session_start: string}>} */
export async function createSession(name) {
  const headers = { "Content-Type": "application/json" };
  const answer = await call("token", { method: "POST", headers, body: JSON.stringify({ name }) });
  if (answer.ok) return answer.json();
  if (answer.status === 429) throw new Refused(gettext("Too many new conversations. Wait a minute and try again."));
  if (answer.status === 400) throw new Refused(gettext("Enter a valid name."));
  throw new Refused(gettext("The server can't start a conversation right now. Try again shortly."));
}

/** Erase a session on the server; one that is gone already counts as erased. @type {(token: string) => Promise<void>} */
export async function eraseSession(token) {
  const answer = await call("token", { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok && answer.status !== 400 && answer.status !== 404) {
    throw new Refused(gettext("The server couldn't delete this conversation. Try again shortly."));
  }
}

/** What was said in a session. The server tags each text with who said it.
 * @type {(token: string) => Promise<import("./exporting.js").Said[]>} */
export async function fetchHistory(token) {
  const answer = await call("refresh_token", { headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Refused(gettext("The server no longer has this conversation."));
  const { messages } = await answer.json();
  return messages.map((/** @type {any} */ said) => ({ ...said, msg: said.msg.replace(/^(Human|Bot): /, "") }));
}

/** @returns {string} the address of the WebSocket */
export function socketAddress() {
  const address = at("chat");
  address.protocol = address.protocol.replace("http", "ws");
  return address.href;
}

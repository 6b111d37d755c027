// The page's HTTP requests. A token travels in a header, never in a URL.

import { errorMessage } from "./i18n.js";

const resolve = (/** @type {string} */ path) => new URL(path, document.baseURI);

/** @type {(method: string, path: string, headers: Record<string, string>, body?: string) => Promise<Response>} */
export async function request(method, path, headers, body) {
  try {
    return await fetch(resolve(path), { method, headers, body, credentials: "same-origin" });
  } catch (error) {
    throw new Error(gettext("The server can't be reached. Check your connection and try again."), { cause: error });
  }
}

export const bearer = (/** @type {string} */ token) => ({ Authorization: `Bearer ${token}` });

// Each function throws an Error whose message is for the visitor.

/** @type {(name: string) => Promise<{token: string, name: string}>} */
export async function createSession(name) {
  const response = await request("POST", "token", { "Content-Type": "application/json" }, JSON.stringify({ name }));
  if (response.ok) return response.json();
  if (response.status === 429) throw new Error(gettext("Too many new conversations. Wait a minute and try again."));
  if (response.status === 400) throw new Error(gettext("Enter a valid name."));
  const { code } = await response.json().catch(() => ({}));
  if (code === "store.full") throw new Error(errorMessage({ code, detail: "" }));
  throw new Error(gettext("The server can't start a conversation right now. Try again shortly."));
}

/** Delete a session on the server; succeeds if it no longer exists. @type {(token: string) => Promise<void>} */
export async function deleteSession(token) {
  const response = await request("DELETE", "token", bearer(token));
  if (!response.ok && response.status !== 400 && response.status !== 404) {
    throw new Error(gettext("The server couldn't delete this conversation. Try again shortly."));
  }
}

/** The messages of a session, without the source tag that the API puts before each text.
 * @type {(token: string) => Promise<import("./export.js").ExportedMessage[]>} */
export async function fetchMessages(token) {
  const response = await request("GET", "refresh_token", bearer(token));
  if (!response.ok) throw new Error(gettext("The server no longer has this conversation."));
  const { messages } = await response.json();
  return messages.map((/** @type {any} */ message) => ({ ...message, msg: message.msg.replace(/^(Human|Bot): /, "") }));
}

/** @returns {string} the URL of the WebSocket */
export function socketUrl() {
  const url = resolve("chat");
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

// The copy of each conversation that this browser keeps, in IndexedDB. It stays readable after the server has deleted
// the conversation, until the visitor deletes it. Loaded when it is first needed.

import { fetchMessages } from "./http.js";

/** @typedef {import("./state.js").Message} Message */

const STORE = "messages";
const SNIPPET_CHARS_BEFORE = 12;
const SNIPPET_CHARS_AFTER = 100;

/** All messages of a session. An array sorts after every number. */
const ofSession = (/** @type {string} */ token) => IDBKeyRange.bound([token], [token, []]);

/** @type {Promise<IDBDatabase> | undefined} */
let database;

/** Fails if the browser blocks storage. @returns {Promise<IDBDatabase>} */
function open() {
  database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("chat", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  database.catch(() => { database = undefined; });
  return database;
}

/** Run requests in one transaction and return the result of the last one.
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T> | void} run
 * @returns {Promise<T>} */
async function transact(mode, run) {
  const transaction = (await open()).transaction(STORE, mode);
  return new Promise((resolve, reject) => {
    const request = run(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(/** @type {T} */ (request?.result));
    transaction.onabort = () => reject(transaction.error);
  });
}

/** Keep new or changed messages. Fails if the storage is full. @type {(token: string, messages: Message[]) => Promise<void>} */
export async function save(token, messages) {
  await transact("readwrite", (store) => {
    for (const message of messages) {
      const key = [token, message.seq];
      if (message.msg !== undefined) store.put(message, key);
      else store.get(key).onsuccess = ({ target }) => { // a replaced one keeps its text
        store.put({ .../** @type {IDBRequest} */ (target).result, ...message }, key);
      };
    }
  });
}

/** The messages of a session in order; none if the browser blocks storage. @type {(token: string) => Promise<Message[]>} */
export async function load(token) {
  try {
    return await transact("readonly", (store) => store.getAll(ofSession(token)));
  } catch {
    return [];
  }
}

/** @type {(token: string) => Promise<void>} */
export async function remove(token) {
  await transact("readwrite", (store) => store.delete(ofSession(token)));
}

/** Fetch the whole session from the server if its beginning was never received here. @type {(token: string) => Promise<void>} */
export async function complete(token) {
  const count = await transact("readonly", (store) => store.count([token, 1]));
  if (count) return;
  const messages = /** @type {Message[]} */ (await fetchMessages(token));
  const [first] = messages;
  // Replaced messages are not among them. The first one marks the beginning.
  await save(token, first?.seq > 1 ? [{ id: "", seq: 1, replaced_by: first.id }, ...messages] : messages);
}

/** Letters without case and accents; nearly always as many as the text has. */
const folded = (/** @type {string} */ text) => text.normalize("NFD").replace(/\p{M}/gu, "").normalize("NFC").toLowerCase();

/** @typedef {[before: string, match: string, after: string]} Snippet a part of a text around a match */

/** The sessions whose title or messages contain the query, whatever its case and accents, each with the latest such
 * message, or null if only its title does. Gives up when isCurrent returns false.
 * @type {(query: string, sessions: {token: string, title: string}[], isCurrent: () => boolean) => Promise<Map<string, Snippet | null>>} */
export async function search(query, sessions, isCurrent) {
  const found = new Map();
  const wanted = folded(query.trim());
  for (const { token, title } of sessions) {
    if (!isCurrent()) break;
    const match = (await load(token)).findLast(({ msg, replaced_by }) => msg && !replaced_by && folded(msg).includes(wanted));
    if (match || folded(title).includes(wanted)) found.set(token, match ? snippet(match.msg ?? "", wanted) : null);
  }
  return found;
}

/** @type {(msg: string, wanted: string) => Snippet} */
function snippet(msg, wanted) {
  const text = msg.normalize();
  const [start, end] = [folded(text).indexOf(wanted), folded(text).indexOf(wanted) + wanted.length];
  const first = Math.max(0, start - SNIPPET_CHARS_BEFORE);
  return [(first ? "…" : "") + text.slice(first, start), text.slice(start, end), text.slice(end, end + SNIPPET_CHARS_AFTER)];
}

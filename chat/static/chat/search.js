// Searches the conversations of this browser, a moment after the last key. Loaded with the first one.

import * as sessions from "./sessions.js";
import * as storage from "./storage.js";

/** @typedef {import("./sidebar.js").Search} Search */

const DELAY_MS = 150;
let timer = 0;

/** Change what is searched for. @type {(search: Search, query: string, onChange: () => void) => void} */
export function setQuery(search, query, onChange) {
  search.query = query;
  clearTimeout(timer);
  if (query.trim()) timer = window.setTimeout(() => void find(search, query, onChange), DELAY_MS);
  else search.found = null;
  onChange();
}

/** @type {(search: Search, query: string, onChange: () => void) => Promise<void>} */
async function find(search, query, onChange) {
  const titled = storage.sessions().map((session) => ({ token: session.token, title: sessions.title(session) }));
  const archive = await import("./archive.js");
  const found = await archive.search(query, titled, () => search.query === query);
  if (search.query !== query) return;
  search.found = found;
  onChange();
}

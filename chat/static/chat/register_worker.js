// Registers the service worker, which opens the page while the server cannot be reached. Loaded when this browser keeps
// a message: before, there is nothing to show.

/** Files whose URL has no digest (DEBUG) cannot be kept. */
const RELEASE = /\/([0-9a-f]{16})\/chat\/[^/]+$/.exec(new URL(import.meta.url).pathname)?.[1];
const IDLE_TIMEOUT_MS = 10_000;

const whenIdle = (/** @type {() => void} */ action) =>
  "requestIdleCallback" in window ? requestIdleCallback(action, { timeout: IDLE_TIMEOUT_MS }) : setTimeout(action, 1000);

async function register() {
  const url = new URL("service-worker.js", document.baseURI);
  url.search = String(new URLSearchParams({ language: document.documentElement.lang, release: String(RELEASE) }));
  const policy = window.trustedTypes?.createPolicy("service-worker", { createScriptURL: (script) => script });
  const script = /** @type {string} */ (/** @type {unknown} */ (policy?.createScriptURL(url.href) ?? url.href));
  try {
    // By the cache, because otherwise each visit would ask the server whether the worker has changed.
    await navigator.serviceWorker.register(script, { updateViaCache: "all" });
  } catch { /* the browser allows no worker, or the server has just been replaced: the next visit tries again */ }
}

// Only secure pages have workers.
if (RELEASE && "serviceWorker" in navigator) whenIdle(() => void register());

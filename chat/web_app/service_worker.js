// The service worker: it opens the page while the server cannot be reached.
//
// Pages come from the server whenever it responds, so an old worker never hides a new release. The worker keeps the
// offline page and files whose URL contains a digest, and nothing about a session. RELEASE precedes this script.

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const CACHES = "chat-";
const CACHE = CACHES + RELEASE.version;
/** Of a proxy whose server cannot be reached. */
const UNREACHABLE = new Set([502, 504]);
/** The language of the visitor who registered the worker is in the URL. */
const ANY_HEADERS = { ignoreVary: true };

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== location.origin) return;
  if (mode === "navigate" && pathname === RELEASE.page) event.respondWith(openPage(event));
  else if (pathname.startsWith(RELEASE.folder) || RELEASE.files.includes(pathname)) event.respondWith(loadFile(event.request));
});
worker.addEventListener("notificationclick", (event) => event.waitUntil(openTab(event.notification)));

async function install() {
  const cache = await caches.open(CACHE);
  await Promise.all([RELEASE.offlinePage, ...RELEASE.files].map(async (url) => {
    const response = await fetch(url);
    if (!isOfThisRelease(response)) throw new Error(`${url} is of another release`);
    await cache.put(url, response);
  }));
  await worker.skipWaiting();
}

async function activate() {
  for (const name of await caches.keys()) if (name.startsWith(CACHES) && name !== CACHE) await caches.delete(name);
  await worker.registration.navigationPreload?.enable(); // the request need not wait until the worker has started
}

/** @param {FetchEvent} event */
async function openPage(event) {
  try {
    const response = await event.preloadResponse ?? await fetch(event.request);
    if (!UNREACHABLE.has(response.status)) return response;
  } catch { /* no connection, or nobody listens */ }
  const cache = await caches.open(CACHE);
  return await cache.match(RELEASE.offlinePage, ANY_HEADERS) ?? Response.error();
}

/** @param {Request} request */
async function loadFile(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, ANY_HEADERS);
  if (kept) return kept;
  const response = await fetch(request);
  if (isOfThisRelease(response)) await cache.put(request, response.clone());
  return response;
}

/** While processes are replaced, a server of another release responds with a file of its own, which nobody may keep.
 * @param {Response} response */
const isOfThisRelease = (response) => response.ok && (response.headers.get("Cache-Control") ?? "").includes("immutable");

/** Focus a tab, and let the one that asked for the notification show what it is about. @param {Notification} notification */
async function openTab(notification) {
  notification.close();
  const tabs = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  for (const tab of tabs) tab.postMessage({ type: "notification.clicked", tag: notification.tag });
  if (tabs[0]) await tabs[0].focus();
  else await worker.clients.openWindow(RELEASE.page);
}

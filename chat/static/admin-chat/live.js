// @ts-check
/**
 * Keeps the parts of an operator's page up to date.
 *
 * The element with `data-live` holds the URL to poll; each `data-part` in it has a version. A
 * response contains only the parts whose version changed. Their HTML is rendered and escaped by the
 * same templates as the page.
 */

const MAX_INTERVAL_MS = 15_000;

/** @param {HTMLElement} root */
function parts(root) {
  return [.../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-part]"))];
}

/** @param {HTMLElement} root */
function liveUrl(root) {
  const versions = parts(root).map((part) => [part.dataset.part ?? "", part.dataset.version ?? ""]);
  return `${root.dataset.live}?${new URLSearchParams(versions)}`;
}

/**
 * @param {HTMLElement} root
 * @param {Record<string, {version: string, html: string}>} changes
 */
function apply(root, changes) {
  const page = document.scrollingElement ?? document.documentElement;
  const atEnd = page.scrollHeight - page.scrollTop - page.clientHeight < 8 && page.scrollTop > 0;
  for (const part of parts(root)) {
    const change = changes[part.dataset.part ?? ""];
    if (change) {
      const parsed = new DOMParser().parseFromString(change.html, "text/html");
      part.replaceChildren(...parsed.body.childNodes);
      part.dataset.version = change.version;
    }
  }
  document.dispatchEvent(new Event("chat:updated"));
  if (atEnd) page.scrollTop = page.scrollHeight;
}

/**
 * @param {HTMLElement} root
 * @param {string} text empty to hide the notice
 */
function showNotice(root, text) {
  const notice = /** @type {HTMLElement} */ (root.querySelector("[data-live-notice]"));
  notice.hidden = !text;
  // A live region is announced again whenever its text is set.
  if (notice.textContent !== text) notice.textContent = text;
}

/**
 * Load the changes once. Returns false if there will be no more.
 * @param {HTMLElement} root
 */
async function refresh(root) {
  const response = await fetch(liveUrl(root), { credentials: "same-origin", redirect: "error" });
  if (!response.ok) throw new Error(String(response.status));
  const changes = await response.json();
  if (changes === null) {
    showNotice(root, "This session no longer exists: it expired or was deleted.");
    return false;
  }
  apply(root, changes);
  showNotice(root, "");
  return true;
}

/** Wait, or until another module knows that something has changed. @param {number} ms */
const pause = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
    document.addEventListener("chat:changed", resolve, { once: true });
  });

const tabVisible = () =>
  new Promise((resolve) => {
    if (!document.hidden) resolve(undefined);
    else document.addEventListener("visibilitychange", resolve, { once: true });
  });

/** @param {HTMLElement} root */
async function poll(root) {
  const intervalMs = Number(root.dataset.intervalMs);
  for (let waitMs = intervalMs; ; ) {
    await pause(waitMs);
    await tabVisible();
    try {
      if (!(await refresh(root))) return;
      waitMs = intervalMs;
    } catch {
      waitMs = Math.min(waitMs * 2, MAX_INTERVAL_MS);
      showNotice(root, "Not up to date: the server does not respond, or you are logged out.");
    }
  }
}

for (const root of document.querySelectorAll("[data-live]")) {
  poll(/** @type {HTMLElement} */ (root));
}

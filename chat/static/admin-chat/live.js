// @ts-check
/**
 * Keeps the parts of an operator's page as they are on the server.
 *
 * The element with `data-live` names the address; each `data-part` in it has a version. What is
 * asked for again and again is only what changed. The HTML comes from the same templates as the
 * page, escaped there.
 */

const LONGEST_PAUSE_MS = 15_000;

/** @param {HTMLElement} root */
function parts(root) {
  return [.../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-part]"))];
}

/** @param {HTMLElement} root */
function address(root) {
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
  if (atEnd) page.scrollTop = page.scrollHeight;
}

/**
 * @param {HTMLElement} root
 * @param {string} sentence empty where all is well
 */
function tell(root, sentence) {
  const note = /** @type {HTMLElement} */ (root.querySelector("[data-live-trouble]"));
  note.hidden = !sentence;
  if (note.textContent !== sentence) note.textContent = sentence;
}

/**
 * Ask once. Returns whether there is sense in asking again.
 * @param {HTMLElement} root
 */
async function refresh(root) {
  const answer = await fetch(address(root), { credentials: "same-origin", redirect: "error" });
  if (!answer.ok) throw new Error(String(answer.status));
  const changes = await answer.json();
  if (changes === null) {
    tell(root, "This session is gone: its time was over, or it was erased. This is how it was.");
    return false;
  }
  apply(root, changes);
  tell(root, "");
  return true;
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const seen = () =>
  new Promise((resolve) => {
    if (!document.hidden) resolve(undefined);
    else document.addEventListener("visibilitychange", resolve, { once: true });
  });

/** @param {HTMLElement} root */
async function keepFresh(root) {
  const every = Number(root.dataset.everyMs);
  for (let wait = every; ; ) {
    await pause(wait);
    await seen();
    try {
      if (!(await refresh(root))) return;
      wait = every;
    } catch {
      wait = Math.min(wait * 2, LONGEST_PAUSE_MS);
      tell(root, "Not up to date: the server does not answer, or you are logged out.");
    }
  }
}

for (const root of document.querySelectorAll("[data-live]")) {
  keepFresh(/** @type {HTMLElement} */ (root));
}

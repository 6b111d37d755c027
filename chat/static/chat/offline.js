// Says that the server cannot be reached, and opens the server's own page when it is back. Only the offline page, which
// the service worker keeps, loads this.

const FIRST_PAUSE_MS = 2000;
const MAX_PAUSE_MS = 30_000;
const PROBE_TIMEOUT_MS = 5000;

const { action: page } = /** @type {HTMLFormElement} */ (document.getElementById("welcome"));
const banner = document.createElement("p");
banner.className = "offline-banner";
banner.role = "status";
document.getElementById("bar")?.after(banner);

let pauseMs = FIRST_PAUSE_MS;
let timer = 0;
let isBack = false;

/** @returns {Promise<boolean>} */
async function responds() {
  try {
    return (await fetch(new URL("test", page), { cache: "no-store", signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })).ok;
  } catch {
    return false;
  }
}

async function probe() {
  clearTimeout(timer);
  isBack ||= await responds();
  if (isBack && !isInUse()) return location.replace(page);
  showState();
  pauseMs = isBack ? FIRST_PAUSE_MS : Math.min(pauseMs * 1.5, MAX_PAUSE_MS) * (0.75 + Math.random() / 2); // not all tabs at once
  timer = window.setTimeout(probe, pauseMs);
}

/** Whether loading the page would interrupt somebody: texts are kept, but not the place in them. */
const isInUse = () => {
  const field = document.activeElement;
  const isTyping = (field instanceof HTMLTextAreaElement || field instanceof HTMLInputElement) && field.value !== "";
  return isTyping || Boolean(document.querySelector("dialog[open]"));
};

function showState() {
  const state = isBack ? gettext("The server is back.")
    : `${navigator.onLine ? gettext("The server can't be reached.") : gettext("You are offline.")} ${
      gettext("You can read and search the conversations that this browser keeps.")}`;
  if (banner.firstChild?.textContent === state) return;
  banner.replaceChildren(state);
  if (isBack) banner.append(reloadButton());
}

function reloadButton() {
  const button = document.createElement("button");
  button.className = "button small";
  button.textContent = gettext("Reload");
  button.onclick = () => location.replace(page);
  return button;
}

addEventListener("online", () => void probe());
addEventListener("offline", showState);
document.addEventListener("visibilitychange", () => { if (!document.hidden) void probe(); });
showState();
timer = window.setTimeout(probe, pauseMs);

// Notifications about replies that arrive in hidden tabs. Loaded when the first one is due.

import * as storage from "./storage.js";
import { preview, title } from "./sessions.js";

/** Another tab that shows the reply has stored so by then. */
const SEEN_WITHIN_MS = 1000;
const ICON = new URL("icons/icon-192.png", import.meta.url).href;

/** What a click on a notification does, by its tag: browsers for phones report it to the service worker.
 * @type {Map<string, () => void>} */
const clicks = new Map();

navigator.serviceWorker?.addEventListener("message", ({ data }) => {
  if (data?.type === "notification.clicked") clicks.get(data.tag)?.();
});

/** Notify the visitor of a reply, unless a visible tab shows it. Only on request, it contains a text of the conversation.
 * @type {(token: string, reply: import("./state.js").Message, open: () => void) => Promise<void>} */
export async function notify(token, reply, open) {
  await new Promise((resolve) => setTimeout(resolve, SEEN_WITHIN_MS));
  const session = storage.session(token);
  if (!document.hidden || !session || (session.seenSeq ?? 0) >= reply.seq) return;
  const body = storage.notifications() === "text" ? [title(session), preview(reply.msg)].filter(Boolean).join("\n") : "";
  // By its tag, one reply has one notification, whatever the number of tabs.
  const options = { body, tag: reply.id, icon: ICON, lang: document.documentElement.lang };
  clicks.set(reply.id, open);
  try {
    show(gettext("New reply"), options, open);
  } catch { // Chrome for Android
    const registration = await navigator.serviceWorker?.getRegistration();
    await registration?.showNotification(gettext("New reply"), options);
  }
}

/** @type {(text: string, options: NotificationOptions, open: () => void) => void} */
function show(text, options, open) {
  const notification = new Notification(text, options);
  notification.onclick = () => {
    notification.close();
    window.focus();
    open();
  };
}

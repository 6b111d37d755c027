// Runs before the first paint, so that the page opens with its theme and layout and does not flicker.
{
  const root = document.documentElement;
  const load = (/** @type {string} */ key) => {
    try { return sessionStorage.getItem(key) ?? localStorage.getItem(key); } catch { return null; }
  };
  root.dataset.theme = load("chat.theme") ?? "auto";
  const current = load("chat.current");
  if (current) root.dataset.view = "conversation";
  try {
    if (Object.keys(localStorage).some((key) => key.startsWith("chat.session."))) root.dataset.sidebar = "closed";
    const session = JSON.parse(localStorage.getItem(`chat.session.${current}`) ?? "null");
    if (session && !session.lastWords && !session.ended) root.dataset.state = "empty";
  } catch { /* storage is disabled: there is no list */ }
}

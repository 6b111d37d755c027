// Runs before the first paint, so that the page appears at once in its colours and with the right half shown.
{
  const root = document.documentElement;
  const stored = (/** @type {string} */ key) => {
    try { return sessionStorage.getItem(key) ?? localStorage.getItem(key); } catch { return null; }
  };
  root.dataset.theme = stored("chat.theme") ?? "auto";
  root.dataset.script = "on";
  if (stored("chat.current")) root.dataset.view = "talk";
  try {
    if (Object.keys(localStorage).some((key) => key.startsWith("chat.session."))) root.dataset.side = "closed";
  } catch { /* no storage, no list */ }
}

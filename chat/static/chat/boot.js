// Runs before the first paint, so that the page opens with its theme and layout and does not flicker.
{
  const root = document.documentElement;
  const load = (/** @type {string} */ key) => {
    try { return sessionStorage.getItem(key) ?? localStorage.getItem(key); } catch { return null; }
  };
  const showTheme = () => {
    for (const meta of /** @type {NodeListOf<HTMLMetaElement>} */ (document.querySelectorAll("[name=theme-color]"))) {
      meta.dataset.scheme ??= meta.media;
      const { theme } = root.dataset;
      meta.media = theme === "auto" ? meta.dataset.scheme : meta.dataset.scheme.includes(String(theme)) ? "all" : "not all";
    }
  };
  new MutationObserver(showTheme).observe(root, { attributeFilter: ["data-theme"] });
  root.dataset.theme = load("chat.theme") ?? "auto";
  if (root.dataset.banner && load("chat.banner") === root.dataset.banner) root.dataset.banner = "closed";
  const current = load("chat.current");
  if (current) root.dataset.view = "conversation";
  try {
    if (Object.keys(localStorage).some((key) => key.startsWith("chat.session."))) root.dataset.sidebar = "closed";
    const session = JSON.parse(localStorage.getItem(`chat.session.${current}`) ?? "null");
    if (session && !session.lastWords && !session.ended) root.dataset.state = "empty";
  } catch { /* storage is disabled: there is no list */ }
  // On a slow network, a form that is sent several times starts one session. startOnce() in app.js removes the mark.
  addEventListener("submit", (event) => {
    if (/** @type {HTMLElement} */ (event.target).id !== "welcome") return;
    if (root.dataset.starting !== undefined) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
    root.dataset.starting = "";
  }, true);
  addEventListener("pageshow", ({ persisted }) => { if (persisted) delete root.dataset.starting; });
}

// Adds the chat to any website: a launcher, and the chat page in an isolated frame that loads when it is first opened.
// Served as /embed.js with the configuration of the site that serves it. It sets no cookies, adds no inline styles
// (a page with a strict Content Security Policy would block them) and touches nothing of the page around it.

(/** @param {{path: string, direction: "ltr"|"rtl", accent: string, onAccent: string, strings: Record<"open"|"close"|"title"|"unread", string>}} config */ (config) => {
  const script = /** @type {HTMLScriptElement} */ (document.currentScript);
  if (/** @type {any} */ (window).chat?.identify) return; // the page includes the script twice
  const { label, position, name } = script.dataset;
  const frameUrl = new URL(config.path, script.src);
  const isPhone = matchMedia("(max-width: 480px)");

  const STYLE = `
    :host { all: initial; --accent: ${config.accent}; --on-accent: ${config.onAccent}; font: 16px/1.4 system-ui, sans-serif; }
    * { box-sizing: border-box; }
    button { font: inherit; cursor: pointer; border: 0; }
    button:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
    .launcher { position: fixed; inset-block-end: 20px; inset-inline-end: 20px; z-index: 2147483000; display: flex; gap: 8px; align-items: center;
      justify-content: center; min-width: 56px; height: 56px; padding: 0 16px; border-radius: 28px; background: var(--accent);
      color: var(--on-accent); box-shadow: 0 4px 16px rgb(0 0 0 / .25); }
    svg { width: 24px; height: 24px; fill: none; stroke: currentcolor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
    .badge { position: absolute; inset-block-start: -4px; inset-inline-end: -4px; min-width: 22px; height: 22px; padding: 0 6px;
      border-radius: 11px; background: #b3261e; color: #fff; font-size: 13px; line-height: 22px; text-align: center; }
    .badge:empty { display: none; }
    dialog { position: fixed; inset: auto; inset-block-end: 88px; inset-inline-end: 20px; z-index: 2147483000; margin: 0; padding: 0; border: 1px solid rgb(128 128 128 / .4);
      width: 400px; height: min(640px, calc(100vh - 108px)); border-radius: 14px; overflow: hidden; background: #fff; color-scheme: light dark;
      box-shadow: 0 12px 40px rgb(0 0 0 / .3); }
    .left > * { inset-inline: auto; left: 20px; }
    .right > * { inset-inline: auto; right: 20px; }
    dialog[open] { display: flex; flex-direction: column; }
    dialog::backdrop { background: none; }
    .head { display: flex; justify-content: space-between; align-items: center; min-height: 44px; padding-inline-start: 14px;
      background: var(--accent); color: var(--on-accent); font-weight: 600; }
    .head button { display: grid; place-items: center; width: 44px; height: 44px; background: none; color: inherit; }
    .head button:focus-visible { outline-color: currentcolor; outline-offset: -5px; }
    iframe { flex: 1; width: 100%; border: 0; }
    @media (max-width: 480px) {
      .corner > dialog { inset: 0; width: 100%; height: 100%; max-width: none; max-height: none; border: 0; border-radius: 0; }
    }
    @media (prefers-reduced-motion: no-preference) {
      dialog[open] { animation: appear 140ms ease-out; }
      @keyframes appear { from { opacity: 0; transform: translateY(8px); } }
    }`;

  /** @param {string} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children */
  function create(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  /** @param {string} path */
  function icon(path) {
    const namespace = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(namespace, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const shape = document.createElementNS(namespace, "path");
    shape.setAttribute("d", path);
    svg.append(shape);
    return svg;
  }

  const badge = create("span", { class: "badge", "aria-hidden": "true" });
  const launcher = create("button", { type: "button", class: "launcher", "aria-haspopup": "dialog", "aria-expanded": "false" },
    icon("M4 5h16v11H9l-5 4z"), ...(label ? [create("span", { dir: "auto" }, label)] : []), badge);
  const closer = create("button", { type: "button", "aria-label": config.strings.close }, icon("M6 6l12 12M18 6L6 18"));
  const panel = /** @type {HTMLDialogElement} */ (create("dialog", { "aria-label": config.strings.title },
    create("div", { class: "head", dir: config.direction }, create("span", {}, config.strings.title), closer)));
  const host = create("chat-embed");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  // The corner is where the lines of the page around it end, unless the page chooses one.
  root.append(create("div", { class: `corner ${position ?? ""}` }, launcher, panel));

  /** @type {HTMLIFrameElement | null} */
  let frame = null;
  let isReady = false;
  let identity = name ?? "";
  let unread = 0;

  /** @param {Record<string, unknown>} message */
  const tell = (message) => {
    if (isReady) frame?.contentWindow?.postMessage({ ...message, from: "chat.embed" }, frameUrl.origin);
  };

  /** @param {number} count */
  function setUnread(count) {
    unread = count;
    badge.textContent = count ? String(Math.min(count, 99)) : "";
    const status = count ? `, ${config.strings.unread.replace("{count}", String(count))}` : "";
    launcher.setAttribute("aria-label", (label ?? config.strings.open) + status);
  }

  function load() {
    frame = /** @type {HTMLIFrameElement} */ (create("iframe", {
      title: config.strings.title, src: frameUrl.href, allow: "clipboard-write",
      sandbox: "allow-scripts allow-same-origin allow-forms allow-popups allow-downloads allow-modals",
    }));
    panel.append(frame);
  }

  class Chat extends EventTarget {
    /** Whether the chat is open. */
    get isOpen() { return panel.open; }
    /** The replies that arrived since the chat was closed. */
    get unread() { return unread; }

    open() {
      if (panel.open) return;
      if (!frame) load();
      setUnread(0);
      if (isPhone.matches) panel.showModal(); else panel.show();
      launcher.setAttribute("aria-expanded", "true");
      tell({ type: "opened" });
      frame?.focus();
      this.dispatchEvent(new Event("open"));
    }

    close() { if (panel.open) panel.close(); }

    /** Use this name for conversations that start from now on, without asking for one. @param {string} visitor */
    identify(visitor) {
      identity = String(visitor);
      tell({ type: "identify", name: identity });
    }
  }
  const chat = new Chat();

  launcher.addEventListener("click", () => { if (panel.open) chat.close(); else chat.open(); });
  closer.addEventListener("click", () => chat.close());
  panel.addEventListener("keydown", (event) => { if (event.key === "Escape") chat.close(); });
  panel.addEventListener("close", () => {
    launcher.setAttribute("aria-expanded", "false");
    launcher.focus();
    chat.dispatchEvent(new Event("close"));
  });
  addEventListener("message", ({ source, origin, data }) => {
    if (!frame || source !== frame.contentWindow || origin !== frameUrl.origin || data?.from !== "chat") return;
    if (data.type === "close") chat.close();
    if (data.type === "ready") {
      isReady = true;
      tell({ type: "identify", name: identity });
      chat.dispatchEvent(new Event("ready"));
    }
    if (data.type === "reply") {
      if (!panel.open) setUnread(unread + 1);
      chat.dispatchEvent(new Event("reply"));
    }
  });

  setUnread(0);
  const show = () => document.body.append(host);
  if (document.body) show(); else addEventListener("DOMContentLoaded", show);
  Object.assign(window, { chat });
})

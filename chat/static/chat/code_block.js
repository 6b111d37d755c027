// Code blocks with language, copy button and syntax highlighting. The highlighter and each language load on first use.

import DOMPurify from "../vendor/dompurify/purify.js";

const MAX_HIGHLIGHTED_CHARS = 20_000;
/** While a block streams in, highlighting it takes at most one part in this many of the time. */
const REST = 10;
/** The blocks that stream in: when each is highlighted next, ms of `performance.now()`, and the timer for it.
 * @type {WeakMap<HTMLElement, {notBefore: number, timer: number}>} */
const streaming = new WeakMap();
const LANGUAGES = {
  bash: "bash", sh: "bash", shell: "bash", zsh: "bash", console: "bash", c: "c", h: "c", cpp: "cpp", "c++": "cpp",
  css: "css", diff: "diff", patch: "diff", go: "go", golang: "go", java: "java", javascript: "javascript",
  js: "javascript", jsx: "javascript", mjs: "javascript", json: "json", python: "python", py: "python",
  rust: "rust", rs: "rust", sql: "sql", typescript: "typescript", ts: "typescript", tsx: "typescript",
  html: "xml", svg: "xml", xml: "xml", yaml: "yaml", yml: "yaml",
};

/** @type {(text: string, lang?: string) => HTMLElement} */
export function codeBlock(text, lang = "") {
  const figure = document.createElement("figure");
  figure.className = "code";
  figure.dataset.language = lang.trim().split(/\s/)[0] ?? "";
  const caption = document.createElement("figcaption");
  const name = document.createElement("span");
  name.textContent = figure.dataset.language || gettext("code");
  const wrap = codeButton(gettext("Wrap lines"), "wrapCode");
  wrap.ariaPressed = "false";
  caption.append(name, wrap, codeButton(gettext("Copy"), "copyCode"));
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  pre.dir = "ltr";
  pre.ariaLabel = gettext("Code");
  pre.role = "group";
  const code = document.createElement("code");
  code.textContent = text;
  pre.append(code);
  figure.append(caption, pre);
  return figure;
}

/** @type {(label: string, purpose: string) => HTMLButtonElement} */
function codeButton(label, purpose) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "code-button";
  button.dataset[purpose] = "";
  button.textContent = label;
  return button;
}

/** Append the new end of a streamed code block. Return false if it is another block.
 * @type {(figure: ChildNode, text: string, lang?: string) => boolean} */
export function appendCode(figure, text, lang = "") {
  if (!(figure instanceof HTMLElement) || figure.dataset.language !== (lang.trim().split(/\s/)[0] ?? "")) return false;
  const code = figure.querySelector("code");
  const shown = code?.textContent ?? "";
  if (!code || !text.startsWith(shown)) return false;
  if (text.length > shown.length) code.append(text.slice(shown.length));
  return true;
}

/** Highlight the code blocks in a node once the highlighter is loaded.
 * @type {(node: ChildNode) => void} */
export function highlightCode(node) {
  if (!(node instanceof HTMLElement)) return;
  const figures = node.matches("figure.code") ? [node] : node.querySelectorAll("figure.code");
  for (const figure of /** @type {Iterable<HTMLElement>} */ (figures)) {
    clearTimeout(streaming.get(figure)?.timer);
    streaming.delete(figure);
    void highlight(figure);
  }
}

/** Highlight the complete lines of a code block that streams in. @type {(node: ChildNode) => void} */
export function highlightLines(node) {
  if (!(node instanceof HTMLElement)) return;
  const state = streaming.get(node) ?? { notBefore: 0, timer: 0 };
  streaming.set(node, state);
  state.timer ||= setTimeout(async () => {
    state.timer = 0;
    const durationMs = await highlight(node);
    state.notBefore = performance.now() + REST * durationMs;
  }, Math.max(0, state.notBefore - performance.now()));
}

/** Return how long it took in ms, without loading. @type {(figure: HTMLElement) => Promise<number>} */
async function highlight(figure) {
  const language = figure.dataset.language?.toLowerCase() ?? "";
  // Not "constructor" and other names that every object has.
  const name = Object.hasOwn(LANGUAGES, language) && LANGUAGES[/** @type {keyof typeof LANGUAGES} */ (language)];
  const code = figure.querySelector("code");
  const highlighter = name && code && await loadHighlighter(name);
  const text = code?.textContent ?? "";
  if (!highlighter || text.length > MAX_HIGHLIGHTED_CHARS) return 0;
  const start = performance.now();
  const complete = streaming.has(figure) ? text.slice(0, text.lastIndexOf("\n") + 1) : text;
  const { value } = highlighter.highlight(complete, { language: name, ignoreIllegals: true });
  const spans = DOMPurify.sanitize(value, {
    ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true,
  });
  spans.append(text.slice(complete.length));
  replaceChanged(code, spans);
  return performance.now() - start;
}

/** Replace the child nodes from the first different one on, so that selected text above it stays selected.
 * @type {(element: Element, fragment: DocumentFragment) => void} */
function replaceChanged(element, fragment) {
  const old = [...element.childNodes];
  let same = 0;
  while (fragment.firstChild && old[same]?.isEqualNode(fragment.firstChild)) {
    fragment.firstChild.remove();
    same += 1;
  }
  for (const node of old.slice(same)) node.remove();
  element.append(fragment);
}

/** @type {Promise<unknown> | undefined} */
let styles;

/** @type {(name: string) => Promise<any>} */
async function loadHighlighter(name) {
  try {
    styles ??= import("./styles.js").then(({ loadStyles }) => loadStyles("highlight.css"));
    await styles;
    const { default: highlighter } = await import("../vendor/highlight/core.js");
    if (!highlighter.getLanguage(name)) {
      const { default: grammar } = await import(`../vendor/highlight/languages/${name}.js`);
      highlighter.registerLanguage(name, grammar);
    }
    return highlighter;
  } catch {
    return null;
  }
}

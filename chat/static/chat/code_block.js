// Code blocks with language, copy button and syntax highlighting. The highlighter and each language load on first use.

import DOMPurify from "../vendor/dompurify/purify.js";

const MAX_HIGHLIGHTED_CHARS = 20_000;
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
  for (const figure of figures) void highlight(/** @type {HTMLElement} */ (figure));
}

/** @type {(figure: HTMLElement) => Promise<void>} */
async function highlight(figure) {
  const language = figure.dataset.language?.toLowerCase() ?? "";
  // Not "constructor" and other names that every object has.
  const name = Object.hasOwn(LANGUAGES, language) && LANGUAGES[/** @type {keyof typeof LANGUAGES} */ (language)];
  const code = figure.querySelector("code");
  const text = code?.textContent ?? "";
  if (!name || !code || text.length > MAX_HIGHLIGHTED_CHARS) return;
  const highlighter = await loadHighlighter(name);
  if (!highlighter) return;
  const { value } = highlighter.highlight(text, { language: name, ignoreIllegals: true });
  const spans = DOMPurify.sanitize(value, {
    ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true,
  });
  code.replaceChildren(spans);
}

/** @type {(name: string) => Promise<any>} */
async function loadHighlighter(name) {
  try {
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

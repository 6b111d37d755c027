// Code blocks: language, copy button, colours. The highlighter and each language are loaded when first needed.

import DOMPurify from "../vendor/dompurify/purify.js";

const MOST_PAINTED_CHARS = 20_000;
const NAMES = {
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
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "link-button";
  copy.dataset.copyCode = "";
  copy.textContent = gettext("Copy");
  caption.append(name, copy);
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

/** Append what a code block has more now; false where it is another block.
 * @type {(figure: ChildNode, text: string, lang?: string) => boolean} */
export function growCode(figure, text, lang = "") {
  if (!(figure instanceof HTMLElement) || figure.dataset.language !== (lang.trim().split(/\s/)[0] ?? "")) return false;
  const code = figure.querySelector("code");
  const shown = code?.textContent ?? "";
  if (!code || !text.startsWith(shown)) return false;
  if (text.length > shown.length) code.append(text.slice(shown.length));
  return true;
}

/** Colour the code blocks in a node, as soon as the highlighter is there.
 * @type {(node: ChildNode) => void} */
export function paintCode(node) {
  if (!(node instanceof HTMLElement)) return;
  const figures = node.matches("figure.code") ? [node] : node.querySelectorAll("figure.code");
  for (const figure of figures) void paint(/** @type {HTMLElement} */ (figure));
}

/** @type {(figure: HTMLElement) => Promise<void>} */
async function paint(figure) {
  const name = NAMES[/** @type {keyof typeof NAMES} */ (figure.dataset.language?.toLowerCase())];
  const code = figure.querySelector("code");
  const text = code?.textContent ?? "";
  if (!name || !code || text.length > MOST_PAINTED_CHARS) return;
  const highlighter = await loaded(name);
  if (!highlighter) return;
  const { value } = highlighter.highlight(text, { language: name, ignoreIllegals: true });
  const spans = DOMPurify.sanitize(value, {
    ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true,
  });
  code.replaceChildren(spans);
}

/** @type {(name: string) => Promise<any>} */
async function loaded(name) {
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

// Mathematics in replies: TeX between \\(…\\), \\[…\\], $…$ or $$…$$. It is typeset once its library is loaded, which the
// first formula does; until then, and if it is wrong, its source is shown.

/** @typedef {import("../vendor/marked/marked.js").Tokens.Generic} Token */

/** Long texts with many openings and no end would take too long otherwise. Longer formulas are shown as Markdown.
 * As in Pandoc, "$5 and $10" is no formula. */
const INLINE = /^(?:\\\((?<paren>(?:[^\\]|\\[^)]){1,2000}?)\\\)|\$(?<dollar>(?![\s$])(?:[^$\n\\]|\\.){1,2000}(?<!\s))\$(?!\d)|\$\$(?<dollars>(?:[^$\\]|\\[^]){1,2000})\$\$|\\\[(?<bracket>(?:[^\\]|\\[^\]]){1,2000}?)\\\])/;
const BLOCK = /^ {0,3}(?:\$\$(?<dollars>(?:[^$\\]|\\[^]){1,2000})\$\$|\\\[(?<bracket>(?:[^\\]|\\[^\]]){1,2000}?)\\\])[ \t]*(?:\n|$)/;
const BLOCK_START = /\n {0,3}(?:\$\$|\\\[)/;

/** @type {Promise<typeof import("../vendor/temml/temml.js").default | null> | undefined} */
let loading;
/** @type {typeof import("../vendor/temml/temml.js").default | null} */
let library = null;

/** Escape a text for HTML. */
export const escaped = (/** @type {string} */ text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** The source, in an element that `typesetMath` replaces. @type {(token: Token) => string} */
const sourceOf = ({ tex, isDisplay }) => `<code class="${isDisplay ? "math display" : "math"}">${escaped(tex)}</code>`;

/** Extensions of the Markdown parser. @type {import("../vendor/marked/marked.js").TokenizerAndRendererExtension[]} */
export const MATH_TOKENS = [
  {
    name: "math",
    level: "inline",
    start: (text) => text.search(/\$|\\[([]/),
    tokenizer(text) {
      const match = INLINE.exec(text);
      if (!match?.groups) return undefined;
      const { paren, dollar, dollars, bracket } = match.groups;
      const inline = paren ?? dollar;
      return { type: "math", raw: match[0], tex: inline ?? dollars ?? bracket, isDisplay: inline === undefined };
    },
    renderer: sourceOf,
  },
  {
    name: "mathBlock",
    level: "block",
    // The parser asks at each paragraph, so look for rare characters first.
    start: (text) => (text.includes("$$") || text.includes("\\[") ? BLOCK_START.exec(text)?.index : undefined),
    tokenizer(text) {
      const match = BLOCK.exec(text);
      if (!match?.groups) return undefined;
      return { type: "mathBlock", raw: match[0], tex: match.groups.dollars ?? match.groups.bracket, isDisplay: true };
    },
    renderer: (token) => `<p>${sourceOf(token)}</p>\n`,
  },
];

/** Typeset the formulas in a node, at once if the library is loaded. @type {(node: ParentNode) => void} */
export function typesetMath(node) {
  const formulas = [...node.querySelectorAll("code.math")];
  if (!formulas.length) return;
  if (library) formulas.forEach(typeset);
  else void loadLibrary().then(() => formulas.forEach(typeset));
}

/** The library builds elements and parses no HTML. It refuses commands that load or link, as long as nothing is trusted.
 * @type {(code: Element) => void} */
function typeset(code) {
  const tex = code.textContent ?? "";
  if (!library) return;
  try {
    const frame = document.createElement("span");
    library.render(tex, frame, { displayMode: code.matches(".display"), throwOnError: true, maxExpand: 200, maxSize: [20, 20] });
    const formula = frame.firstElementChild;
    if (!formula) return;
    formula.ariaLabel = tex;
    code.replaceWith(formula);
  } catch {
    // TeX that the library does not understand stays as it was written.
  }
}

function loadLibrary() {
  loading ??= import("../vendor/temml/temml.js").then((module) => (library = module.default), () => { loading = undefined; return null; });
  return loading;
}

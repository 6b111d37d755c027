// Markdown to DOM, block by block: while a reply streams in, only what changed at its end is made anew.

import { Marked, Parser } from "../vendor/marked/marked.js";
import DOMPurify from "../vendor/dompurify/purify.js";
import { codeBlock, growCode, paintCode } from "./code.js";

/** A turn's own heading is of level 2; those of a reply come below it and skip no level. */
const TURN_HEADING = 2;
let levelAbove = TURN_HEADING;
const ALLOWED = {
  ALLOWED_TAGS: [
    "p", "br", "strong", "em", "del", "a", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "input",
    "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
  ],
  ALLOWED_ATTR: ["href", "title", "target", "rel", "class", "start", "align", "type", "checked", "disabled"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  RETURN_DOM_FRAGMENT: /** @type {const} */ (true),
};

const escaped = (/** @type {string} */ text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escaped(text),
    image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
    heading({ tokens, depth }) {
      const level = Math.min(depth + TURN_HEADING, levelAbove + 1, 6);
      levelAbove = level;
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
  },
});

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.nodeName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

/** @typedef {import("../vendor/marked/marked.js").Token} Token */
/** @typedef {{raw: string, nodes: ChildNode[]}} Piece the nodes of one token */
/** @typedef {Piece & {open: boolean, inline: Piece[]}} Block */

/** The blocks of one reply inside its element. */
export class Blocks {
  /** @type {Block[]} */ #blocks = [];

  /** @param {HTMLElement} host */
  constructor(host) { this.host = host; }

  /** Show this text. While it is not final, its last block may still change and is not painted.
   * @param {string} text
   * @param {boolean} isFinal */
  update(text, isFinal) {
    const tokens = marked.lexer(text).filter((token) => token.type !== "space");
    const isOpen = (/** @type {number} */ at) => !isFinal && at === tokens.length - 1;
    let same = 0;
    while (this.#isSame(same, tokens[same], isOpen(same))) same += 1;
    if (same === tokens.length - 1 && this.#grow(same, tokens[same])) return;
    for (const { nodes } of this.#blocks.splice(same)) nodes.forEach((node) => node.remove());
    tokens.slice(same).forEach((token, at) => this.#append(token, isOpen(same + at)));
  }

  /** @type {(at: number, token: Token | undefined, open: boolean) => boolean} */
  #isSame(at, token, open) {
    const block = this.#blocks[at];
    return Boolean(block && token && block.raw === token.raw && (open || !block.open));
  }

  /** A paragraph or a block of code that only grew keeps its element.
   * @type {(at: number, token: Token) => boolean} */
  #grow(at, token) {
    const block = this.#blocks[at];
    if (!block?.open || this.#blocks.length !== at + 1) return false;
    const grown = token.type === "code"
      ? growCode(block.nodes[0], token.text, token.lang)
      : token.type === "paragraph" && growParagraph(block, token.tokens ?? []);
    if (grown) block.raw = token.raw;
    return grown;
  }

  /** @type {(token: Token, open: boolean) => void} */
  #append(token, open) {
    const above = [...this.host.querySelectorAll("h3, h4, h5, h6")].at(-1);
    levelAbove = above ? Number(above.nodeName[1]) : TURN_HEADING;
    const nodes = token.type === "code" ? [codeBlock(token.text, token.lang)] : rendered(token);
    this.host.append(...nodes);
    if (!open) nodes.forEach(paintCode);
    this.#blocks.push({ raw: token.raw, nodes, open, inline: [] });
  }
}

/** Make anew only what follows the last inline token that stayed the same.
 * @type {(block: Block, tokens: Token[]) => boolean} */
function growParagraph({ nodes, inline }, tokens) {
  const paragraph = /** @type {Element} */ (nodes[0]);
  if (paragraph.nodeName !== "P") return false;
  if (!inline.length) paragraph.replaceChildren();
  let same = 0;
  while (inline[same] && inline[same].raw === tokens[same]?.raw) same += 1;
  for (const { nodes: old } of inline.splice(same)) old.forEach((node) => node.remove());
  for (const token of tokens.slice(same)) {
    const fragment = DOMPurify.sanitize(Parser.parseInline([token], marked.defaults), ALLOWED);
    inline.push({ raw: token.raw, nodes: [...fragment.childNodes] });
    paragraph.append(fragment);
  }
  return true;
}

/** @type {(token: Token) => ChildNode[]} */
function rendered(token) {
  const fragment = DOMPurify.sanitize(marked.parser([token]), ALLOWED);
  for (const pre of fragment.querySelectorAll("pre")) pre.replaceWith(codeBlock(...codeOf(pre)));
  for (const table of fragment.querySelectorAll("table")) scrollable(table);
  const nodes = [...fragment.childNodes];
  for (const node of nodes) if (node instanceof HTMLElement) node.dir = "auto";
  return nodes;
}

/** @type {(pre: HTMLPreElement) => [string, string]} */
function codeOf(pre) {
  const language = /language-(\S+)/.exec(pre.firstElementChild?.className ?? "");
  return [(pre.textContent ?? "").replace(/\n$/, ""), language?.[1] ?? ""];
}

/** @type {(table: HTMLTableElement) => void} */
function scrollable(table) {
  const frame = document.createElement("div");
  frame.className = "table-scroll";
  frame.tabIndex = 0;
  frame.role = "group";
  frame.ariaLabel = gettext("Table");
  table.replaceWith(frame);
  frame.append(table);
}

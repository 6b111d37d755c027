// Markdown to DOM, block by block: while a reply streams in, only its changed end is rendered again.

import { Marked, Parser, Renderer, Tokenizer } from "../vendor/marked/marked.js";
import DOMPurify from "../vendor/dompurify/purify.js";
import { codeBlock, appendCode, highlightCode, highlightLines } from "./code_block.js";
import { MATH_TOKENS, escaped, typesetMath } from "./math.js";

/** Each turn has a heading of level 2. Headings in replies start at 3 and skip no level (WCAG heading order). */
const TURN_HEADING = 2;
/** Levels of tokens, of which a list has two. The renderer and the browser recurse into each. */
const MAX_DEPTH = 100;
let previousLevel = TURN_HEADING;
let isInLink = false;
const ALLOWED = {
  ALLOWED_TAGS: [
    "p", "br", "strong", "em", "del", "a", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "input",
    "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
  ],
  ALLOWED_ATTR: ["href", "title", "target", "rel", "class", "start", "align", "type", "checked", "disabled"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ADD_URI_SAFE_ATTR: ["start", "align", "type", "checked", "disabled"], // others must match the expression above
  RETURN_DOM_FRAGMENT: /** @type {const} */ (true),
};

const marked = new Marked({
  gfm: true,
  breaks: true,
  extensions: MATH_TOKENS,
  tokenizer: {
    /** Blocks of HTML are paragraphs whose tags are text, so the Markdown in and after them is rendered. */
    html: () => undefined,
    /** Marked leaves what follows <script> or <pre> unescaped, because it is raw in HTML. Here the tags are text. */
    tag(src) {
      const token = Tokenizer.prototype.tag.call(this, src);
      this.lexer.state.inRawBlock = false;
      return token;
    },
  },
  renderer: {
    html: ({ text }) => escaped(text),
    image({ href, text, tokens }) {
      const label = escaped((tokens ? plainText(tokens) : text) || href);
      return isInLink ? label : `<a href="${escaped(href)}">${label}</a>`;
    },
    link(token) {
      isInLink = true;
      try { return Renderer.prototype.link.call(this, token); } finally { isInLink = false; }
    },
    heading({ tokens, depth }) {
      const level = Math.min(depth + TURN_HEADING, previousLevel + 1, 6);
      previousLevel = level;
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
  },
});

/** The text of inline tokens without its marks. @type {(tokens: Token[]) => string} */
const plainText = (tokens) => tokens.map((token) => ("tokens" in token && token.tokens ? plainText(token.tokens) : "text" in token ? token.text : token.raw)).join("");

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.nodeName === "INPUT") node.setAttribute("aria-label", node.hasAttribute("checked") ? gettext("Done") : gettext("To do"));
  if (node.nodeName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

/** @typedef {import("../vendor/marked/marked.js").Token} Token */
/** @typedef {{raw: string, nodes: ChildNode[]}} Rendered the nodes of one token */
/** @typedef {Rendered & {open: boolean, inline: Rendered[]}} Block */

/** The blocks of one reply inside its element. */
export class Blocks {
  /** @type {Block[]} */ #blocks = [];
  #definitions = "{}";

  /** @param {HTMLElement} host */
  constructor(host) { this.host = host; }

  /** Render the text. Until it is final, its last block may still change and is not highlighted.
   * Throws RangeError if it is nested too deeply.
   * @param {string} text
   * @param {boolean} isFinal */
  update(text, isFinal) {
    const all = marked.lexer(text);
    const tokens = all.filter((token) => token.type !== "space");
    if (isDeeperThan(MAX_DEPTH, tokens)) throw new RangeError("The text is nested too deeply");
    const isOpen = (/** @type {number} */ index) => !isFinal && index === tokens.length - 1;
    // The definition of a link, "[1]: https://…", may follow the block that uses it.
    const definitions = JSON.stringify(all.links);
    const isRedefined = definitions !== this.#definitions;
    this.#definitions = definitions;
    let same = 0;
    while (!isRedefined && this.#isSame(same, tokens[same], isOpen(same))) same += 1;
    if (!isRedefined && same === tokens.length - 1 && this.#extend(same, tokens[same])) return;
    for (const { nodes } of this.#blocks.splice(same)) nodes.forEach((node) => node.remove());
    tokens.slice(same).forEach((token, index) => this.#append(token, isOpen(same + index)));
  }

  /** @type {(index: number, token: Token | undefined, open: boolean) => boolean} */
  #isSame(index, token, open) {
    const block = this.#blocks[index];
    return Boolean(block && token && block.raw === token.raw && (open || !block.open));
  }

  /** A paragraph or code block to which text was appended keeps its element.
   * @type {(index: number, token: Token) => boolean} */
  #extend(index, token) {
    const block = this.#blocks[index];
    if (!block?.open || this.#blocks.length !== index + 1) return false;
    const isExtended = token.type === "code"
      ? appendCode(block.nodes[0], token.text, token.lang)
      : token.type === "paragraph" && extendParagraph(block, token.tokens ?? []);
    if (isExtended) block.raw = token.raw;
    if (isExtended && token.type === "code") highlightLines(block.nodes[0]);
    return isExtended;
  }

  /** @type {(token: Token, open: boolean) => void} */
  #append(token, open) {
    const above = [...this.host.querySelectorAll("h3, h4, h5, h6")].at(-1);
    previousLevel = above ? Number(above.nodeName[1]) : TURN_HEADING;
    const nodes = token.type === "code" ? [codeBlock(token.text, token.lang)] : renderToken(token);
    this.host.append(...nodes);
    if (!open) nodes.forEach(highlightCode);
    else if (token.type === "code") highlightLines(nodes[0]);
    this.#blocks.push({ raw: token.raw, nodes, open, inline: [] });
  }
}

/** Render again only what follows the last unchanged inline token.
 * @type {(block: Block, tokens: Token[]) => boolean} */
function extendParagraph({ nodes, inline }, tokens) {
  const paragraph = /** @type {Element | undefined} */ (nodes[0]);
  if (paragraph?.nodeName !== "P") return false;
  if (!inline.length) paragraph.replaceChildren();
  let same = 0;
  while (inline[same] && inline[same].raw === tokens[same]?.raw) same += 1;
  for (const { nodes: old } of inline.splice(same)) old.forEach((node) => node.remove());
  for (const token of tokens.slice(same)) {
    const fragment = DOMPurify.sanitize(Parser.parseInline([token], marked.defaults), ALLOWED);
    typesetMath(fragment);
    inline.push({ raw: token.raw, nodes: [...fragment.childNodes] });
    paragraph.append(fragment);
  }
  return true;
}

/** @type {(depth: number, tokens: Token[]) => boolean} */
function isDeeperThan(depth, tokens) {
  return tokens.some((token) => depth === 0 || isDeeperThan(depth - 1, "items" in token ? token.items : "tokens" in token ? token.tokens ?? [] : []));
}

/** @type {(token: Token) => ChildNode[]} */
function renderToken(token) {
  const fragment = DOMPurify.sanitize(marked.parser([token]), ALLOWED);
  for (const pre of fragment.querySelectorAll("pre")) pre.replaceWith(codeBlock(...codeOf(pre)));
  for (const table of fragment.querySelectorAll("table")) makeScrollable(table);
  typesetMath(fragment);
  const nodes = [...fragment.childNodes];
  for (const node of nodes) if (node instanceof HTMLElement && node.localName !== "figure") node.dir = "auto";
  return nodes;
}

/** A text with its fenced code as blocks and the rest as it was typed. @type {(text: string) => (Node | string)[]} */
export function withCodeBlocks(text) {
  return marked.lexer(text).map((token) => {
    if (token.type !== "code" || token.codeBlockStyle === "indented") return token.raw;
    const figure = codeBlock(token.text, token.lang);
    highlightCode(figure);
    return figure;
  });
}

/** @type {(pre: HTMLPreElement) => [string, string]} */
function codeOf(pre) {
  const language = /language-(\S+)/.exec(pre.firstElementChild?.className ?? "");
  return [(pre.textContent ?? "").replace(/\n$/, ""), language?.[1] ?? ""];
}

/** @type {(table: HTMLTableElement) => void} */
function makeScrollable(table) {
  const frame = document.createElement("div");
  frame.className = "table-scroll";
  frame.tabIndex = 0;
  frame.role = "group";
  frame.ariaLabel = gettext("Table");
  table.replaceWith(frame);
  frame.append(table);
}

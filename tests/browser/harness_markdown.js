// Renders Markdown as the page does and returns its HTML without what differs from the specifications on purpose.

import { Blocks } from "./chat/markdown.js";

/** Render each text and put it beside the expected HTML, in the same normal form.
 * @param {{markdown: string, html: string}[]} examples */
export const compare = (examples) => examples.map(({ markdown, html }) => ({ ours: normal(render(markdown)), expected: normal(parse(html)) }));

function render(markdown) {
  const host = document.createElement("div");
  new Blocks(host).update(markdown, true);
  return host;
}

const parse = (html) => new DOMParser().parseFromString(html, "text/html").body;

function normal(host) {
  for (const figure of host.querySelectorAll("figure.code")) {
    const code = document.createElement("code");
    code.className = figure.dataset.language ? `language-${figure.dataset.language}` : "";
    code.textContent = figure.querySelector("code").textContent.replace(/\n$/, "");
    figure.replaceWith(code);
  }
  for (const pre of host.querySelectorAll("pre")) {
    const code = pre.firstElementChild;
    code.textContent = code.textContent.replace(/\n$/, "");
    pre.replaceWith(code);
  }
  for (const frame of host.querySelectorAll(".table-scroll")) frame.replaceWith(...frame.childNodes);
  for (const image of host.querySelectorAll("img")) {
    const link = document.createElement("a");
    link.setAttribute("href", image.getAttribute("src"));
    link.textContent = image.getAttribute("alt") || image.getAttribute("src");
    image.replaceWith(link);
  }
  for (const br of host.querySelectorAll("br")) br.replaceWith(br.nextSibling?.textContent.startsWith("\n") ? "" : "\n");
  host.normalize();
  return [...host.childNodes].map(serialise).join("").replace(/\s+/g, " ").replace(/ ?(<\/?(?:p|ul|ol|li|blockquote|h|hr|table|thead|tbody|tr|t[hd])(?: [^>]*)?>) ?/g, "$1").trim();
}

const KEPT = ["title", "start", "align", "class", "checked"];

function serialise(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.textContent.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  const name = /^h[1-6]$/.test(node.localName) ? "h" : node.localName;
  const attributes = KEPT.filter((key) => node.hasAttribute(key) && (node.getAttribute(key) || key === "checked")).map((key) => ` ${key}="${node.getAttribute(key)}"`);
  const { href } = node;
  if (node.localName === "a" && /^(?:https?|mailto):/i.test(node.getAttribute("href"))) attributes.push(` href="${href}"`);
  return `<${name}${attributes.join("")}>${[...node.childNodes].map(serialise).join("")}</${name}>`;
}

// Decorative icons. The accessible name of a button is its label.

import { svg } from "../vendor/lit-html/lit-html.js";

/** @type {(paths: unknown) => unknown} */
const icon = (paths) => svg`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${paths}</svg>`;

export const ICONS = {
  menu: icon(svg`<path d="M4 7h16M4 12h16M4 17h16"/>`),
  send: icon(svg`<path d="M12 19V5M6 11l6-6 6 6"/>`),
  stop: icon(svg`<rect x="6" y="6" width="12" height="12" rx="2" fill="currentColor"/>`),
  copy: icon(svg`<rect x="9" y="9" width="11" height="11" rx="2"/><path d="M5 15V6a2 2 0 0 1 2-2h8"/>`),
  check: svg`<svg class="icon check" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="M5 13l4 4L19 7"/></svg>`,
  regenerate: icon(svg`<path d="M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6"/>`),
  edit: icon(svg`<path d="M4 20l1-5L16 4l4 4L9 19z"/>`),
  previous: icon(svg`<path d="M15 6l-6 6l6 6"/>`),
  next: icon(svg`<path d="M9 6l6 6l-6 6"/>`),
  down: icon(svg`<path d="M12 5v14M6 13l6 6 6-6"/>`),
  add: icon(svg`<path d="M12 5v14M5 12h14"/>`),
  more: icon(svg`<path d="M5 12h.01M12 12h.01M19 12h.01"/>`),
  settings: icon(svg`<path d="M4 7h10M18 7h2M4 17h2M10 17h10"/><circle cx="16" cy="7" r="2"/><circle cx="8" cy="17" r="2"/>`),
  close: icon(svg`<path d="M6 6l12 12M18 6L6 18"/>`),
};

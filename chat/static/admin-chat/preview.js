// @ts-check
// Renders the Markdown of the preview.

import { showWelcome } from "../chat/branding.js";

// The renderer translates the labels of its buttons; the admin is in English.
globalThis.gettext ??= (/** @type {string} */ text) => text;
showWelcome();

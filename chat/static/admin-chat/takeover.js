// @ts-check
// An operator joins a session and answers instead of the model. The transcript above is kept up to date by live.js.

import { uuid } from "../chat/client.js";
import { AdminSocket } from "./socket.js";

/** @typedef {import("./socket.js").Frame} Frame */
/** @typedef {{id: string, reply_to: string | null, msg: string}} Answer */

const NAME_KEY = "chat.operator.name";
const LIVE_KEY = "chat.operator.live";
const WRITE_INTERVAL_MS = 300;
const TYPING_INTERVAL_MS = 2000;
const TYPING_SHOWN_MS = 5000;

const section = /** @type {HTMLElement} */ (document.getElementById("takeover"));
/** @type {(selector: string) => any} */
const find = (selector) => section.querySelector(selector);
const [status, joinForm, answerForm] = [".chat-takeover-status", "[data-form=join]", "[data-form=answer]"].map(find);
/** @type {HTMLTextAreaElement} */
const box = find("[name=msg]");
/** @type {HTMLInputElement} */
const nameField = find("[name=name]");
/** @type {HTMLInputElement} */
const liveChoice = find("[name=live]");

const CLAIM_KEY = `chat.operator.claim.${section.dataset.socket}`;
/** The claim outlives a reload of the page. */
let claim = sessionStorage.getItem(CLAIM_KEY) ?? uuid();
/** Whether the server may still know the claim. */
let mayResume = sessionStorage.getItem(CLAIM_KEY) !== null;
/** Messages without an answer, in order. @type {Set<string>} */
let waiting = new Set();
/** @type {string | null} the message to which the model writes a reply */
let modelWrites = null;
/** @type {string | null} the person who answers, if it is another one */
let other = null;
let isConnected = false;
let isFirstReady = true;
let isJoined = false;
let lost = "";
/** The answer in the box. @type {{id: string, reply_to: string | null}} */
let draft = newDraft();
/** @type {Answer | null} an answer that is not stored yet */
let unsent = null;
let [writeTimer, typedAt, typingTimer] = [0, 0, 0];

function newDraft() { return { id: uuid(), reply_to: /** @type {string | null} */ (null) }; }

const socket = new AdminSocket(section.dataset.socket ?? "", {
  onFrame(frame) {
    FRAMES[frame.type]?.(frame);
    if (frame.type !== "reply.delta") document.dispatchEvent(new Event("chat:changed"));
    render();
  },
  onOpen() {
    isConnected = isFirstReady = true;
    if (isJoined || mayResume) join({ resume: true });
  },
  onLost(isFinal) {
    isConnected = false;
    if (isFinal) [isJoined, lost] = [false, "This conversation is over, or you may no longer answer it."];
    render();
  },
});

/** @type {Record<string, (frame: Frame) => void>} */
const FRAMES = {
  "session.ready"({ messages, reply, operator }) {
    if (isFirstReady) waiting = new Set();
    isFirstReady = false;
    for (const message of messages) note(message);
    modelWrites = reply && reply.reply_to !== draft.reply_to ? reply.reply_to : null;
    other = operator && !isJoined ? operator.name : null;
  },
  "message.accepted": ({ message }) => { note(message); showTyping(false); },
  "message.typing": () => showTyping(true),
  "reply.started": ({ reply_to }) => { if (reply_to !== draft.reply_to) modelWrites = reply_to; },
  "reply.queued": () => { modelWrites = null; },
  "reply.completed": ({ message }) => note(message),
  "reply.failed": ({ message }) => note(message),
  "operator.joined": ({ name }) => { if (!isJoined) other = name; },
  "operator.left": () => { other = null; },
  "operator.claim"({ mine, name }) {
    [isJoined, other] = [mine, mine ? null : name];
    if (!mine) return;
    sessionStorage.setItem(CLAIM_KEY, claim);
    lost = "";
    if (unsent) transmit(unsent);
    render();
    box.focus();
    document.documentElement.scrollTo(0, document.documentElement.scrollHeight);
  },
  "operator.refused"({ reason, detail }) {
    const wasReloaded = mayResume && !isJoined;
    mayResume = false;
    if (reason === "not_joined") endClaim();
    if (reason !== "claimed" && !wasReloaded) lost = detail;
    unsent = null;
  },
  error({ detail }) {
    lost = detail;
    if (unsent) setTimeout(() => { if (unsent) transmit(unsent); }, 2000);
  },
};

/** Note whether a message waits or answers one. @param {Frame} message */
function note(message) {
  if (message.replaced_by && !message.reply_to) return;
  if (message.source === "human") waiting.add(message.id);
  if (message.reply_to) waiting.delete(message.reply_to);
  if (message.reply_to === modelWrites) modelWrites = null;
  if (message.id !== draft.id) return;
  // The answer is stored.
  if (unsent?.msg === box.value.trim()) box.value = "";
  [unsent, draft, lost] = [null, newDraft(), ""];
}

function endClaim() {
  isJoined = false;
  sessionStorage.removeItem(CLAIM_KEY);
  claim = uuid();
}

/** @param {{replace?: boolean, resume?: boolean}} how */
function join(how) {
  localStorage.setItem(NAME_KEY, nameField.value.trim());
  socket.send({ type: "operator.join", claim, name: nameField.value.trim(), ...how });
}

/** The message that the text in the box answers: the newest one, unless the visitor already sees the answer to another. */
function target() {
  return draft.reply_to && waiting.has(draft.reply_to) ? draft.reply_to : ([...waiting].at(-1) ?? null);
}

/** @param {Answer} answer */
function transmit(answer) {
  unsent = answer;
  socket.send({ type: "operator.answer", ...answer });
}

function send() {
  const msg = box.value.trim();
  if (!msg || unsent || modelWrites) return;
  clearTimeout(writeTimer);
  writeTimer = 0;
  transmit({ id: draft.id, reply_to: target(), msg });
  render();
}

/** Show the visitor the text so far, or only that somebody types. */
function publishTyping() {
  const now = Date.now();
  if (liveChoice.checked && target() && !modelWrites) {
    writeTimer ||= window.setTimeout(() => {
      writeTimer = 0;
      draft.reply_to = target();
      if (draft.reply_to && !unsent) socket.send({ type: "operator.write", id: draft.id, reply_to: draft.reply_to, msg: box.value });
    }, WRITE_INTERVAL_MS);
  } else if (now - typedAt > TYPING_INTERVAL_MS) {
    typedAt = now;
    socket.send({ type: "operator.types" });
  }
}

/** @param {boolean} isTyping */
function showTyping(isTyping) {
  clearTimeout(typingTimer);
  find("[data-typing]").textContent = isTyping ? "The visitor is typing…" : "";
  if (isTyping) typingTimer = window.setTimeout(() => showTyping(false), TYPING_SHOWN_MS);
}

function statusText() {
  if (!isConnected && !lost) return "Connecting…";
  if (lost) return lost;
  if (!isJoined) return other ? `${other} answers this conversation.` : "The model answers this conversation. It pauses when you join.";
  if (modelWrites) return "You are in the conversation. The model finishes its reply first.";
  const count = waiting.size;
  const what = count ? `${count} message${count > 1 ? "s" : ""} wait${count > 1 ? "" : "s"} for your answer.` : "No message waits.";
  return `You answer as ${nameField.value.trim()}. The model is paused. ${what}`;
}

function render() {
  section.hidden = false;
  const text = statusText();
  if (status.textContent !== text) status.textContent = text;
  status.classList.toggle("chat-takeover-lost", Boolean(lost));
  joinForm.hidden = isJoined;
  answerForm.hidden = !isJoined;
  find("[data-action=join]").hidden = Boolean(other);
  find("[data-action=join]").disabled = !isConnected;
  const replace = find("[data-action=replace]");
  replace.hidden = !other || section.dataset.mayReplace === undefined;
  replace.textContent = `Take over from ${other}`;
  find("[data-action=stop]").hidden = !modelWrites;
  find("[data-action=send]").disabled = !isConnected || Boolean(unsent || modelWrites);
  box.readOnly = Boolean(unsent);
}

nameField.value = localStorage.getItem(NAME_KEY) || nameField.value;
liveChoice.checked = localStorage.getItem(LIVE_KEY) === "yes";
liveChoice.addEventListener("change", () => localStorage.setItem(LIVE_KEY, liveChoice.checked ? "yes" : "no"));
joinForm.addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); lost = ""; join({}); });
find("[data-action=replace]").addEventListener("click", () => { lost = ""; if (nameField.reportValidity()) join({ replace: true }); });
answerForm.addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); send(); });
find("[data-action=leave]").addEventListener("click", () => { socket.send({ type: "operator.leave" }); endClaim(); render(); });
find("[data-action=stop]").addEventListener("click", () => socket.send({ type: "reply.stop", reply_to: modelWrites }));
box.addEventListener("input", publishTyping);
box.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  send();
});
render();

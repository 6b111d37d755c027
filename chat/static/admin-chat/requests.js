// @ts-check
// Shows who asks for a person. On the operator's wish, a new request makes a sound and a notification of the browser.

import { AdminSocket } from "./socket.js";

/** @typedef {{session: string, name: string, requested_at: string}} Request */

/** @type {(id: string) => any} */
const element = (id) => document.getElementById(id);
const table = element("requests");
const title = document.title;
const [sound, notify] = ["sound", "notify"].map(element);
/** @type {AudioContext | null} */
let audio = null;
/** @type {Set<string> | null} */
let known = null;

new AdminSocket(table.dataset.socket, {
  onFrame: ({ type, requests }) => { if (type === "operator.requests") show(requests); },
  onOpen: () => showConnection(""),
  onLost: (isFinal) => showConnection(isFinal ? "You are logged out, or may no longer see this page." : "No connection. Connecting again…"),
});

/** @param {Request[]} requests */
function show(requests) {
  table.tBodies[0].replaceChildren(...requests.map(row));
  table.hidden = !requests.length;
  element("no-requests").hidden = Boolean(requests.length);
  document.title = requests.length ? `(${requests.length}) ${title}` : title;
  const before = known;
  known = new Set(requests.map(({ session }) => session));
  for (const request of requests) if (before && !before.has(request.session)) announce(request);
}

/** @param {Request} request */
function row({ session, name, requested_at }) {
  const link = document.createElement("a");
  link.href = urlOf(session);
  link.textContent = name;
  const time = document.createElement("time");
  time.dateTime = requested_at;
  time.textContent = new Date(requested_at).toLocaleTimeString();
  const cells = [link, time].map((content) => {
    const cell = document.createElement("td");
    cell.append(content);
    return cell;
  });
  const line = document.createElement("tr");
  line.append(...cells);
  return line;
}

/** @param {string} session */
const urlOf = (session) => table.dataset.session.replace("SESSION", session);

/** @param {Request} request */
function announce({ session, name }) {
  if (sound.checked) beep();
  if (!notify.checked || Notification.permission !== "granted") return;
  const notification = new Notification(`${name} asks for a person`, { tag: session });
  notification.onclick = () => { window.focus(); location.assign(urlOf(session)); };
}

/** Two short tones. */
function beep() {
  if (!audio) return;
  for (const [at, frequency] of [[0, 660], [0.18, 880]]) {
    const [tone, volume] = [audio.createOscillator(), audio.createGain()];
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0.2, audio.currentTime + at);
    volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + at + 0.15);
    tone.connect(volume).connect(audio.destination);
    tone.start(audio.currentTime + at);
    tone.stop(audio.currentTime + at + 0.16);
  }
}

/** Browsers allow sounds only after a click. */
function allowSound() {
  if (!sound.checked) return;
  audio ??= new AudioContext();
  void audio.resume();
}

/** @param {string} text */
function showConnection(text) {
  element("connection").hidden = !text;
  element("connection").textContent = text;
}

for (const choice of [sound, notify]) choice.checked = localStorage.getItem(`chat.operator.${choice.id}`) === "yes";
if (notify.checked && Notification.permission !== "granted") notify.checked = false;
document.addEventListener("click", allowSound);
sound.addEventListener("change", () => {
  localStorage.setItem("chat.operator.sound", sound.checked ? "yes" : "no");
  allowSound();
  if (sound.checked) beep();
});
notify.addEventListener("change", async () => {
  if (notify.checked) notify.checked = (await Notification.requestPermission()) === "granted";
  localStorage.setItem("chat.operator.notify", notify.checked ? "yes" : "no");
});

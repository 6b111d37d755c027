// Sentences and times in the reader's language.

const locale = document.documentElement.lang;
const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });

/** @type {(text: string, values: object) => string} */
export const fill = (text, values) => interpolate(text, values, true);

/** The time of day, or the date where that was another day. @type {(at: string | number, now: number) => string} */
export function moment(at, now) {
  const date = new Date(at);
  return date.toDateString() === new Date(now).toDateString() ? clock.format(date) : day.format(date);
}

/** @type {(at: string | number) => string} */
export const fullMoment = (at) => full.format(new Date(at));

/** "0:42" or, above an hour, "1:05:00". @type {(seconds: number) => string} */
export function countdown(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const [hours, minutes] = [Math.floor(left / 3600), Math.floor(left / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}

/** What went wrong and what to do, in the reader's language; the server's own sentence where we have none.
 * @type {(fault: {code: string, detail: string}) => string} */
export function faultSentence({ code, detail }) {
  return SENTENCES()[code] ?? detail;
}

/** @type {() => Record<string, string>} */
const SENTENCES = () => ({
  "message.empty": gettext("There is nothing in this message. Type something first."),
  "message.too_long": gettext("This message is too long. Shorten it and send it again."),
  "message.invalid": gettext("The server could not read this message. Edit it and send it again."),
  "session.unknown": gettext("This conversation is over. Start a new one: what you typed is kept."),
  "session.expired": gettext("The time of this conversation is over. Start a new one: what you typed is kept."),
  "session.busy": gettext("Several messages already wait for an answer. This one is sent as soon as there is room."),
  "rate.limited": gettext("That was a little fast. It is tried again in a moment."),
  "queue.unavailable": gettext("Your message is saved. The answer comes as soon as the server has recovered."),
  "store.unavailable": gettext("The server cannot store messages right now. It is tried again in a moment."),
  "model.loading": gettext("The model did not start in time. Retry in a minute."),
  "model.unavailable": gettext("The model cannot be reached. Retry in a moment."),
  "model.timeout": gettext("The model took too long. Retry, perhaps with a shorter message."),
  "model.overloaded": gettext("The model has too much to do. Retry in a minute."),
  "model.unauthorized": gettext("The server may not use the model. Its operator must set the access token."),
  "model.rejected": gettext("The model refused this message. Edit it and send it again."),
  "model.bad_reply": gettext("The model's answer could not be read. Retry."),
  "reply.deadline": gettext("No answer came in time. Retry."),
});

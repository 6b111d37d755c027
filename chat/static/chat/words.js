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
  "message.empty": gettext("This message is empty. Type something first."),
  "message.too_long": gettext("This message is too long. Shorten it and send it again."),
  "message.invalid": gettext("The server couldn't read this message. Edit it and send it again."),
  "session.unknown": gettext("This conversation no longer exists. Start a new one; your draft is kept."),
  "session.expired": gettext("This conversation has expired. Start a new one; your draft is kept."),
  "session.busy": gettext("Waiting for earlier replies; this sends automatically."),
  "rate.limited": gettext("You're sending quickly. Retrying shortly."),
  "queue.unavailable": gettext("Your message is saved. The reply will come when the server recovers."),
  "store.unavailable": gettext("The server can't save messages right now. Retrying shortly."),
  "model.loading": gettext("The model didn't start in time. Try again in a minute."),
  "model.unavailable": gettext("The model can't be reached. Try again in a moment."),
  "model.timeout": gettext("The model took too long. Try again, perhaps with a shorter message."),
  "model.overloaded": gettext("The model is busy. Try again in a minute."),
  "model.unauthorized": gettext("The model isn't configured correctly. Please tell the site's operator."),
  "model.rejected": gettext("The model rejected this message. Edit it and send it again."),
  "model.bad_reply": gettext("The reply couldn't be read. Try again."),
  "reply.deadline": gettext("The reply took too long. Try again."),
});

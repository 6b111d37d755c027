// Sentences and times in the reader's language.

const locale = document.documentElement.lang;
const timeFormat = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const dateFormat = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const monthFormat = new Intl.DateTimeFormat(locale, { month: "long" });
const monthYearFormat = new Intl.DateTimeFormat(locale, { month: "long", year: "numeric" });
const relativeFormat = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const fullFormat = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });

/** Fill in placeholders like %(name)s. @type {(text: string, values: object) => string} */
export const format = (text, values) => interpolate(text, values, true);

/** The time if it is today, else the date. @type {(timestamp: string | number) => string} */
export function formatTime(timestamp) {
  const date = new Date(timestamp);
  return (date.toDateString() === new Date().toDateString() ? timeFormat : dateFormat).format(date);
}

/** The heading of a day in the list: today, yesterday, a week, a month. @type {(timestamp: number) => string} */
export function dayGroup(timestamp) {
  const [date, now] = [new Date(timestamp), new Date()];
  const days = Math.max(0, Math.round((now.setHours(0, 0, 0, 0) - new Date(timestamp).setHours(0, 0, 0, 0)) / 86_400_000));
  if (days > 7) return (date.getFullYear() === now.getFullYear() ? monthFormat : monthYearFormat).format(date);
  if (days > 1) return gettext("Previous 7 days");
  const name = relativeFormat.format(-days, "day");
  return name[0].toLocaleUpperCase(locale) + name.slice(1);
}

/** Date and time. @type {(timestamp: string | number) => string} */
export const formatFull = (timestamp) => fullFormat.format(new Date(timestamp));

/** What went wrong and what to do; the server's English detail if the code is unknown.
 * @type {(error: {code: string, detail: string}) => string} */
export const errorMessage = ({ code, detail }) => errorMessages()[code] ?? detail;

/** @type {() => Record<string, string>} */
const errorMessages = () => ({
  "message.empty": gettext("This message is empty. Type something first."),
  "message.too_long": gettext("This message is too long. Shorten it and send it again."),
  "message.invalid": gettext("The server couldn't read this message. Edit it and send it again."),
  "message.unknown_model": gettext("This model is no longer available. Choose another one and send the message again."),
  "session.unknown": gettext("This conversation no longer exists. Start a new one; your draft is kept."),
  "session.expired": gettext("This conversation has expired. Start a new one; your draft is kept."),
  "session.full": gettext("This conversation is full. Start a new one; your draft is kept."),
  "session.busy": gettext("Waiting for earlier replies; this sends automatically."),
  "rate.limited": gettext("You're sending quickly. Retrying shortly."),
  "queue.unavailable": gettext("Your message is saved. The reply will come when the server recovers."),
  "store.unavailable": gettext("The server can't save messages right now. Retrying shortly."),
  "store.full": gettext("The server has no room for new conversations right now. Try again later."),
  "model.loading": gettext("The model didn't start in time. Try again in a minute."),
  "model.unavailable": gettext("The model can't be reached. Try again in a moment."),
  "model.timeout": gettext("The model took too long. Try again, perhaps with a shorter message."),
  "model.overloaded": gettext("The model is busy. Try again in a minute."),
  "model.unauthorized": gettext("The model isn't configured correctly. Please tell the site's operator."),
  "model.rejected": gettext("The model rejected this message. Edit it and send it again."),
  "model.bad_reply": gettext("The reply couldn't be read. Try again."),
  "model.no_answer": gettext("The model thought about this, but gave no answer. Try again, or ask something simpler."),
  "reply.deadline": gettext("The reply took too long. Try again."),
  "reply.internal": gettext("Something went wrong on the server. Please tell the site's operator."),
});

// The versions of questions and replies, and the turns with the version that the reader looks at. Pure. Loaded with the
// first message that has several versions.
//
// Versions of a question are its edits; versions of a reply are the replies to the same question. A copy, which the
// server makes when a version is chosen, is the same version as its original, and so is a reply that continues another.

import { EMPTY } from "./state.js";
import { turns as turnsOf } from "./turns.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Message} Message */
/** @typedef {import("./turns.js").Turn} Turn */
/** @typedef {Map<string, string>} Versions the id of the newest message of each version, by that of its first one */
/**
 * @typedef {object} History
 * @property {Map<string, string>} questionOf which question a human message is a version of: the id of the first one
 * @property {Map<string, string>} versionOf which version a message is: the id of its first message
 * @property {Map<string, Versions>} versions by question, or by version of a question for replies
 */
/**
 * @typedef {object} Pager where the reader is among the versions of a question or reply
 * @property {string} of which
 * @property {number} number of the version, from 1
 * @property {number} count
 * @property {(number: number) => import("./state.js").Version | null} version null: the current one
 * @property {boolean} isCurrent
 * @property {boolean} isCut the end of the version is missing
 * @property {State["opening"]} opening the version that is loading or could not be loaded
 * @property {"ended"|"offline"|"busy"|""} refusal why it cannot be chosen now
 */

/** @type {WeakMap<ReadonlyMap<string, Message>, History>} */
const cache = new WeakMap();

/** @type {(messages: ReadonlyMap<string, Message>) => History} */
function history(messages) {
  const cached = cache.get(messages);
  if (cached) return cached;
  /** @type {History} */
  const found = { questionOf: new Map(), versionOf: new Map(), versions: new Map() };
  for (const message of [...messages.values()].sort((a, b) => a.seq - b.seq)) {
    if (message.source === "human") addQuestion(found, message);
    if (message.reply_to && isVersion(message, messages)) addReply(found, message, messages);
  }
  cache.set(messages, found);
  return found;
}

/** @type {(found: History, message: Message) => void} */
function addQuestion({ questionOf, versionOf, versions }, { id, version_of, replaces }) {
  const question = questionOf.get(version_of ?? "") ?? questionOf.get(replaces ?? "") ?? version_of ?? replaces ?? id;
  questionOf.set(id, question);
  // One that is not loaded is known by those that name it.
  const known = versions.get(question) ?? new Map([[question, question]]);
  if (replaces && !versionOf.has(replaces)) known.set(replaces, replaces);
  const version = version_of ?? id;
  versionOf.set(id, version);
  versions.set(question, known.set(version, id));
}

/** @type {(found: History, message: Message, messages: ReadonlyMap<string, Message>) => void} */
function addReply({ versionOf, versions }, { id, reply_to, version_of, continues }, messages) {
  const former = version_of ?? continues;
  const version = former ? versionOf.get(former) ?? former : id;
  versionOf.set(id, version);
  const question = `reply to ${messages.get(String(reply_to))?.version_of ?? reply_to}`;
  versions.set(question, (versions.get(question) ?? new Map()).set(version, id));
}

/** A reply that failed, is empty or could not replace a good one is none, unless it is the current one.
 * @type {(message: Message, messages: ReadonlyMap<string, Message>) => boolean} */
function isVersion({ seq, msg, error, failed, replaced_by }, messages) {
  if (!replaced_by) return true;
  const replacement = messages.get(replaced_by);
  return Boolean(replacement && replacement.seq > seq) && !failed && msg !== "" && !error;
}

/** The turns, with a pager where there are several versions, and with the version that is being viewed.
 * @type {(turns: Turn[], state: State) => Turn[]} */
export function withVersions(turns, state) {
  const found = history(state.messages);
  const refusal = refusalOf(turns, state);
  /** @type {Turn[]} */
  const shown = [];
  for (const turn of turns) {
    const question = found.questionOf.get(turn.id) ?? found.questionOf.get(turn.replaces ?? "");
    const viewed = question && state.view?.of === question ? versionText(state.view.id, state) : undefined;
    const isUnsent = !found.questionOf.has(turn.id);
    const key = question && turn.phase !== "rejected" ? question : turn.id;
    const pager = question && !isUnsent ? pagerOf(question, turn.id, found, state, refusal) : undefined;
    if (viewed) {
      shown.push(...versionTurns(viewed.messages).map((earlier, index) =>
        ({ ...earlier, isEarlier: true, ...(index ? {} : { key, pager: pager && { ...pager, isCut: viewed.hasMore } }) })));
      break;
    }
    shown.push({ ...withReplyVersions(turn, found, state, refusal), key, pager });
  }
  return shown;
}

/** @type {(turns: Turn[], state: State) => Pager["refusal"]} */
function refusalOf(turns, { ended, connection, choice }) {
  if (ended) return "ended";
  if (connection.phase !== "open") return "offline";
  return choice || !turns.every(({ phase }) => ["done", "failed", "rejected"].includes(phase)) ? "busy" : "";
}

/** @type {(turn: Turn, found: History, state: State, refusal: Pager["refusal"]) => Turn} */
function withReplyVersions(turn, found, state, refusal) {
  if (!turn.reply || turn.partial) return turn;
  const of = `reply to ${found.versionOf.get(turn.id)}`;
  const replyPager = pagerOf(of, turn.reply.id, found, state, refusal);
  const viewed = replyPager && state.view?.of === of ? versionText(state.view.id, state)?.messages[0] : undefined;
  return viewed ? { ...turn, reply: viewed, phase: "done", error: undefined, replyPager, isReplyEarlier: true } : { ...turn, replyPager };
}

/** @type {(of: string, currentId: string, found: History, state: State, refusal: Pager["refusal"]) => Pager | undefined} */
function pagerOf(of, currentId, found, { view, opening }, refusal) {
  const versions = found.versions.get(of);
  const current = found.versionOf.get(currentId) ?? currentId;
  if (!versions || versions.size < 2 || !versions.has(current)) return undefined;
  const [ids, newest] = [[...versions.keys()], [...versions.values()]];
  const viewed = view?.of === of ? newest.indexOf(view.id) : -1;
  const index = viewed < 0 ? ids.indexOf(current) : viewed;
  return {
    of,
    number: index + 1,
    count: ids.length,
    version: (number) => (ids[number - 1] === current ? null : { of, id: newest[number - 1] }),
    isCurrent: viewed < 0,
    isCut: false,
    opening: opening?.of === of ? opening : null,
    refusal,
  };
}

/** The text of a version, if this browser has it: the message, and after a question what was replaced together with it.
 * @type {(id: string, state: State) => import("./state.js").VersionText | undefined} */
export function versionText(id, { messages, versionTexts }) {
  const sent = versionTexts.get(id);
  if (sent) return sent;
  const message = messages.get(id);
  if (message?.msg === undefined) return undefined;
  if (message.source !== "human") return { messages: [message], hasMore: false };
  const branch = [...messages.values()].filter(({ seq, source, replaced_by }) => source && seq >= message.seq && replaced_by === message.replaced_by);
  return branch.every(({ msg }) => msg !== undefined) ? { messages: branch, hasMore: false } : undefined;
}

/** The turns of a replaced question and of what followed it. @type {(branch: Message[]) => Turn[]} */
function versionTurns(branch) {
  const replacedBy = branch[0]?.replaced_by;
  const shown = branch.filter((message) => message.replaced_by === replacedBy && message.msg !== undefined);
  const messages = new Map(shown.map((message) => [message.id, { ...message, replaced_by: undefined }]));
  return turnsOf({ ...EMPTY, ended: "replaced", messages });
}

// Reads a text aloud with the voices of this device, one text at a time.

/** @typedef {"idle" | "speaking" | "paused"} SpeechState */
/**
 * @typedef {object} Reading
 * @property {string[]} sentences
 * @property {number} index of the sentence being read
 * @property {SpeechSynthesisVoice | null} voice
 * @property {SpeechSynthesisUtterance | null} utterance kept, because Chrome forgets those that nobody refers to
 * @property {(state: SpeechState) => void} onChange
 */

/** @type {Reading | null} */
let reading = null;

/** The voices of this device. Others send the text to a server of their vendor. */
export const voices = () => speechSynthesis.getVoices().filter(({ localService }) => localService);

/** Read sentences; stops what is being read. @type {(sentences: string[], language: string, onChange: (state: SpeechState) => void) => void} */
export function speak(sentences, language, onChange) {
  stop();
  reading = { sentences, index: 0, voice: voiceFor(language), utterance: null, onChange };
  resume();
}

/** Not the browser's own pause, which ends the reading on Android: a sentence is read again from its start. */
export function pause() {
  silence();
  reading?.onChange("paused");
}

export function resume() {
  speakSentence();
  reading?.onChange("speaking");
}

export function stop() {
  const stopped = reading;
  silence();
  reading = null;
  stopped?.onChange("idle");
}

function silence() {
  if (reading) reading.utterance = null; // its end is none of the text
  speechSynthesis.cancel();
}

function speakSentence() {
  const current = reading;
  if (!current) return;
  if (current.index >= current.sentences.length) return stop();
  const utterance = new SpeechSynthesisUtterance(current.sentences[current.index]);
  utterance.voice = current.voice;
  if (current.voice) utterance.lang = current.voice.lang;
  utterance.onend = () => {
    if (current.utterance !== utterance) return;
    current.index += 1;
    speakSentence();
  };
  utterance.onerror = () => { if (current.utterance === utterance) stop(); };
  current.utterance = utterance;
  speechSynthesis.speak(utterance);
}

/** A voice for the text's language, else for the page's, else any. @type {(language: string) => SpeechSynthesisVoice | null} */
function voiceFor(language) {
  const speaks = (/** @type {string} */ wanted) => voices().filter(({ lang }) => lang.split(/[-_]/)[0].toLowerCase() === wanted);
  const suitable = [speaks(language), speaks(document.documentElement.lang), voices()].find((found) => found.length) ?? [];
  return suitable.find((voice) => voice.default) ?? suitable[0] ?? null;
}

addEventListener("pagehide", stop); // browsers go on reading otherwise

// The language of a text: by its script, and for Latin scripts by frequent short words. Pure.

/** Letters of scripts that belong to one language, or nearly. Japanese mixes its own with Chinese ones.
 * @type {[language: string, letters: RegExp][]} */
const SCRIPTS = [
  ["ja", /[\p{Script=Hiragana}\p{Script=Katakana}]/gu],
  ["zh", /\p{Script=Han}/gu],
  ["ko", /\p{Script=Hangul}/gu],
  ["ar", /\p{Script=Arabic}/gu],
  ["he", /\p{Script=Hebrew}/gu],
  ["ru", /\p{Script=Cyrillic}/gu],
  ["el", /\p{Script=Greek}/gu],
  ["hi", /\p{Script=Devanagari}/gu],
  ["th", /\p{Script=Thai}/gu],
];

/** Words that no other language of this list has.
 * @type {Record<string, string>} */
const WORDS = {
  en: "the and of is to you it that for with are this have not your they be from",
  de: "der und ist nicht ich sie das ein eine mit auf den für auch sich wie aber oder wird sind",
  fr: "le les et est une vous dans pour pas avec sur ce qui nous cette sont plus être il",
  es: "el los y las una por con más pero como está son muy del hay usted al lo",
  pt: "os um uma não você para mais mas são muito ele ela isso também do da em ao",
  it: "il di che è una sono per non con più anche della gli nel questo come",
  nl: "het een van niet dat op te zijn voor met ook maar naar wordt je ik",
};
const LANGUAGES_OF = new Map(Object.entries(WORDS).flatMap(([language, words]) => words.split(" ").map((word) => [word, language])));
const MIN_WORDS = 2;
/** Of the Chinese and Japanese letters, at least so many are Japanese in a Japanese text. */
const MIN_KANA = 0.1;

/** @type {(text: string, otherwise: string) => string} */
export function languageOf(text, otherwise) {
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  const counts = new Map(SCRIPTS.map(([language, pattern]) => [language, text.match(pattern)?.length ?? 0]));
  const [kana, han] = [counts.get("ja") ?? 0, counts.get("zh") ?? 0];
  if (kana + han > letters / 2) return kana > (kana + han) * MIN_KANA ? "ja" : "zh";
  for (const [language, count] of counts) if (count > letters / 2) return language;
  return latinLanguageOf(text) ?? otherwise;
}

/** @type {(text: string) => string | undefined} */
function latinLanguageOf(text) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const [word] of text.toLowerCase().matchAll(/\p{L}+/gu)) {
    const language = LANGUAGES_OF.get(word);
    if (language) found.set(language, (found.get(language) ?? 0) + 1);
  }
  const [best, second] = [...found].sort(([, a], [, b]) => b - a);
  return best && best[1] >= MIN_WORDS && best[1] > (second?.[1] ?? 0) ? best[0] : undefined;
}

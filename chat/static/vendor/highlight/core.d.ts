// What the page uses of highlight.js; the package for browsers ships no types.
interface Highlighter {
  getLanguage(name: string): object | undefined;
  registerLanguage(name: string, grammar: (highlighter: Highlighter) => object): void;
  highlight(text: string, options: { language: string; ignoreIllegals?: boolean }): { value: string };
}
declare const highlighter: Highlighter;
export default highlighter;

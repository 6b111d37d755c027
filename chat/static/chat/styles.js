// Style sheets of modules that load when they are needed.

/** Add a style sheet, by its name in this folder. Resolves when it applies, or cannot be loaded.
 * @type {(name: string) => Promise<unknown>} */
export const loadStyles = (name) => new Promise((resolve) => {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.crossOrigin = "anonymous"; // a shared page is in a sandbox, without an origin
  link.href = new URL(name, import.meta.url).href;
  link.onload = link.onerror = resolve;
  document.head.append(link);
});

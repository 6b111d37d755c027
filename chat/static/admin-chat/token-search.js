// @ts-check
// Sends a token, or the address of a read-only link, that is typed into the list's search by POST, so that it appears in no URL or log.

const TOKEN = /^\s*(?:\S*\/s\/)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\s*$/i;

document.addEventListener("submit", (event) => {
  const searchForm = /** @type {HTMLFormElement} */ (event.target);
  const field = searchForm.id === "changelist-search" && searchForm.elements.namedItem("q");
  if (!(field instanceof HTMLInputElement) || !TOKEN.test(field.value)) return;
  event.preventDefault();
  const tokenForm = /** @type {HTMLFormElement} */ (document.getElementById("token-search"));
  /** @type {HTMLInputElement} */ (tokenForm.elements.namedItem("token")).value = field.value.trim();
  tokenForm.submit();
});

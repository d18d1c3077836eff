// What is asked of a reviewer: a box at the first visit, and an overlay with all keys at any time.

const SEEN = "mojo-introduced";

const find = (id) => document.getElementById(id);

/** Show the overlay. */
export function openHelp() {
  if (!find("help").open) find("help").showModal();
}

function understood() {
  localStorage.setItem(SEEN, "yes");
  find("intro").hidden = true;
  find("heading").focus();
}

find("intro").hidden = localStorage.getItem(SEEN) !== null;
find("got-it").addEventListener("click", understood);
for (const name of ["intro-help", "help-open"]) find(name).addEventListener("click", openHelp);
find("help-close").addEventListener("click", () => find("help").close());
find("help").addEventListener("click", (event) => { if (event.target === find("help")) find("help").close(); });

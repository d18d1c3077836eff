// The admin's page: times in the reader's own zone, a hint where tables are cut, files that are uploaded.

import { ask, make } from "./shell.js";

const find = (id) => document.getElementById(id);

for (const time of document.querySelectorAll("time")) {
  time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** Say below a table that it has more columns than the screen is wide. */
function hintAt(table) {
  const hint = make("p", { class: "cut", hidden: true }, "This table is wider than the screen: move it sideways to see the rest. →");
  table.after(hint);
  new ResizeObserver(() => { hint.hidden = table.scrollWidth <= table.clientWidth + 1; }).observe(table);
}

for (const table of document.querySelectorAll(".scroll")) hintAt(table);

// ------------------------------------------------------------------------------------------------ uploading

async function upload(event) {
  event.preventDefault();
  const button = find("upload").querySelector("button");
  const overlap = Number(find("upload-overlap").value) / 100;
  button.disabled = true;
  find("upload-told").replaceChildren();
  for (const file of find("upload-files").files) await uploadOne(file, overlap);
  button.disabled = false;
}

async function uploadOne(file, overlap) {
  const told = make("p", {}, `${file.name}: sending and checking …`);
  find("upload-told").append(told);
  const query = new URLSearchParams({ name: file.name, overlap });
  try {
    const answer = await ask(`/api/admin/import?${query}`, file);
    told.replaceWith(...answer.told.map((line) => make("p", {}, line)), make("a", { href: "/admin" }, "Show the new figures"));
  } catch (error) {
    const why = error.status === undefined ? `${file.name}: the connection ended, so it is open whether it was stored. Upload it again: nothing is stored twice.` : error.message;
    told.replaceWith(make("p", { class: "refused" }, why), ...refusedLines(error.told));
  }
}

/** Return a list of the lines that were refused; the first of them stands in the message. */
function refusedLines({ refused = [], refused_total: total = 0 } = {}) {
  if (total < 2) return [];
  const rows = refused.map(({ line, why }) => make("li", {}, `Line ${line.toLocaleString("en")}: ${why}`));
  if (total > refused.length) rows.push(make("li", {}, `and ${(total - refused.length).toLocaleString("en")} more`));
  return [make("p", {}, `${total.toLocaleString("en")} lines were refused:`), make("ul", {}, ...rows)];
}

find("upload").addEventListener("submit", upload);

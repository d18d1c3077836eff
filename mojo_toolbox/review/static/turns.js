// Drawing a conversation: each user turn with its label beside it, the tasks, the notes.

import { make, named } from "./shell.js";

const WORDS = { okay: "okay", change: "changed", check: "to be checked", wrong: "thrown out" };

/** Return a label as text. */
export function labelText(label) {
  return label === undefined ? "no label" : label === null ? "none" : label;
}

/** Return a user turn as it is called everywhere: people count user turns, from 1. */
export function turnName(item, index) {
  return `user turn ${item.turns.filter((turn) => turn.role === "user" && turn.index <= index).length}`;
}

/** Return which of the item's tasks a label is; undefined for none, no label and labels that are not in the list. */
function taskOf(item, label) {
  return item.tasks.find(({ name }) => name === label);
}

/** Fill `list` with the conversation's turns under the labels of `labels` (by message number; absent: no label). */
export function drawTurns(list, item, labels, selected) {
  let number = 0;
  list.replaceChildren(...item.turns.map((turn) => {
    if (turn.role === "user") number += 1;
    return turn.role === "user" ? userTurn(item, turn, number, labels, selected) : assistantTurn(turn);
  }));
}

/** Draw one user turn anew, after its label has changed. */
export function redrawTurn(list, item, index, labels, selected) {
  const old = list.querySelector(`[data-index="${index}"]`);
  old.replaceWith(userTurn(item, item.turns[index], Number(old.dataset.number), labels, selected));
}

function assistantTurn(turn) {
  return make("li", { class: "turn assistant" }, make("span", { class: "who" }, "Assistant"), words(turn.text));
}

function userTurn(item, turn, number, labels, selected) {
  const label = labels[turn.index];
  const entry = make("li", {
    class: `turn user${turn.index === selected ? " selected" : ""}${turn.disputed ? " disputed" : ""}`, id: `turn-${turn.index}`,
    tabIndex: turn.index === selected ? 0 : -1, "data-index": turn.index, "data-number": number,
  });
  entry.append(
    make("span", { class: "who" }, `User turn ${number}`, turn.disputed ? make("span", { class: "tag check" }, "disputed") : null), words(turn.text),
    make("div", { class: "beside" }, labelButton(item, turn, number, label), ...judgements(turn), ...hints(turn, label)),
  );
  return entry;
}

function labelButton(item, turn, number, label) {
  const changed = label !== turn.label;
  const known = label === undefined || label === null || taskOf(item, label) !== undefined;
  const kinds = ["label", label === null ? "is-none" : "", label === undefined ? "is-missing" : "", changed ? "is-changed" : "",
    known ? "" : "is-unlisted"];
  const button = make("button", {
    // The keyboard changes the selected turn with C: hundreds of turns are not hundreds of stops.
    type: "button", tabIndex: -1, class: kinds.filter(Boolean).join(" "), "data-change": turn.index,
  }, make("span", { class: "unseen" }, "Label: "), named(labelText(label)));
  if (changed) button.append(make("span", { class: "was" }, "was ", named(labelText(turn.label))));
  if (!known) button.append(make("span", { class: "was" }, "not in the task list"));
  button.append(make("span", { class: "unseen" }, ` Change the label of user turn ${number}.`));
  return button;
}

/** Return what each of the others said of a turn that an admin settles. */
function judgements(turn) {
  if (!turn.said?.length) return [];
  return [make("ul", { class: `judgements${turn.disputed ? " differs" : ""}` },
    ...turn.said.map(({ by, label }) => make("li", {}, make("bdi", {}, by), ": ", named(labelText(label)))))];
}

function hints(turn, label) {
  const found = [];
  for (const mark of turn.marks) found.push(make("p", { class: "hint mark", dir: "auto" }, `Look: ${mark}`));
  if (turn.router !== null) {
    const sure = turn.router.probability === null ? "" : ` ${Math.round(turn.router.probability * 100)}%`;
    const differs = turn.router.task !== (label === undefined ? undefined : label);
    found.push(make("p", { class: `hint router${differs ? " differs" : ""}` },
      "Router: ", named(labelText(turn.router.task)), `${sure}${differs ? "" : ", the same"}`));
  }
  return found;
}

function words(text) {
  return text.trim() === "" ? make("p", { class: "words empty" }, "(an empty message)") : make("p", { class: "words", dir: "auto" }, text);
}

/** Fill the task list: first the tasks in charge somewhere in the conversation, then what others chose, then the rest. */
export function drawTasks(list, item, labels) {
  const used = new Set(Object.values(labels));
  const chosen = new Set(item.turns.flatMap(({ said }) => said ?? []).map(({ label }) => label));
  const rank = ({ name }) => (used.has(name) ? 0 : chosen.has(name) ? 1 : 2);
  const ordered = item.tasks.toSorted((one, other) => rank(one) - rank(other));
  list.replaceChildren(...ordered.map(({ name, description }) => make("div", { class: used.has(name) ? "task used" : "task" },
    make("dt", {}, named(name), ...(used.has(name) ? [" ", make("span", { class: "tag" }, "in use")] : [])),
    make("dd", { dir: "auto", class: description ? "" : "empty" }, description || "No description."))));
  list.scrollTop = 0;
}

/** Fill what concerns the whole conversation: doubts raised before, and to an admin who settles it what others decided. */
export function drawAbout(place, item) {
  const told = item.marks.map((mark) => make("p", { dir: "auto" }, `Look: ${mark}`));
  if (item.settling) told.push(make("p", {}, "You settle this one: what you decide stands above what others decided."));
  const disputed = item.turns.filter((turn) => turn.disputed);
  if (disputed.length > 0) told.push(make("p", {}, `Disputed: ${disputed.map(({ index }) => turnName(item, index)).join(", ")}.`));
  const others = item.others.map((other) => make("li", {}, ...said(other)));
  if (others.length > 0) told.push(make("ul", {}, ...others));
  place.hidden = told.length === 0;
  place.replaceChildren(...told);
}

function said(other) {
  const parts = [make("bdi", {}, other.by), `: ${WORDS[other.action]}`];
  if (other.reason) parts.push(" (", make("bdi", {}, other.reason), ")");
  if (other.note) parts.push(": ", make("bdi", {}, other.note));
  return parts;
}

/** Return in a sentence what a screen reader should say when a conversation comes up. */
export function summary(item, labels) {
  const turns = item.turns.filter(({ role }) => role === "user");
  const told = [];
  for (const { index } of turns) {
    const text = labelText(labels[index]);
    if (told.at(-1) !== text) told.push(text);
  }
  const shown = told.slice(0, 6).join(", then ") + (told.length > 6 ? ", and so on" : "");
  return `${turns.length} user ${turns.length === 1 ? "turn" : "turns"}. Labels: ${shown}.`;
}

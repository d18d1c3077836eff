// What was changed in a conversation and not decided yet: kept for this tab, so that a reload loses nothing.

import { given } from "./shell.js";

// Numbers mean other conversations when another database is served at this address.
const PREFIX = `mojo-draft:${given("state").database}:`;

function name(item) {
  return `${PREFIX}${item.id}:${item.version}`;
}

/** Return the labels as they were given: by message number, absent where there is none. */
export function givenLabels(item) {
  return Object.fromEntries(item.turns.filter((turn) => turn.label !== undefined).map((turn) => [turn.index, turn.label]));
}

/** Return the labels that differ from those given. */
export function changedLabels(item, labels) {
  return Object.fromEntries(item.turns.filter((turn) => turn.role === "user" && labels[turn.index] !== turn.label)
    .map((turn) => [turn.index, labels[turn.index]]));
}

/**
 * Return the labels, the note and the reason to begin with: those given, with what was changed before a reload, decided before BACK, or
 * refused by the server (`refused`).
 */
export function begun(item, refused) {
  const kept = JSON.parse(sessionStorage.getItem(name(item))) ?? refused ?? item.undone;
  return { labels: { ...givenLabels(item), ...kept?.labels }, note: kept?.note ?? "", reason: (refused ?? item.undone)?.reason ?? "" };
}

/** Keep changes; without any, forget the draft. */
export function keep(item, labels, note) {
  const changes = changedLabels(item, labels);
  try {
    if (note === "" && Object.keys(changes).length === 0) sessionStorage.removeItem(name(item));
    else sessionStorage.setItem(name(item), JSON.stringify({ labels: changes, note }));
  } catch {
    // No room: what is on the screen is still there, only a reload would lose it.
  }
}

/** Forget what was kept of an item. */
export function drop(item) {
  sessionStorage.removeItem(name(item));
}

// The review page: shows a conversation, takes decisions, and has the next conversation ready before it is asked for.

import { begun, changedLabels, drop, keep } from "./drafts.js";
import { openHelp } from "./help.js";
import { listen, setShortcuts, shortcutsOn } from "./keys.js";
import { Outbox } from "./outbox.js";
import { Picker } from "./picker.js";
import { Reasons } from "./reasons.js";
import { ask, duration, freshKey, given, say } from "./shell.js";
import { drawAbout, drawTasks, drawTurns, labelText, redrawTurn, summary, turnName } from "./turns.js";

const DONE = {
  okay: (title) => `${title} is okay.`, change: (title, count) => `${title} stored with ${count} changed ${count === 1 ? "label" : "labels"}.`,
  check: (title) => `${title} is to be checked.`, wrong: (title) => `${title} thrown out.`,
};
// A longer title would push what follows it out of the line.
const LONGEST_TITLE = 40;
// Where the page shows keys: as in its style sheet.
const keysShown = matchMedia("(hover: hover) and (width >= 40rem)");
// Somebody else may bring new work, or give some back.
const LOOK_AGAIN = 15000;
// Less than the time after which a conversation that nobody acts on is given to somebody else.
const STILL_HERE = 120000;

const find = (id) => document.getElementById(id);
const note = find("note");
const turns = find("turns");
const picker = new Picker();
const reasons = new Reasons();
const otherTabs = new BroadcastChannel("mojo-review");

const start = given("state");
let current = null;
let ahead = null;
let labels = {};
let reason = "";
let selected = null;
let goingBack = 0;
// What the server would not store: when it hands out that conversation again, the work is still there.
const unstored = new Map();
let somebodyIsHere = true;
let lookAgain;

const outbox = new Outbox(start, { delivered, refused, stuck, moving: () => connection("") });

// ------------------------------------------------------------------------------------------------ showing

function show(item, before = "") {
  current = item;
  clearTimeout(lookAgain);
  find("work").hidden = item === null;
  find("idle").hidden = item !== null;
  for (const button of document.querySelectorAll("[data-needs-item]")) button.disabled = item === null;
  if (item === null) {
    showButtons();
    return showIdle(before);
  }
  const draft = begun(item, unstored.get(item.id));
  labels = draft.labels;
  note.value = draft.note;
  reason = draft.reason;
  const users = item.turns.filter(({ role }) => role === "user");
  selected = (users.find(({ disputed }) => disputed) ?? users[0])?.index ?? null;
  find("heading").textContent = `${item.settling ? "Settle" : "Conversation"} ${item.title}`;
  drawTurns(turns, item, labels, selected);
  drawTasks(find("tasks"), item, labels);
  drawAbout(find("about"), item);
  showButtons();
  sessionStorage.setItem("mojo-tasks", JSON.stringify(item.tasks));
  scrollTo(0, 0);
  // Of the conversation that is shown; the voice tells of the action before.
  find("summary").textContent = summary(item, labels);
  find("heading").focus({ preventScroll: true });
  say(before);
}

/** Name the main button after what it does now. */
function showButtons() {
  const changed = current !== null && Object.keys(changedLabels(current, labels)).length > 0;
  find("okay-text").textContent = changed ? "Save changes" : "Okay";
  document.querySelector("[data-action=leave]").hidden = current === null || !current.settling;
}

function shortTitle(item) {
  return item.title.length <= LONGEST_TITLE ? item.title : `${item.title.slice(0, LONGEST_TITLE - 1)}…`;
}

function showIdle(before) {
  const waiting = outbox.length > 0;
  find("idle-title").textContent = waiting ? "Fetching the next conversation" : "Nothing is waiting for you";
  find("idle-text").textContent = waiting ? "It comes as soon as the server answers." : idleText();
  find("again").hidden = waiting;
  find("idle-title").focus();
  if (before) say(before);
  if (!waiting) lookAgain = setTimeout(refresh, LOOK_AGAIN);
}

function idleText() {
  const { done, total } = progress;
  if (total === 0) return "No conversations have been imported yet.";
  return done >= total ? "Every conversation has been decided. Thank you." : "The rest is in other people's hands. This page looks again by itself.";
}

let progress = { done: 0, total: 0, mine: 0, per_hour: null, seconds_left: null };

function showProgress(now) {
  progress = now;
  const bar = find("progress");
  bar.max = Math.max(now.total, 1);
  bar.value = now.done;
  const parts = [`${now.done.toLocaleString("en")} of ${now.total.toLocaleString("en")}`, `${now.mine.toLocaleString("en")} by you`];
  if (now.per_hour) parts.push(`${Math.round(now.per_hour).toLocaleString("en")} an hour`);
  if (now.seconds_left !== null && now.done < now.total) parts.push(`${duration(now.seconds_left)} left`);
  find("progress-text").textContent = parts.join(" · ");
}

function connection(text) {
  const place = find("connection");
  if (place.textContent !== text) place.textContent = text;
  place.hidden = text === "";
}

// ------------------------------------------------------------------------------------------------ deciding

/** Whether something can be decided now; says why not. */
function mayDecide() {
  if (goingBack > 0) say("Wait a moment: going back first.");
  return current !== null && goingBack === 0;
}

function decide(action, why = "") {
  if (!mayDecide()) return;
  const changes = changedLabels(current, labels);
  const count = Object.keys(changes).length;
  const told = action === "okay" && count > 0 ? "change" : action;
  const body = { item: current.id, version: current.version, action: told, labels: changes, note: note.value.trim(), key: freshKey() };
  send("/api/decide", why === "" ? body : { ...body, reason: why }, `${DONE[told](shortTitle(current), count)} ${undoing()}`);
}

async function throwOut() {
  if (!mayDecide()) return;
  const item = current;
  const why = await reasons.open(reason);
  if (current !== item) return;
  if (why === null) find("heading").focus();
  else decide("wrong", why);
}

function leave() {
  if (current === null || !current.settling || !mayDecide()) return;
  send("/api/leave", { item: current.id, key: freshKey() }, `${shortTitle(current)} left undecided.`);
}

/** Send an action on the present conversation, and show the next one. */
function send(path, body, told) {
  const next = ahead;
  ahead = null;
  drop(current);
  outbox.add(path, body);
  show(next, told);
}

function undoing() {
  return shortcutsOn() && keysShown.matches ? "B undoes." : "Back undoes.";
}

function back() {
  if (current !== null) keep(current, labels, note.value);
  goingBack += 1;
  outbox.add("/api/back", { key: freshKey() });
}

async function change(scope = "turn", index = selected) {
  if (current === null || index === null) return;
  const item = current;
  select(index);
  const answer = await picker.open({ tasks: item.tasks, turn: turnName(item, index), text: item.turns[index].text, now: labels[index], scope });
  if (current !== item) return;
  if (answer !== null) setLabels(index, answer);
  // To the turn and not to the button in it: there Enter means that all is well.
  find(`turn-${index}`).focus();
}

function setLabels(index, { task, scope }) {
  const reached = current.turns.filter((turn) => turn.role === "user"
    && (scope === "all" || turn.index === index || (scope === "following" && turn.index > index)));
  for (const turn of reached) {
    labels[turn.index] = task;
    redrawTurn(turns, current, turn.index, labels, selected);
  }
  drawTasks(find("tasks"), current, labels);
  keep(current, labels, note.value);
  showButtons();
  const name = turnName(current, index);
  const where = reached.length === 1 ? `${name[0].toUpperCase()}${name.slice(1)} is` : `${reached.length} user turns are`;
  say(`${where} now ${labelText(task)}. ${shortcutsOn() && keysShown.matches ? "Enter stores it." : "Save changes stores it."}`);
}

// --------------------------------------------------------------------------------------- what the server says

function delivered(action, answer) {
  connection("");
  showProgress(answer.progress);
  if (action.path === "/api/back") return wentBack(answer);
  otherTabs.postMessage("moved");
  if (goingBack === 0) settle(answer);
}

function wentBack(answer) {
  goingBack = Math.max(0, goingBack - 1);
  otherTabs.postMessage("moved");
  if (goingBack > 0 || outbox.length > 0) return;
  if (!answer.undone) return settle(answer, "There is nothing to take back.");
  ahead = answer.upcoming;
  show(answer.item, `Your decision on ${shortTitle(answer.item)} is taken back.`);
}

/** Bring what is shown together with what the server has given out, without disturbing who reads. */
function settle(answer, before = "") {
  const decided = outbox.decided();
  const open = [answer.item, answer.upcoming].filter((item) => item !== null && !decided.has(item.id));
  const here = open.find((item) => current !== null && item.id === current.id);
  if (here === undefined && (current === null || outbox.length === 0)) {
    const lost = current !== null && before === "" ? "That conversation is no longer yours. Here is another." : before;
    show(open[0] ?? null, lost);
  } else if (here !== undefined && here.version !== current.version) {
    show(here, "This conversation was changed meanwhile.");
  } else if (before) {
    say(before);
  }
  ahead = open.find((item) => item.id !== current?.id) ?? null;
}

function refused(action, error) {
  if (action.path === "/api/back") goingBack = Math.max(0, goingBack - 1);
  else if (action.path === "/api/decide") unstored.set(action.body.item, action.body);
  say(error.message, { kind: "error" });
  refresh();
}

function stuck(error, count) {
  const waiting = `${count} ${count === 1 ? "action waits" : "actions wait"} in this browser`;
  if (error.status === 401) connection(`Your link no longer works. ${waiting}; open a new link here to send again.`);
  else if (error.status === undefined) connection(`No connection to the server. ${waiting} until it is back; nothing is lost.`);
  else connection(`Not stored yet: ${error.message} ${waiting}; this page goes on trying.`);
}

async function refresh() {
  // What is on its way brings the news itself; and what was asked before an action is none any more after it.
  const { added } = outbox;
  if (outbox.length > 0) return;
  try {
    const answer = await ask("/api/state");
    if (outbox.added !== added) return;
    if (answer.database !== start.database) {
      location.reload();
      return;
    }
    showProgress(answer.progress);
    connection("");
    settle(answer);
  } catch (error) {
    if (outbox.added !== added) return;
    connection(error.status === 401 ? "Your link no longer works. Ask for a new one." : "No connection to the server. Trying again.");
    clearTimeout(lookAgain);
    lookAgain = setTimeout(refresh, LOOK_AGAIN);
  }
}

// ------------------------------------------------------------------------------------------- moving about

function select(index) {
  if (index === null || index === undefined) return;
  const old = turns.querySelector(".selected");
  old?.classList.remove("selected");
  if (old !== null) old.tabIndex = -1;
  selected = index;
  const entry = find(`turn-${index}`);
  entry.classList.add("selected");
  entry.tabIndex = 0;
}

function step(by) {
  if (current === null) return;
  const indexes = current.turns.filter(({ role }) => role === "user").map(({ index }) => index);
  // The first step from elsewhere goes to the selected turn itself.
  const inside = document.activeElement?.closest?.("#turns .turn") !== null;
  const place = indexes.indexOf(selected) + (inside ? by : 0);
  select(indexes[Math.min(Math.max(place, 0), indexes.length - 1)]);
  find(`turn-${selected}`).focus();
}

function toggleShortcuts() {
  setShortcuts(!shortcutsOn());
  showShortcuts();
}

function showShortcuts() {
  find("shortcuts").setAttribute("aria-pressed", String(shortcutsOn()));
  document.body.classList.toggle("no-shortcuts", !shortcutsOn());
}

const actions = { okay: () => decide("okay"), change: () => change(), back, check: () => decide("check"), wrong: throwOut, leave };
for (const button of document.querySelectorAll("[data-action]")) button.addEventListener("click", actions[button.dataset.action]);
listen({
  Enter: actions.okay, c: actions.change, "Shift+c": () => change("all"), b: back, t: actions.check, x: actions.wrong, l: leave,
  "?": openHelp,
  ArrowDown: () => step(1), ArrowUp: () => step(-1), j: () => step(1), k: () => step(-1), n: () => note.focus(),
}, () => document.querySelector("dialog[open]") !== null);
turns.addEventListener("click", (event) => {
  const button = event.target.closest("[data-change]");
  if (button !== null) change("turn", Number(button.dataset.change));
});
turns.addEventListener("focusin", (event) => {
  const entry = event.target.closest("[data-index]");
  if (entry !== null) select(Number(entry.dataset.index));
});
note.addEventListener("input", () => { if (current !== null) keep(current, labels, note.value); });
find("whole").addEventListener("click", () => change("all"));
find("shortcuts").addEventListener("click", toggleShortcuts);
find("again").addEventListener("click", refresh);
otherTabs.addEventListener("message", refresh);
// A page that slept may hold what was given to somebody else since.
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
for (const sign of ["keydown", "pointerdown", "wheel", "touchmove"]) addEventListener(sign, () => { somebodyIsHere = true; }, { passive: true });
setInterval(() => {
  // A page that is open before an empty chair gives its conversation back.
  if (current !== null && somebodyIsHere) ask("/api/keep", {}).catch(() => {});
  somebodyIsHere = false;
}, STILL_HERE);

showShortcuts();
showProgress(start.progress);
if (outbox.recover() > 0) show(null, "Sending what was not confirmed before.");
else {
  ahead = start.upcoming;
  show(start.item);
}

// The playground: a chat with the router, turn by turn; what a person corrects joins the review queue.

import { ask, freshKey, make, named, say } from "./shell.js";
import { TaskEditor } from "./task_editor.js";
import { labelText } from "./turns.js";

const KEPT = "mojo-playground";
const SHOWN_CHOICES = 6;
const STARTERS = [
  { name: "meeting_recap", description: "Write a recap of a meeting: what was said and decided" },
  { name: "follow_up_email", description: "Write an email that follows up on a meeting or a call" },
];

const find = (id) => document.getElementById(id);

/** A chat: messages with what the router decided (`decision`) and what a person says is right (`label`, if judged). */
function begin(tasks) {
  return { chat: freshKey(), messages: [], tasks };
}

function restored() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT));
  if (kept !== null) return kept;
  return begin(JSON.parse(sessionStorage.getItem("mojo-tasks")) ?? STARTERS);
}

let chat;
let editor;

function keepChat() {
  sessionStorage.setItem(KEPT, JSON.stringify({ ...chat, tasks: editor.tasks }));
}

/** Return the label that counts at a message: a person's, else the router's; undefined where nobody knows. */
function labelOf(message) {
  return message.judged ? message.label : message.decision?.task;
}

/** Return the messages as the server takes them. A label whose task has left the list is unknown from then on. */
function records(messages) {
  const listed = new Set(editor.tasks.map(({ name }) => name));
  return messages.map((message) => {
    const label = labelOf(message);
    const known = message.role === "user" && (label === null || listed.has(label));
    return { role: message.role, content: message.text, ...(known ? { task: label } : {}) };
  });
}

// ------------------------------------------------------------------------------------------------ asking

async function route(index) {
  const message = chat.messages[index];
  message.waiting = true;
  delete message.error;
  draw();
  try {
    const messages = records(chat.messages.slice(0, index + 1));
    // The turn that is asked about has no answer yet.
    delete messages[index].task;
    message.decision = await ask("/api/playground/turn", { messages, tasks: editor.tasks });
    message.judged = false;
    say(`The router decides ${labelText(message.decision.task)}.`);
  } catch (error) {
    message.error = error.status === undefined ? "No connection to the server." : error.message;
  }
  message.waiting = false;
  draw();
  keepChat();
}

async function judge(index, task) {
  const message = chat.messages[index];
  const before = { judged: message.judged, label: message.label };
  Object.assign(message, { judged: true, label: task });
  draw(index);
  try {
    await ask("/api/playground/correct", correction());
    say(task === message.decision.task ? "Confirmed; the chat is in the review queue." : `Corrected to ${labelText(task)}; the chat is in the review queue.`);
  } catch (error) {
    Object.assign(message, before);
    say(`Not stored: ${error.message} Press it again.`, { kind: "error" });
    draw(index);
  }
  keepChat();
}

function correction() {
  const judged = chat.messages.flatMap((message, index) => (message.judged ? [index] : []));
  const decisions = chat.messages.flatMap(({ decision }, index) => (decision ? [[index, [decision.task, decision.probability]]] : []));
  return {
    chat: chat.chat, messages: records(chat.messages), tasks: editor.tasks, judged, decisions: Object.fromEntries(decisions),
  };
}

// ------------------------------------------------------------------------------------------------ drawing

/** Draw the chat anew; the button that was pressed goes with that, so its turn gets the focus. */
function draw(focused) {
  find("hello").hidden = chat.messages.length > 0;
  const expanded = new Set([...document.querySelectorAll("#chat details[open]")].map((details) => details.dataset.index));
  find("chat").replaceChildren(...chat.messages.map((message, index) => (
    message.role === "user" ? userTurn(message, index, expanded.has(String(index))) : assistantTurn(message))));
  if (focused !== undefined) find(`turn-${focused}`).focus();
}

function assistantTurn(message) {
  return make("li", { class: "turn assistant" }, make("span", { class: "who" }, "Assistant"), make("p", { class: "words", dir: "auto" }, message.text));
}

function userTurn(message, index, expanded) {
  const number = chat.messages.slice(0, index + 1).filter(({ role }) => role === "user").length;
  const beside = make("div", { class: "beside" });
  if (message.waiting) beside.append(make("p", { class: "hint" }, "Asking …"));
  else if (message.error) {
    const again = make("button", { type: "button" }, "Ask again");
    again.addEventListener("click", () => route(index));
    beside.append(make("p", { class: "hint mark" }, message.error), again);
  } else if (message.decision) beside.append(...answer(message, index, expanded));
  return make("li", { class: `turn user${message.judged ? " selected" : ""}`, id: `turn-${index}`, tabIndex: -1 },
    make("span", { class: "who" }, `User turn ${number}`), make("p", { class: "words", dir: "auto" }, message.text), beside);
}

function answer(message, index, expanded) {
  const { decision } = message;
  const facts = [`${Math.round(decision.latency_ms).toLocaleString("en")} ms`];
  if (decision.prompt_tokens) facts.push(`${decision.prompt_tokens.toLocaleString("en")} tokens${decision.cached_tokens ? `, ${decision.cached_tokens.toLocaleString("en")} of them kept` : ""}`);
  if (decision.dropped_messages) facts.push(`the ${decision.dropped_messages} oldest messages were not read`);
  const choices = decision.choices ?? [decision.task, ...editor.tasks.map(({ name }) => name), null]
    .filter((task, place, all) => all.indexOf(task) === place).map((task) => ({ task, probability: null }));
  const buttons = choices.map((choice) => choiceButton(message, index, choice));
  const shown = make("div", { class: "choices", role: "group", "aria-label": "Choices: press the right one" }, ...buttons.slice(0, SHOWN_CHOICES));
  const parts = [shown];
  if (buttons.length > SHOWN_CHOICES) {
    parts.push(make("details", { open: expanded, "data-index": index }, make("summary", {}, `${buttons.length - SHOWN_CHOICES} more`),
      make("div", { class: "choices" }, ...buttons.slice(SHOWN_CHOICES))));
  }
  return [...parts, make("p", { class: "hint" }, facts.join(" · "))];
}

function choiceButton(message, index, { task, probability }) {
  const isAnswer = task === message.decision.task;
  const isRight = message.judged && task === message.label;
  const told = [isAnswer ? "router" : "", isRight ? "right" : ""].filter(Boolean).join(", ");
  const button = make("button", {
    type: "button", class: `choice${isAnswer ? " answer" : ""}${isRight ? " right" : ""}`, "aria-pressed": String(isRight),
  }, named(labelText(task)), told ? make("span", { class: "tag" }, told) : null);
  if (probability !== null) {
    button.append(make("span", { class: "share" }, percent(probability)),
      make("meter", { min: 0, max: 1, value: probability, "aria-hidden": "true" }));
  }
  button.addEventListener("click", () => judge(index, task));
  return button;
}

function percent(share) {
  return share >= 0.9995 ? "100%" : share < 0.001 ? "<0.1%" : `${(share * 100).toFixed(1)}%`;
}

// ------------------------------------------------------------------------------------------------ beginning

function send(event) {
  event.preventDefault();
  const words = find("words");
  if (words.value.trim() === "") return;
  const problem = editor.problem();
  if (problem !== null) return say(problem, { kind: "error" });
  const role = find("say").elements.role.value;
  chat.messages.push({ role, text: words.value });
  words.value = "";
  find("say").elements.role.value = "user";
  if (role === "user") route(chat.messages.length - 1);
  else draw();
  keepChat();
  words.focus();
}

if (find("chat") !== null) {
  chat = restored();
  editor = new TaskEditor(chat.tasks, keepChat);
  find("say").addEventListener("submit", send);
  find("words").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  });
  find("fresh").addEventListener("click", () => {
    chat = begin(editor.tasks);
    keepChat();
    draw();
    find("words").focus();
  });
  // A turn that was being asked about when the page was left is asked about again.
  chat.messages.forEach((message, index) => { if (message.waiting) route(index); });
  draw();
}

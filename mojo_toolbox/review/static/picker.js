// Choosing a label by typing a few letters: a dialog with a combobox over the task names and none.

import { make, named } from "./shell.js";

const NONE = "none";

/** Return how well typed letters fit a name: 0 best, null not at all. Beginnings of words go before what stands within. */
export function fit(typed, name, description = "") {
  const wanted = typed.toLowerCase().split(/[\s_\-/.]+/u).filter(Boolean);
  const words = name.toLowerCase();
  const starts = words.split(/[\s_\-/.]+/u);
  if (words.startsWith(typed.toLowerCase().trim())) return 0;
  if (wanted.every((part) => starts.some((word) => word.startsWith(part)))) return 1;
  if (wanted.every((part) => words.includes(part))) return 2;
  if (initials(typed.toLowerCase(), starts)) return 3;
  if (wanted.every((part) => `${words} ${description.toLowerCase()}`.includes(part))) return 4;
  return null;
}

/** Whether letters are the beginnings of words in order: "fue" fits follow_up_email. */
function initials(letters, words) {
  return letters.length > 1 && words.map((word) => word[0] ?? "").join("").startsWith(letters);
}

/** Return the choices that fit, the best first, in the list's order among equals. */
export function choices(typed, tasks) {
  const all = [{ value: null, name: NONE, description: "No listed task is wanted." },
    ...tasks.map(({ name, description }) => ({ value: name, name, description }))];
  return all.map((choice, place) => ({ ...choice, place, rank: fit(typed, choice.name, choice.description) }))
    .filter((choice) => choice.rank !== null)
    .sort((one, other) => one.rank - other.rank || one.place - other.place);
}

/** The dialog. `open()` returns a promise of {task, scope}, or of null when it was closed without a choice. */
export class Picker {
  #dialog = document.getElementById("picker");
  #input = document.getElementById("picker-input");
  #list = document.getElementById("picker-list");
  #quote = document.getElementById("picker-turn");
  #scopes = document.getElementById("picker-scopes");
  #title = document.getElementById("picker-title");
  #turn = "";
  #tasks = [];
  #shown = [];
  #at = 0;
  #now = undefined;
  #resolve = () => {};

  constructor() {
    this.#input.addEventListener("input", () => this.#filter());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option !== null) this.#choose(Number(option.dataset.place));
    });
    this.#dialog.addEventListener("close", () => this.#finish(null));
    document.getElementById("picker-cancel").addEventListener("click", () => this.#dialog.close());
    this.#scopes.addEventListener("change", () => this.#ask());
    // A click beside the dialog closes it, as Escape does.
    this.#dialog.addEventListener("click", (event) => { if (event.target === this.#dialog) this.#dialog.close(); });
  }

  /** Ask for the label of `turn`, which has `now` (undefined: none given); `scope` is turn, following or all. */
  open({ tasks, turn, text, now, scope = "turn" }) {
    this.#tasks = tasks;
    this.#turn = turn;
    this.#now = now;
    this.#quote.textContent = text;
    this.#input.value = "";
    this.#scopes.querySelector(`[value=${scope}]`).checked = true;
    this.#ask();
    this.#filter();
    this.#dialog.showModal();
    this.#input.focus();
    return new Promise((resolve) => { this.#resolve = resolve; });
  }

  #ask() {
    const where = { turn: `after ${this.#turn}`, following: `from ${this.#turn} on`, all: "in the whole conversation" };
    this.#title.textContent = `Which task is in charge ${where[this.#scopes.querySelector(":checked").value]}?`;
  }

  #filter() {
    this.#shown = choices(this.#input.value, this.#tasks);
    const current = this.#input.value === "" ? this.#shown.findIndex(({ value }) => value === this.#now) : 0;
    this.#list.replaceChildren(...this.#shown.map((choice, place) => this.#option(choice, place)));
    document.getElementById("picker-empty").hidden = this.#shown.length > 0;
    this.#move(Math.max(current, 0));
  }

  #option(choice, place) {
    const option = make("li", { id: `choice-${place}`, role: "option", "aria-selected": "false", "data-place": place },
      named(choice.name, { class: "choice-name" }));
    if (choice.description) option.append(make("span", { class: "choice-about", dir: "auto" }, choice.description));
    if (choice.value === this.#now) option.append(make("span", { class: "choice-now" }, "now"));
    return option;
  }

  #move(place) {
    this.#list.children[this.#at]?.setAttribute("aria-selected", "false");
    this.#at = place;
    const option = this.#list.children[place];
    if (option === undefined) {
      this.#input.removeAttribute("aria-activedescendant");
      return;
    }
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.#input.setAttribute("aria-activedescendant", option.id);
  }

  #key(event) {
    if (event.isComposing) return;
    const last = this.#shown.length - 1;
    const places = { ArrowDown: this.#at >= last ? 0 : this.#at + 1, ArrowUp: this.#at <= 0 ? last : this.#at - 1 };
    if (event.key in places) this.#move(places[event.key]);
    else if (event.key === "Enter") this.#choose(this.#at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #choose(place) {
    const choice = this.#shown[place];
    if (choice === undefined) return;
    this.#finish({ task: choice.value, scope: this.#scopes.querySelector(":checked").value });
    this.#dialog.close();
  }

  #finish(answer) {
    const resolve = this.#resolve;
    this.#resolve = () => {};
    resolve(answer);
  }
}

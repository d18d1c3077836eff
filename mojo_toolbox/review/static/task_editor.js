// Editing a task list while a chat goes on: a row for each task, or the whole list as JSON.

import { make, say } from "./shell.js";

const find = (id) => document.getElementById(id);

/** The list of tasks in the page; `changed()` is called after every change. */
export class TaskEditor {
  #list = find("tasks");
  #changed;

  constructor(tasks, changed) {
    this.#changed = changed;
    this.#draw(tasks);
    this.#list.addEventListener("input", () => this.#changed());
    find("add").addEventListener("click", () => this.#add());
    find("paste-open").addEventListener("click", () => this.#togglePaste());
    find("paste").addEventListener("submit", (event) => this.#paste(event));
  }

  /** The tasks as they stand, rows without a name left out. */
  get tasks() {
    return [...this.#list.children].map((row) => ({
      name: row.querySelector(".task-name").value.trim(), description: row.querySelector(".task-about").value.trim(),
    })).filter(({ name }) => name !== "");
  }

  /** Return what is wrong with the list, or null. */
  problem() {
    const names = this.tasks.map(({ name }) => name);
    const twice = names.find((name, place) => names.indexOf(name) !== place);
    if (names.length === 0) return "The router needs at least one task to choose from.";
    if (twice !== undefined) return `The task ${twice} is in the list twice.`;
    return names.some((name) => name.toLowerCase() === "none") ? "A task cannot be called none: that is the answer for no task." : null;
  }

  #draw(tasks) {
    this.#list.replaceChildren(...tasks.map((task) => this.#row(task)));
  }

  #row({ name, description }) {
    const remove = make("button", { type: "button", class: "quiet", "aria-label": name ? `Remove ${name}` : "Remove this task" }, "×");
    const row = make("li", {},
      make("input", { type: "text", class: "task-name", value: name, "aria-label": "Name", placeholder: "name", dir: "auto", spellcheck: false }),
      remove,
      make("textarea", { class: "task-about", value: description ?? "", "aria-label": "Description", placeholder: "what it is for", rows: 2, dir: "auto" }));
    remove.addEventListener("click", () => {
      const neighbour = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      (neighbour?.querySelector(".task-name") ?? find("add")).focus();
      this.#changed();
    });
    return row;
  }

  #add() {
    const row = this.#row({ name: "", description: "" });
    this.#list.append(row);
    row.querySelector(".task-name").focus();
  }

  #togglePaste() {
    const form = find("paste");
    form.hidden = !form.hidden;
    find("paste-open").setAttribute("aria-expanded", String(!form.hidden));
    if (form.hidden) return;
    find("paste-text").value = JSON.stringify(this.tasks, null, 1);
    find("paste-text").focus();
  }

  #paste(event) {
    event.preventDefault();
    try {
      const given = JSON.parse(find("paste-text").value);
      const tasks = Array.isArray(given) ? given : given.tasks;
      if (!Array.isArray(tasks) || !tasks.every((task) => typeof task?.name === "string")) throw new Error("a list of objects with a name is needed");
      this.#draw(tasks);
    } catch (error) {
      say(`This is no task list: ${error.message}`, { kind: "error" });
      return;
    }
    this.#togglePaste();
    find("paste-open").focus();
    this.#changed();
  }
}

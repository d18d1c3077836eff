// Actions on their way to the server: written down before they are sent, sent in order, and sent again until one is answered.

import { ask } from "./shell.js";

const PAUSES = [500, 1000, 2000, 4000];

/**
 * Actions survive a reload, a closed tab and a lost connection. Each has a key of its own by which the server knows it
 * again, so that sending twice does nothing twice; so two tabs that find the same leftovers do no harm either.
 */
export class Outbox {
  #prefix;
  #waiting = [];
  #sending = false;
  #added = 0;
  #database;
  #wake = () => {};
  #listeners;

  /** `listeners`: delivered(action, answer), refused(action, error), stuck(error, count), moving(). */
  constructor({ reviewer, database }, listeners) {
    this.#database = database;
    this.#prefix = `mojo-outbox:${database}:${reviewer.name}:`;
    this.#listeners = listeners;
    addEventListener("online", () => this.#wake());
  }

  /** How many actions the server has not confirmed yet. */
  get length() {
    return this.#waiting.length;
  }

  /** How many actions were ever added here. */
  get added() {
    return this.#added;
  }

  /** The ids of the items that actions on their way decide. */
  decided() {
    return new Set(this.#waiting.map(({ body }) => body.item).filter((item) => item !== undefined));
  }

  /** Take up what an earlier page could not deliver, and return how many actions that are. */
  recover() {
    const names = Object.keys(localStorage).filter((name) => name.startsWith(this.#prefix));
    for (const name of names) {
      const action = JSON.parse(localStorage.getItem(name));
      if (!this.#waiting.some((other) => other.body.key === action.body.key)) this.#waiting.push(action);
    }
    this.#waiting.sort((one, other) => one.at - other.at);
    this.#send();
    return names.length;
  }

  /** Write an action down and send it as soon as those before it have been answered. */
  add(path, body) {
    const action = { path, body: { ...body, database: this.#database }, at: Date.now() };
    try {
      localStorage.setItem(this.#prefix + body.key, JSON.stringify(action));
    } catch {
      // No room to write it down: it is sent all the same, and is lost only when the page goes before the answer comes.
    }
    this.#waiting.push(action);
    this.#added += 1;
    this.#send();
  }

  async #send() {
    if (this.#sending) return;
    this.#sending = true;
    let failures = 0;
    while (this.#waiting.length > 0) {
      const action = this.#waiting[0];
      try {
        const answer = await ask(action.path, action.body);
        failures = 0;
        this.#done(action);
        this.#listeners.delivered(action, answer);
      } catch (error) {
        if (error.refused && error.status !== 401) {
          this.#done(action);
          this.#listeners.refused(action, error);
          continue;
        }
        this.#listeners.stuck(error, this.#waiting.length);
        await this.#pause(PAUSES[Math.min(failures, PAUSES.length - 1)]);
        failures += 1;
        this.#listeners.moving();
      }
    }
    this.#sending = false;
  }

  #done(action) {
    this.#waiting.shift();
    localStorage.removeItem(this.#prefix + action.body.key);
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, milliseconds);
    });
  }
}

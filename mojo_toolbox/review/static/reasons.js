// Throwing a conversation out: a dialog that asks for the reason, which one key gives.

const find = (id) => document.getElementById(id);

/** The dialog. `open()` returns a promise of the reason, or of null when it was closed without one. */
export class Reasons {
  #dialog = find("throwing");
  #text = find("reason-text");
  #other = find("reason-other");
  #radios = [...document.querySelectorAll("#reasons input[type=radio]")];
  #resolve = () => {};

  constructor() {
    this.#dialog.addEventListener("submit", (event) => this.#submit(event));
    this.#dialog.addEventListener("keydown", (event) => this.#key(event));
    this.#dialog.addEventListener("close", () => this.#finish(null));
    this.#dialog.addEventListener("click", (event) => { if (event.target === this.#dialog) this.#dialog.close(); });
    this.#text.addEventListener("input", () => { this.#other.checked = true; });
    find("reason-cancel").addEventListener("click", () => this.#dialog.close());
  }

  /** Ask why; `before` is the reason that was given earlier and taken back. */
  open(before = "") {
    const known = this.#radios.find(({ value }) => value === before && value !== "");
    for (const radio of this.#radios) radio.checked = radio === known || (before !== "" && known === undefined && radio === this.#other);
    this.#text.value = known === undefined ? before : "";
    find("reason-missing").hidden = true;
    this.#dialog.showModal();
    (this.#radios.find(({ checked }) => checked) ?? this.#radios[0]).focus();
    return new Promise((resolve) => { this.#resolve = resolve; });
  }

  #key(event) {
    if (event.target === this.#text || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const radio = this.#radios[Number(event.key) - 1];
    if (radio === undefined) return;
    event.preventDefault();
    radio.checked = true;
    if (radio === this.#other) this.#text.focus();
    else this.#take();
  }

  #submit(event) {
    event.preventDefault();
    this.#take();
  }

  #take() {
    const chosen = this.#radios.find(({ checked }) => checked);
    const reason = chosen === this.#other ? this.#text.value.trim() : chosen?.value ?? "";
    if (reason === "") {
      find("reason-missing").hidden = false;
      (chosen === this.#other ? this.#text : this.#radios[0]).focus();
      return;
    }
    this.#finish(reason);
    this.#dialog.close();
  }

  #finish(reason) {
    const resolve = this.#resolve;
    this.#resolve = () => {};
    resolve(reason);
  }
}

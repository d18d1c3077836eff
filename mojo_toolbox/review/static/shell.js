// What every page has: the choice of looks, and a voice for what happens.

const LOOKS = ["auto", "light", "dark"];

/** Tell what happened: shown for a while, and read aloud by screen readers. */
export function say(text, { kind = "note" } = {}) {
  const place = document.getElementById(kind === "error" ? "alarm" : "voice");
  // The same words twice are news too: a screen reader only reads what changes.
  place.textContent = place.textContent === text ? `${text}\u00a0` : text;
  clearTimeout(place.hiding);
  place.hiding = setTimeout(() => { place.textContent = ""; }, kind === "error" ? 12000 : 8000);
}

/** Make an element with properties and children; texts stay texts, whatever they spell. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") element.className = value;
    else if (key.startsWith("aria-") || key.startsWith("data-") || key === "role" || key === "for") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Make an element for a name: it stays in one piece, or breaks behind its underscores where no line is long enough. */
export function named(text, properties = {}) {
  const parts = text.split(/(?<=[_/.-])(?![_/.-])/u);
  return make("bdi", { ...properties, class: `name ${properties.class ?? ""}`.trim() },
    ...parts.flatMap((part, place) => (place === 0 ? [part] : [document.createElement("wbr"), part])));
}

/** Return what the server put into the page. */
export function given(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

/**
 * Ask the server, with a document or a file as `body`. An answer that is no success throws; `refused` says that sending it
 * again would change nothing, `told` is all that was answered.
 */
export async function ask(path, body) {
  // A large file takes as long as it takes.
  const signal = body instanceof Blob ? undefined : AbortSignal.timeout(70000);
  const answer = await fetch(path, { ...sending(body), signal });
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  const error = new Error(told.error ?? `The server answered ${answer.status}.`);
  error.status = answer.status;
  error.told = told;
  error.refused = answer.status >= 400 && answer.status < 500 && answer.status !== 408 && answer.status !== 429;
  throw error;
}

function sending(body) {
  if (body === undefined) return {};
  const [type, content] = body instanceof Blob ? ["application/x-ndjson", body] : ["application/json", JSON.stringify(body)];
  return { method: "POST", headers: { "content-type": type }, body: content };
}

/** Return a name that is used once. crypto.randomUUID() is missing where a page is served without https. */
export function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return a duration in words, to the precision that matters. */
export function duration(seconds) {
  if (seconds < 90) return "about a minute";
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 360) / 10} hours`;
  return `${Math.round(seconds / 8640) / 10} days`;
}

function showLooks(button) {
  const chosen = document.documentElement.dataset.theme ?? "auto";
  button.textContent = `Colours: ${chosen}`;
}

const looks = document.getElementById("looks");
if (looks !== null) {
  showLooks(looks);
  looks.addEventListener("click", () => {
    const now = LOOKS[(LOOKS.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % LOOKS.length];
    if (now === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = now;
    localStorage.setItem("mojo-theme", now);
    showLooks(looks);
  });
}

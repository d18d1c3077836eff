// Shortcuts of one key: silent while somebody types, while a key is held down, and when they are switched off.

const OFF = "mojo-shortcuts-off";

/** Whether an element takes text, so that letters belong to it. */
function takesText(element) {
  return element.closest("input, textarea, select, [contenteditable]") !== null;
}

/** Return the key's name: letters by what they spell or, on keyboards without Latin letters, by where they are. */
export function nameOf(event) {
  const letter = /^[a-z]$/iu.test(event.key) ? event.key.toLowerCase() : /^Key[A-Z]$/u.exec(event.code) ? event.code[3].toLowerCase() : null;
  const name = letter ?? event.key;
  return event.shiftKey && letter !== null ? `Shift+${name}` : name;
}

/** Whether shortcuts are on: who speaks to the computer or is easily slipped up by single keys can switch them off. */
export function shortcutsOn() {
  return localStorage.getItem(OFF) === null;
}

/** Switch shortcuts on or off, for this browser. */
export function setShortcuts(on) {
  if (on) localStorage.removeItem(OFF);
  else localStorage.setItem(OFF, "yes");
}

/** Call the action of a key; `blocked()` says when none may run, such as behind an open dialog. */
export function listen(actions, blocked) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.repeat || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (!(event.target instanceof Element)) return;
    if (takesText(event.target)) {
      if (event.key === "Escape") document.getElementById("heading").focus();
      return;
    }
    if (blocked() || !shortcutsOn()) return;
    const name = nameOf(event);
    // A button or link that has the focus is what Enter is for.
    if (name === "Enter" && event.target.closest("button, a, summary") !== null) return;
    const action = actions[name];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
}

/** What the page tells: errors, why it takes longer, and what has changed; and the question for the token. */

import { Trouble } from "./api.js";
import { byId } from "./elements.js";

let retry = null;
let troubled = null; // whose trouble is shown
let spoken = { at: 0, passing: false }; // when the last text was told

byId("again").addEventListener("click", () => {
  const again = retry;
  clearTrouble();
  again?.();
});

/** Say why something of an `owner` did not work; `again()` does it once more, where that may help. */
export function showTrouble(error, again = null, owner = null) {
  if (error.name === "AbortError") return;
  troubled = owner;
  if (!(error instanceof Trouble)) console.error(error);
  retry = error.again ? again : null;
  tell(error instanceof Trouble ? error.message : "Something in this page went wrong: load it again.", "trouble");
}

/** Take back what was said, but not of another owner. */
export function clearTrouble(owner = null) {
  if (owner && troubled && owner !== troubled) return;
  retry = troubled = null;
  tell("", "");
}

/** Say why it takes longer; "" when it goes on. */
export const showWaiting = (text) => tell(text, "waiting");

/**
 * Tell what has changed to those who cannot see it: the texts of one moment together. `passing`: only until the next
 * text, such as what is being done.
 */
export function say(text, { passing = false } = {}) {
  const status = byId("status");
  const together = Date.now() - spoken.at < 500 && !spoken.passing && status.textContent;
  status.textContent = together ? `${status.textContent} ${text}` : text;
  spoken = { at: Date.now(), passing };
}

/** Ask for the token; resolves to what a person types. `wrong`: whether one was refused. */
export function askToken(wrong) {
  const dialog = byId("token-dialog");
  byId("token-wrong").textContent = wrong ? "The server did not accept that token." : "";
  byId("token").value = "";
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    dialog.oncancel = (event) => event.preventDefault(); // without a token the page can do nothing
    dialog.onclose = () => (byId("token").value ? resolve(byId("token").value) : dialog.showModal());
  });
}

function tell(text, kind) {
  byId("alert-text").textContent = text;
  byId("alert").className = text ? kind : "";
  byId("again").hidden = !text || !retry;
}

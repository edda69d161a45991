/** The words with what was found of each: a switch that shows it, its area, and how sure it is that it is there. */

import { element, percent, sentence } from "./elements.js";

const NO_MAPS = "This model gives no score maps, so the threshold cannot be moved live.";

/**
 * Draw the rows of a side. `hidden`: keys of words that are not shown; `toggled(key)`, and `looked(key)`, which
 * is called with null when a person no longer points at a word.
 */
export function drawLegend(place, side, { colourOf, hidden, toggled, looked }) {
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  place.replaceChildren();
  if (!side.answer) return;
  const rows = side.found.map((found) => row(found, { colourOf, hidden, toggled, looked }));
  const columns = ["Word", "Area", "Is it there?"].map((name) => element("th", { scope: "col" }, name));
  const head = element("tr", {}, ...columns);
  const caption = element("caption", { className: "unseen" }, "What was found; press a word to hide it");
  place.append(element("table", {}, caption, element("thead", {}, head), element("tbody", {}, ...rows)));
  const notes = side.answer.notes.map((note) => element("li", {}, sentence(note)));
  if (notes.length) place.append(element("ul", { className: "notes", "aria-label": "Notes" }, ...notes));
  if (!side.maps) place.append(element("p", { className: "soft" }, NO_MAPS));
  if (focused !== null) place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

/** What was found, in one sentence for those who hear the page. */
export function spokenSummary(side) {
  const present = side.found.filter(({ fraction }) => fraction);
  const seen = present.map(({ label, fraction }) => `${label} ${percent(fraction)}`);
  const missing = side.found.filter(({ fraction }) => !fraction).map(({ label }) => label);
  const parts = [seen.length ? `Found: ${seen.join(", ")}.` : "Nothing found."];
  if (missing.length) parts.push(`Not found: ${missing.join(", ")}.`);
  return parts.join(" ");
}

function row(found, { colourOf, hidden, toggled, looked }) {
  const swatch = element("span", { className: "swatch", "aria-hidden": "true" });
  swatch.style.background = colourOf(found.key);
  const pressed = String(!hidden.has(found.key));
  const button = element("button", { type: "button", className: "toggle", "aria-pressed": pressed }, swatch,
    element("span", { className: "word" }, found.label));
  button.dataset.key = found.key;
  button.disabled = !found.fraction;
  button.addEventListener("click", () => toggled(found.key));
  const name = element("th", { scope: "row" }, button);
  const reason = reasonOf(found);
  if (reason) name.append(element("small", {}, reason));
  const made = element("tr", { className: found.fraction ? "" : "missing" }, name,
    element("td", { className: "number" }, found.fraction ? percent(found.fraction) : "–"),
    element("td", {}, surety(found)));
  const key = found.fraction ? found.key : null;
  for (const event of ["pointerenter", "focusin"]) made.addEventListener(event, () => looked(key));
  for (const event of ["pointerleave", "focusout"]) made.addEventListener(event, () => looked(null));
  return made;
}

function reasonOf({ absent, fraction, presence }) {
  if (absent) return "probably not there";
  if (fraction && presence !== null && presence < 0.5) return "unsure; large areas need less to be kept";
  return fraction ? "" : "nowhere the best word";
}

function surety({ label, presence }) {
  if (presence === null) return "";
  const bar = element("span", { className: "bar" });
  bar.style.width = `${100 * presence}%`;
  const meter = element("span", { className: "meter", role: "meter",
    "aria-label": `How sure it is that ${label} is there`,
    "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(Math.round(100 * presence)) }, bar);
  return element("span", { className: "surety" }, meter, element("span", { className: "number" }, percent(presence)));
}

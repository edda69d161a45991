/** The words with what was found of each: a switch that shows it, its area, and how sure it is that it is there. */

import { element, percent, sentence } from "./elements.js";

/**
 * Draw the rows of a side. `hidden`: keys of words that are not shown; `toggled(key)`, and `looked(key)`, which
 * is called with null when a person no longer points at a word.
 */
export function drawLegend(place, side, { colourOf, hidden, toggled, looked }) {
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  place.replaceChildren();
  if (!side.answer) return;
  const rows = side.found.map((found) => row(found, { colourOf, hidden, toggled, looked }));
  const head = element("tr", {}, ...["Word", "Area", "Is it there?"].map((name) => element("th", { scope: "col" }, name)));
  const caption = element("caption", { className: "unseen" }, "What was found; press a word to hide it");
  place.append(element("table", {}, caption, element("thead", {}, head), element("tbody", {}, ...rows)));
  const notes = side.answer.notes.map((note) => element("li", {}, sentence(note)));
  if (notes.length) place.append(element("ul", { className: "notes", "aria-label": "Notes" }, ...notes));
  if (!side.maps) place.append(element("p", { className: "soft" }, "This model gives no score maps, so the threshold cannot be moved live."));
  if (focused !== null) place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

/** What was found, in one sentence for those who hear the page. */
export function spokenSummary(side) {
  const seen = side.found.filter((found) => found.fraction > 0).map((found) => `${found.label} ${percent(found.fraction)}`);
  const missing = side.found.filter((found) => !found.fraction).map((found) => found.label);
  const parts = [seen.length ? `Found: ${seen.join(", ")}.` : "Nothing found."];
  if (missing.length) parts.push(`Not found: ${missing.join(", ")}.`);
  return parts.join(" ");
}

function row(found, { colourOf, hidden, toggled, looked }) {
  const swatch = element("span", { className: "swatch", "aria-hidden": "true" });
  swatch.style.background = colourOf(found.key);
  const button = element("button", { type: "button", className: "toggle", "aria-pressed": String(!hidden.has(found.key)) },
    swatch, element("span", { className: "word" }, found.label));
  button.dataset.key = found.key;
  button.disabled = !found.fraction;
  button.addEventListener("click", () => toggled(found.key));
  const name = element("th", { scope: "row" }, button);
  const reason = reasonOf(found);
  if (reason) name.append(element("small", {}, reason));
  const made = element("tr", { className: found.fraction ? "" : "missing" }, name,
    element("td", { className: "number" }, found.fraction ? percent(found.fraction) : "–"),
    element("td", {}, surety(found)));
  for (const [event, key] of [["pointerenter", found.key], ["pointerleave", null], ["focusin", found.key], ["focusout", null]]) {
    made.addEventListener(event, () => looked(found.fraction ? key : null));
  }
  return made;
}

function reasonOf({ absent, fraction }) {
  if (absent) return "probably not there";
  return fraction ? "" : "nowhere the best word";
}

function surety({ label, presence }) {
  if (presence === null) return "";
  const bar = element("span", { className: "bar" });
  bar.style.width = `${100 * presence}%`;
  const meter = element("span", { className: "meter", role: "meter", "aria-label": `How sure it is that ${label} is there`,
    "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(Math.round(100 * presence)) }, bar);
  return element("span", { className: "surety" }, meter, element("span", { className: "number" }, percent(presence)));
}

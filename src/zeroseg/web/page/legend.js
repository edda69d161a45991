/** The words with what was found of each: a switch that shows it, its area, how sure it is that it is there. */

import { element, percent, sentence } from "./elements.js";

const NO_MAPS = "This model gives no score maps, so the threshold cannot be moved live.";
const COLUMNS = ["Word", "Area", "Is it there?"];

/**
 * Draw the rows of a side: of words that were just typed before there is an answer. `hidden`: keys of words that are
 * not shown; `toggled(key)`, and `looked(key)`, which is called with null when a person no longer points at a word.
 */
export function drawLegend(place, side, { colourOf, hidden, toggled, looked }) {
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.of : null;
  place.replaceChildren();
  if (!side.rows.length) return;
  const made = side.rows.map((found) => row(found, { colourOf, hidden, toggled, looked, side }));
  const columns = COLUMNS.map((name) => element("th", { scope: "col" }, name));
  columns.push(element("td"));
  const head = element("thead", {}, element("tr", {}, ...columns));
  const caption = element("caption", { className: "unseen" }, "The words, and what was found; press one to hide it");
  place.append(element("table", {}, caption, head, element("tbody", {}, ...made)));
  if (side.answer) place.append(...notes(side));
  if (focused) place.querySelector(`[data-of="${CSS.escape(focused)}"]`)?.focus();
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

function row(found, { colourOf, hidden, toggled, looked, side }) {
  const { key, label, fraction, pending } = found;
  const name = element("div", {}, toggle(found, colourOf(key), !hidden.has(key), () => toggled(key)));
  const [others, reason] = [found.others.join(", "), reasonOf(found)];
  if (reason) name.append(element("small", {}, reason));
  if (others) name.append(element("small", { className: "others" }, `or ${others}`));
  const remove = element("button", { type: "button", className: "remove", "aria-label": `Remove ${label}` }, "×");
  remove.dataset.of = `remove ${key}`;
  remove.addEventListener("click", () => side.field.remove(key));
  const missing = !pending && !fraction;
  const made = element("tr", { className: pending ? "pending" : missing ? "missing" : "" },
    element("th", { scope: "row", colSpan: missing ? 2 : 1 }, name));
  if (!missing) made.append(element("td", { className: "number" }, pending ? "…" : percent(fraction)));
  made.append(element("td", { className: "there" }, pending ? "…" : surety(found)), element("td", {}, remove));
  for (const event of ["pointerenter", "focusin"]) made.addEventListener(event, () => looked(fraction ? key : null));
  for (const event of ["pointerleave", "focusout"]) made.addEventListener(event, () => looked(null));
  return made;
}

function toggle({ key, label, fraction }, colour, shown, pressed) {
  const swatch = element("span", { className: "swatch", "aria-hidden": "true" });
  swatch.style.background = colour;
  const made = element("button", { type: "button", className: "toggle", "aria-pressed": String(shown) }, swatch,
    element("span", { className: "word" }, label), element("span", { className: "eye", "aria-hidden": "true" }));
  Object.assign(made.dataset, { key, of: key });
  made.disabled = !fraction;
  if (fraction) made.title = shown ? `Hide ${label}` : `Show ${label}`;
  made.addEventListener("click", pressed);
  return made;
}

function reasonOf({ absent, fraction, presence, pending }) {
  if (pending) return "";
  if (absent) return "probably not there";
  if (fraction && presence !== null && presence < 0.5) return "unsure";
  return fraction ? "" : "nowhere the best";
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

function notes(side) {
  const said = side.answer.notes.map((note) => element("li", {}, sentence(note)));
  const list = said.length ? [element("ul", { className: "notes", "aria-label": "Notes" }, ...said)] : [];
  return side.maps ? list : [...list, element("p", { className: "soft" }, NO_MAPS)];
}

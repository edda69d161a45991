/** The background threshold: by how much a person has moved it from what each model brings. */

import { byId } from "./elements.js";

const REST = 300; // milliseconds without a movement, after which the server is asked
const REACH = 40; // how far it can be moved to either side, cosine x 100; further where a photo needs it
const MOST = 190;

export class Threshold {
  #range = byId("margin");
  #sides = [];
  #timer = 0;
  shift = 0; // from each model's own margin

  /** `moved()` is called with every movement, `rested()` when it has ended. */
  constructor(moved, rested) {
    this.#range.addEventListener("input", () => this.#move(Number(this.#range.value), moved, rested));
    byId("margin-reset").addEventListener("click", () => {
      this.#move(0, moved, rested);
      this.#range.focus();
    });
    this.#widen(REACH);
  }

  /** Be that of these sides; models without a margin have nothing to move. */
  offer(sides) {
    this.#sides = sides;
    const others = sides.filter(({ model }) => model.margin === null);
    this.#range.disabled = others.length === sides.length;
    const reasons = others.map(({ letter, model }) => `This model${sides.length > 1 ? `, ${letter},` : ""} has another `
      + `rule for the background: ${model.background}.`);
    byId("margin-reason").hidden = !others.length;
    byId("margin-reason").textContent = reasons.join(" ");
    this.#show();
  }

  /** Let the range go as far as something changes in what was found. It never gets smaller. */
  fit(side) {
    if (side.leads) this.#widen(Math.max(...side.leads.map((lead) => Math.abs(lead - side.model.margin) + 1)));
    this.#show();
  }

  #widen(reach) {
    const most = Math.min(MOST, Math.max(Number(this.#range.max), Math.ceil(reach)));
    [this.#range.min, this.#range.max] = [-most, most];
  }

  #move(shift, moved, rested) {
    this.shift = shift;
    this.#show();
    moved();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(rested, REST);
  }

  #show() {
    const changed = `${this.shift > 0 ? "+" : ""}${number(this.shift)}`;
    this.#range.value = this.shift;
    byId("margin-value").value = this.shift ? changed : "own";
    byId("margin-reset").hidden = !this.shift;
    this.#range.setAttribute("aria-valuetext", this.shift ? `${changed} points` : "the model’s own");
    const moved = this.#sides.filter(({ model }) => model.margin !== null);
    byId("margin-hint").hidden = !moved.length;
    byId("margin-hint").textContent = moved.length ? this.#sentence(moved) : "";
  }

  /** What the threshold is, for each side. */
  #sentence(sides) {
    const margins = sides.map(({ model }) => number(model.margin + this.shift));
    const same = new Set(margins).size === 1;
    const named = same ? margins[0] : margins.map((margin, n) => `${margin} in ${sides[n].letter}`).join(", ");
    const own = sides.length > 1 ? "each model’s own" : "the model’s own";
    const what = "Points of similarity by which a word must lead the background";
    return `${what}: ${named}${this.shift ? "" : `, ${own}`}.`;
  }
}

const number = (value) => value.toLocaleString("en", { maximumFractionDigits: 2 }).replace("-", "−");

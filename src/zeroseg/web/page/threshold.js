/** The background threshold: what a model brings, and how much a person has moved it. */

import { byId } from "./elements.js";

const REST = 300; // milliseconds without a movement, after which the server is asked
const REACH = 10; // the least that it can be moved, cosine x 100
const MOST = 190;

export class Threshold {
  #range = byId("margin");
  #own = 0;
  #timer = 0;
  shift = 0; // from the model's own margin

  /** `moved()` is called with every movement, `rested()` when it has ended. */
  constructor(moved, rested) {
    this.#range.addEventListener("input", () => this.#move(Number(this.#range.value) - this.#own, moved, rested));
    byId("margin-reset").addEventListener("click", () => {
      this.#move(0, moved, rested);
      this.#range.focus();
    });
  }

  /** Begin with a model: its own margin; models without one have nothing to move. */
  offer(model) {
    clearTimeout(this.#timer);
    [this.#own, this.shift] = [model.margin ?? 0, 0];
    this.#range.disabled = model.margin === null;
    byId("margin-reason").hidden = model.margin !== null;
    byId("margin-reason").textContent = `This model has another rule for the background: ${model.background}.`;
    this.forget();
  }

  /** For a new photo: the least range. */
  forget() {
    this.#bounds(-REACH, REACH);
    this.#show();
  }

  /** Let the range go from no background at all to nothing but background, for what was found. */
  fit(side) {
    if (!side.leads) return;
    const [least, most] = side.leads.map((lead) => lead - this.#own);
    this.#bounds(Math.min(-REACH, least - 1), Math.max(REACH, most + 1));
    this.#show();
  }

  #bounds(least, most) {
    const [low, high] = [Math.min(least, this.shift), Math.max(most, this.shift)];
    this.#range.min = this.#own + Math.max(-MOST, Math.floor(low)); // whole steps from the model's own
    this.#range.max = this.#own + Math.min(MOST, Math.ceil(high));
  }

  #move(shift, moved, rested) {
    this.shift = Math.round(1e3 * shift) / 1e3;
    this.#show();
    moved();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(rested, REST);
  }

  #show() {
    const value = this.#own + this.shift;
    this.#range.value = value;
    const text = value.toLocaleString("en", { maximumFractionDigits: 2 }).replace("-", "−");
    byId("margin-value").value = this.shift ? text : `${text}, the model’s own`;
    byId("margin-reset").hidden = !this.shift;
    this.#range.setAttribute("aria-valuetext", byId("margin-value").value);
  }
}

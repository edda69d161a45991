/** The line between two sides: the left of the picture shows A, the right B. */

import { byId } from "./elements.js";

export class Divider {
  #view = byId("view");
  #range = byId("split");
  #line = byId("divider");
  on = false;

  constructor() {
    this.#range.addEventListener("input", () => this.#show());
    this.#line.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      event.stopPropagation();
      this.#line.setPointerCapture(event.pointerId);
    });
    this.#line.addEventListener("pointermove", (event) => {
      if (!this.#line.hasPointerCapture(event.pointerId)) return;
      const box = this.#view.getBoundingClientRect();
      this.#range.value = (100 * (event.clientX - box.left)) / box.width;
      this.#show();
    });
    this.toggle(false);
  }

  /** Show one side or two. */
  toggle(on) {
    this.on = on;
    for (const id of ["divider", "side-names", "split-field"]) byId(id).hidden = !on;
    this.#view.classList.toggle("compared", on);
    this.#show();
  }

  /** Where the line is, a fraction of the picture's width. */
  get split() {
    return Number(this.#range.value) / 100;
  }

  /** The side, 0 or 1, that is seen at a place, a fraction of the picture's width. */
  sideAt(fraction) {
    return this.on && fraction > this.split ? 1 : 0;
  }

  #show() {
    this.#view.style.setProperty("--split", `${this.#range.value}%`);
    this.#range.setAttribute("aria-valuetext", `A ${this.#range.value} %, B ${100 - this.#range.value} % of the width`);
  }
}

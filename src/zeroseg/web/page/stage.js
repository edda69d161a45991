/** The photo with its masks, and a cursor for pointer and keyboard that reads what is there. */

import { byId, element, percent } from "./elements.js";
import { drawDivider, namePlaces, paint, writeNames } from "./paint.js";

const STEPS = 40; // of the keyboard's cursor across the picture
const [LETTERS, LEAST, SHARE] = [15, 10, 0.04]; // height of names, pixels of the screen; less on small pictures
const BESIDE = 14; // pixels of the screen between cursor and text
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Stage {
  #view = byId("view");
  #photo = null;
  #cursor = null; // a pixel of the photo itself
  #drawn = [null, null];

  /** `pointAt(x, y)`: what is at a pixel of the photo, see `Side.point`. */
  constructor(pointAt) {
    this.pointAt = pointAt;
    this.#view.addEventListener("pointermove", (event) => event.pointerType === "mouse" && this.#toPointer(event));
    this.#view.addEventListener("pointerdown", (event) => this.#toPointer(event));
    this.#view.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.#hideCursor());
    this.#view.addEventListener("keydown", (event) => this.#key(event));
    this.#view.addEventListener("blur", () => this.#hideCursor());
    new ResizeObserver(() => [0, 1].forEach((side) => this.#writeNames(side))).observe(this.#view);
  }

  /** Show a photo without masks. `alt`: what is on it. */
  show(photo) {
    this.#photo = photo;
    this.#hideCursor();
    const canvas = this.#view.querySelector(".photo");
    [canvas.width, canvas.height] = photo.size;
    const context = canvas.getContext("2d");
    context.fillStyle = "#888";
    context.fillRect(0, 0, ...photo.size);
    if (photo.drawing) context.drawImage(photo.drawing, 0, 0, ...photo.size);
    this.#view.style.setProperty("--ratio", photo.size[0] / photo.size[1]);
    [0, 1].forEach((side) => this.clear(side));
  }

  /** Remove the masks of a side. */
  clear(side) {
    this.#drawn[side] = null;
    for (const canvas of this.#canvases(side)) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  }

  /** Draw the masks of a side. `drawn`: {labels, tints, nameOf, named}, see `paint` and `writeNames`. */
  draw(side, drawn) {
    paint(this.#canvases(side)[0], drawn.labels, drawn.tints);
    this.#drawn[side] = { ...drawn, places: drawn.named ? namePlaces(drawn.labels, drawn.tints) : [] };
    this.#writeNames(side);
    if (this.#cursor) this.#read(false);
  }

  /** Photo and masks as a PNG, at the size at which they are drawn: of a side, or of both, the first up to `split`. */
  picture(sides, split) {
    const canvas = element("canvas");
    const [width, height] = ([canvas.width, canvas.height] = this.#photo.size);
    const context = canvas.getContext("2d");
    context.drawImage(this.#view.querySelector(".photo"), 0, 0);
    const line = Math.round(split * width);
    const parts = sides.length > 1 ? [[0, line], [line, width]] : [[0, width]];
    parts.forEach(([left, right], n) => {
      context.save();
      context.beginPath();
      context.rect(left, 0, right - left, height);
      context.clip();
      context.drawImage(this.#canvases(sides[n])[0], 0, 0, width, height);
      const { places = [], nameOf } = this.#drawn[sides[n]] ?? {};
      writeNames(context, places, nameOf, Math.max(14, Math.max(width, height) / 50));
      context.restore();
    });
    if (parts.length > 1) drawDivider(context, line);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  #canvases(side) {
    return [...this.#view.querySelectorAll(`canvas[data-side="${side}"]`)];
  }

  #writeNames(side) {
    const canvas = this.#canvases(side)[1];
    const scale = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [this.#view.clientWidth * scale, this.#view.clientHeight * scale];
    const drawn = this.#drawn[side];
    const letters = Math.min(LETTERS, Math.max(LEAST, SHARE * this.#view.clientWidth));
    if (drawn) writeNames(canvas.getContext("2d"), drawn.places, drawn.nameOf, letters * scale);
  }

  #toPointer(event) {
    if (!this.#photo) return;
    const box = this.#view.getBoundingClientRect();
    const [across, down] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    this.#move(across * this.#photo.width, down * this.#photo.height, false);
  }

  #key(event) {
    if (event.key === "Escape") this.#hideCursor();
    const arrow = ARROWS[event.key];
    if (!arrow || !this.#photo || event.target !== this.#view) return;
    event.preventDefault();
    const { width, height } = this.#photo;
    const step = event.shiftKey ? 1 : Math.max(1, Math.max(width, height) / STEPS);
    const [x, y] = this.#cursor ?? [width / 2, height / 2];
    this.#move(x + step * arrow[0], y + step * arrow[1], true);
  }

  #move(x, y, aloud) {
    const { width, height } = this.#photo;
    this.#cursor = [Math.min(Math.max(Math.floor(x), 0), width - 1), Math.min(Math.max(Math.floor(y), 0), height - 1)];
    this.#read(aloud);
  }

  /** Show what is at the cursor; `aloud`: also to those who hear the page. */
  #read(aloud) {
    const [x, y] = this.#cursor;
    const { width, height } = this.#photo;
    const found = this.pointAt(x, y);
    const [cross, readout] = [byId("cross"), byId("readout")];
    cross.hidden = readout.hidden = !found;
    if (!found) return;
    const next = found.next ? `, or ${found.next.label} ${percent(found.next.score)}` : "";
    readout.replaceChildren(element("b", {}, `${found.label} ${percent(found.score)}`), next);
    const { clientWidth, clientHeight } = this.#view;
    const [left, top] = [((x + 0.5) / width) * clientWidth, ((y + 0.5) / height) * clientHeight];
    const below = top + BESIDE + readout.offsetHeight < clientHeight;
    place(cross, left, top);
    place(readout, Math.max(0, Math.min(left + BESIDE, clientWidth - readout.offsetWidth)),
      below ? top + BESIDE : top - BESIDE - readout.offsetHeight);
    if (aloud) byId("spoken").textContent = `${found.label} ${percent(found.score)}${next}`;
  }

  #hideCursor() {
    this.#cursor = null;
    byId("cross").hidden = byId("readout").hidden = true;
  }
}

function place(mark, left, top) {
  [mark.style.left, mark.style.top] = [`${left}px`, `${top}px`];
}

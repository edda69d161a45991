/** Colours that are easy to distinguish: those of `zeroseg.drawing.palettes.overlay_palette(64)`; a test compares. */

// prettier-ignore
export const COLOURS = [
  "#4488ee", "#ccdd00", "#bb1100", "#008800", "#ffaadd", "#22ddee", "#9933aa", "#cc8822",
  "#ee5588", "#55bb66", "#cc77ff", "#007788", "#886600", "#ffbb77", "#99aaee", "#00aabb",
  "#33ee99", "#4455cc", "#aa77aa", "#ff8877", "#995566", "#ee5522", "#aacc88", "#bb0066",
  "#8866dd", "#ff77cc", "#449966", "#00bbff", "#cc44aa", "#aaaa00", "#bb5500", "#88cc00",
  "#cc7777", "#775599", "#888800", "#cc4455", "#447744", "#ddbb22", "#ff9900", "#00aa22",
  "#ccbbff", "#9988ee", "#3377bb", "#cc99cc", "#55ccaa", "#7744cc", "#88ccff", "#ccaa66",
  "#dd99ff", "#aa7744", "#aa4488", "#6699cc", "#bb66cc", "#7777bb", "#ff7711", "#999955",
  "#55eecc", "#ee88aa", "#ffaaaa", "#5566ee", "#99dd66", "#228877", "#995533", "#77aa00",
];

/** Red, green and blue, 0..255. */
export const levels = (colour) => [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));

/** Gives each word a colour that it keeps while it is in use, also in the other vocabulary. */
export class Colours {
  #places = new Map();

  /** The colour of a word, by its key (`wordKey`). */
  of(key) {
    if (!this.#places.has(key)) {
      const taken = new Set(this.#places.values());
      let place = 0;
      while (taken.has(place)) place += 1;
      this.#places.set(key, place);
    }
    return COLOURS[this.#places.get(key) % COLOURS.length];
  }

  /** Free the colours of all words but these. */
  keepOnly(keys) {
    const used = new Set(keys);
    for (const key of this.#places.keys()) if (!used.has(key)) this.#places.delete(key);
  }
}

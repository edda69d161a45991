/** One vocabulary and one model: what the server has answered for them, and what follows from it. */

import { Mask } from "./mask.js";
import { at, labelMap, leads, probabilities, unpacked } from "./scores.js";
import { wordKey } from "./words.js";

const SWIFT = 800; // pixels of the longer side of a preview

export class Side {
  model = null; // of GET /v1/models
  answer = null;
  #preview = null; // probabilities for a margin that the server has not yet seen
  #drawn = null; // the labels at the size at which they were drawn last

  constructor(number, field) {
    Object.assign(this, { number, field });
  }

  /** A, or B. */
  get letter() {
    return "AB"[this.number];
  }

  /** The margin that a change of the threshold means for this model; undefined for the model's own. */
  margin(shift) {
    return shift && this.model.margin !== null ? this.model.margin + shift : undefined;
  }

  /** What to ask the server. */
  question(shift, absent) {
    const labels = this.field.entries.map(({ label, others }) => (others.length ? { label, others } : label));
    return { labels, absent, margin: this.margin(shift) };
  }

  /** Forget the answer: there is no photo, or there are no words. */
  clear() {
    this.answer = null;
  }

  /** Take an answer of POST /v1/name. */
  take(answer) {
    this.answer = answer;
    this.mask = new Mask(answer.mask.runs, answer.mask.width, answer.mask.height);
    this.maps = answer.maps && unpacked(answer.maps);
    this.likely = this.maps && probabilities(this.maps, this.maps.margin);
    this.#preview = this.#drawn = null;
  }

  /** Show another margin at once, from the maps. */
  preview(shift) {
    if (!this.maps) return;
    this.#preview = probabilities(this.maps, this.model.margin + shift);
    this.#drawn = null;
  }

  /** By how much labels lead the background: the least and the most; null without maps. */
  get leads() {
    return this.answer && this.maps ? leads(this.maps) : null;
  }

  /** The labels that are not the background: {key, index, label, fraction, ..}. */
  get found() {
    if (!this.answer) return [];
    const labels = this.answer.has_background ? this.answer.labels.slice(1) : this.answer.labels;
    return labels.map((found) => ({ ...found, key: wordKey(found.label) }));
  }

  /** The words as they are now, each with what was found of it; `pending` are those without an answer. */
  get rows() {
    const found = new Map(this.found.map((one) => [one.key, one]));
    return this.field.entries.map((entry) => ({ fraction: 0, presence: null, pending: !found.has(entry.key),
      ...found.get(entry.key), ...entry }));
  }

  /** The labels of a picture of this size; of a smaller one while the threshold moves. */
  labels(width, height) {
    const smaller = this.#preview ? Math.min(1, SWIFT / Math.max(width, height)) : 1;
    const size = [width, height].map((side) => Math.max(1, Math.round(side * smaller)));
    if (String(this.#drawn?.size) !== String(size)) {
      this.#drawn = { size, labels: this.#preview ? labelMap(this.#preview, ...size) : this.mask.sampled(...size) };
    }
    return { labels: this.#drawn.labels, width: size[0], height: size[1] };
  }

  /** What is at a pixel: the label's name, its probability there, and the next best; null without an answer. */
  point(x, y) {
    if (!this.answer) return null;
    const { width, height, labels } = this.answer;
    const likely = this.#preview ?? this.likely;
    const all = likely ? at(likely, x, y, width, height) : [];
    const order = all.map((_, k) => k).sort((k, other) => all[other] - all[k]);
    const label = this.#preview ? likely.labels[order[0]] : this.mask.at((x + 0.5) / width, (y + 0.5) / height);
    const place = likely ? likely.labels.indexOf(label) : -1;
    const next = order.find((k) => k !== place && all[k] >= 0.005);
    return {
      label: labels[label].label,
      score: place >= 0 ? all[place] : labels[label].score,
      next: next === undefined ? null : { label: labels[likely.labels[next]].label, score: all[next] },
    };
  }
}

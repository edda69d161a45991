/** Runs the model beside the page, so that the page answers while it computes. One question after the other. */

import { Model } from "./model.js";

let [model, encoded, last] = [null, null, Promise.resolve()];

const answers = {
  async load(folder) {
    model = await Model.load(folder);
    return model.config.precision;
  },
  async pixels(pixels) {
    encoded = await model.encode(pixels);
    return [encoded.grid.width, encoded.grid.height];
  },
  entries: (entries) => model.name(encoded, entries),
  tokens: (texts) => Array.from(model.tokenizer.encode(texts).values, Number), // for tests
  readings: (labels) => labels.map((label) => model.known.reading(label)),
};

self.addEventListener("message", ({ data: { number, ...question } }) => {
  const [[kind, value]] = Object.entries(question);
  last = last.then(() => answers[kind](value)).then(
    (answer) => self.postMessage({ number, answer }),
    (error) => self.postMessage({ number, error: String(error.message ?? error) }),
  );
});

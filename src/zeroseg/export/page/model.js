/** An exported model in the browser: photos and words in, labels of pixels out, as `zeroseg.Segmenter` finds them. */

import { bytes, fault, made } from "./files.js";
import { KnownWords } from "./known.js";
import { mapsOf, rowsOf, standing } from "./naming.js";
import { refined, withoutSmall } from "./refine.js";
import { planes, resized, workingSize } from "./resize.js";
import { labelMap, probabilities } from "./scores.js";
import { Tokenizer } from "./tokenizer.js";

const TEMPLATES = ["a photo of a {}", "a picture of a {}", "{}"]; // zeroseg.vocabulary.TEMPLATES
const REFINED_SIDE = 224; // zeroseg.segmenter.REFINED_SIDE
const PREVIEW = 8; // pixels a cell, where the labels that win somewhere are looked for

const HERE = import.meta.url;
const RUNTIME = ["runtime/ort.wasm.min.mjs", "runtime/ort-wasm-simd-threaded.mjs"]; // zeroseg.export.web_page.RUNTIME
const WASM = "runtime/ort-wasm-simd-threaded.wasm";
const decoded = (content) => new TextDecoder().decode(content);
let ort = null; // the runtime, once it is loaded

/** Load the runtime; its WebAssembly. */
async function runtime() {
  const modules = [];
  for (const name of RUNTIME) {
    await bytes(HERE, name);
    const module = await made(name, () => import(new URL(name, HERE).href), "is damaged, or is not sent as JavaScript");
    modules.push(module);
  }
  [ort] = modules;
  const wasm = await bytes(HERE, WASM);
  Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: wasm, wasmPaths: new URL("./runtime/", HERE).href });
  return wasm;
}

export class Model {
  #networks;
  #words = new Map(); // embeddings

  /** Load the files of an export, from the folder `name` beside this file. */
  static async load(name) {
    const model = new Model();
    const wasm = await runtime();
    const content = (file) => bytes(HERE, `${name}${file}`, model.config?.files[file]);
    const values = async (file) => {
      const text = decoded(await content(file));
      return made(`${name}${file}`, () => JSON.parse(text));
    };
    model.config = await values("config.json");
    const { student, files } = model.config ?? {};
    if (!student?.read_out || !files) fault(`${name}config.json`, "is damaged", "values are missing");
    const tokens = await values("tokenizer.json");
    model.tokenizer = await made(`${name}tokenizer.json`, () => new Tokenizer(tokens));
    model.known = new KnownWords("known_words.txt" in files ? decoded(await content("known_words.txt")) : "");
    model.#networks = {};
    for (const network of ["image", "text", "naming"]) {
      const file = await content(`${network}.onnx`);
      const open = () => ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
      model.#networks[network] = await open().catch((error) => {
        fault(WebAssembly.validate(wasm) ? `${name}${network}.onnx` : WASM, "is damaged", error);
      });
    }
    return model;
  }

  /** The regions of a photo: its patches in the teacher's space, their grid, and a small copy for refinement. */
  async encode(imageData) {
    const { inference_size: side, patch_size: patch } = this.config.student;
    const [width, height] = workingSize(imageData.width, imageData.height, side, patch);
    const seen = resized(planes(imageData), width, height);
    const pixels = new ort.Tensor("float32", seen.values, [1, 3, height, width]);
    const { patches, teacher_mean: mean } = await this.#networks.image.run({ pixels });
    const small = workingSize(width, height, Math.min(width, height, REFINED_SIDE), 1);
    return {
      patches, mean, grid: { width: width / patch, height: height / patch }, small: resized(seen, ...small),
      width: imageData.width, height: imageData.height,
    };
  }

  /** The label of each pixel of an encoded photo: 0 for the background, n for entry n - 1 ({label, others}). */
  async name(encoded, entries) {
    const [readOut, rows] = [this.config.student.read_out, rowsOf(entries, this.config.student.read_out)];
    const words = await this.#embedded(rows.map(([word]) => word));
    const zeros = new ort.Tensor("float32", new Float32Array(words.dims[1]), [words.dims[1]]);
    const alike = await this.#similarities(words, words, zeros);
    const { kept, isStuff } = standing(rows, entries.map(({ label }) => label), readOut, alike);
    const [, patches, width] = encoded.patches.dims;
    const regions = new ort.Tensor("float32", encoded.patches.data, [patches, width]);
    const similarities = await this.#similarities(regions, words, readOut.keep_mean ? zeros : encoded.mean);
    const maps = mapsOf(similarities, rows, kept, isStuff, encoded.grid, readOut);
    return this.#painted(probabilities(maps, readOut.margin), encoded, readOut);
  }

  #painted(likely, { small, grid, width, height }, readOut) {
    if (!readOut.refinement) return labelMap(likely, width, height);
    const preview = labelMap(likely, Math.min(width, PREVIEW * grid.width), Math.min(height, PREVIEW * grid.height));
    const winners = [...new Set(preview)].sort((a, b) => a - b);
    const cells = grid.width * grid.height;
    const values = new Float32Array(winners.length * cells);
    winners.forEach((label, n) => {
      const place = likely.labels.indexOf(label);
      values.set(likely.values.subarray(place * cells, (place + 1) * cells), n * cells);
    });
    const labels = labelMap(refined({ ...grid, labels: winners, values }, small, readOut.refinement), width, height);
    return withoutSmall(labels, width, height, (readOut.smallest_region ?? 0) * labels.length);
  }

  async #similarities(regions, words, mean) {
    const { similarities } = await this.#networks.naming.run({ regions, words, mean });
    return { values: similarities.data, columns: words.dims[0] };
  }

  /** For each word the mean of its embeddings in all templates. */
  async #embedded(words) {
    const missing = [...new Set(words)].filter((word) => !this.#words.has(word));
    if (missing.length) {
      const texts = missing.flatMap((word) => TEMPLATES.map((one) => one.replace("{}", () => this.known.reading(word))));
      const { values, rows, length } = this.tokenizer.encode(texts);
      const { embeddings } = await this.#networks.text.run({ tokens: new ort.Tensor("int64", values, [rows, length]) });
      const width = embeddings.dims[1];
      missing.forEach((word, n) => {
        const mean = new Float32Array(width);
        for (let t = 0; t < TEMPLATES.length; t += 1) {
          const start = (n * TEMPLATES.length + t) * width;
          for (let d = 0; d < width; d += 1) mean[d] += embeddings.data[start + d] / TEMPLATES.length;
        }
        this.#words.set(word, mean);
      });
    }
    const width = this.#words.get(words[0]).length;
    const found = new Float32Array(words.length * width);
    words.forEach((word, n) => found.set(this.#words.get(word), n * width));
    return new ort.Tensor("float32", found, [words.length, width]);
  }
}

/** The page of an exported model: a photo is chosen, words are typed, masks are shown. The network runs in a worker. */

import { entriesOf } from "./entries.js";
import { whyNot } from "./files.js";
import { displaySize, namePlaces, paint, writeNames } from "./paint.js";
import { Colours, levels } from "./palette.js";
import { wordKey } from "./words.js";

const OPACITY = 0.5;
const LETTERS = 14; // pixels of the screen: the least height of names
const element = (id) => document.getElementById(id);
const WORKER = "worker.js";
const worker = new Worker(WORKER, { type: "module" });
const colours = new Colours();
const waiting = new Map(); // number of a question -> what takes its answer
let [asked, photo, turn, broken] = [0, null, 0, null]; // `turn`: of finding; `broken`: why the worker cannot start

/** The worker's answer to a question. */
function ask(question, transferred = []) {
  if (broken) return broken.then((reason) => Promise.reject(new Error(reason)));
  asked += 1;
  worker.postMessage({ number: asked, ...question }, transferred);
  return new Promise((resolve, reject) => waiting.set(asked, { resolve, reject }));
}

worker.addEventListener("message", ({ data: { number, answer, error } }) => {
  const { resolve, reject } = waiting.get(number);
  waiting.delete(number);
  if (error) reject(new Error(error));
  else resolve(answer);
});

worker.addEventListener("error", async (event) => {
  event.preventDefault();
  broken ??= whyNot(WORKER);
  const reason = await broken;
  for (const { reject } of waiting.values()) reject(new Error(reason));
  waiting.clear();
});

const say = (text) => {
  element("status").textContent = text;
};

/** Show a photo, give it to the worker, and find the words in it. */
async function take(blob) {
  const start = performance.now();
  const bitmap = await createImageBitmap(blob).catch(() => null);
  if (!bitmap) return failed("This file is no picture that the browser can read.");
  const { width, height } = bitmap;
  const whole = new OffscreenCanvas(width, height).getContext("2d");
  whole.drawImage(bitmap, 0, 0);
  const { data } = whole.getImageData(0, 0, width, height);
  const [wide, high] = displaySize(width, height);
  for (const id of ["photo", "overlay", "names"]) Object.assign(element(id), { width: wide, height: high });
  element("view").style.setProperty("--aspect", wide / high);
  element("photo").getContext("2d").drawImage(bitmap, 0, 0, wide, high);
  clear();
  say("The photo is read.");
  const mine = photo = { width, height };
  await ask({ pixels: { data, width, height } }, [data.buffer]);
  return photo === mine ? find(start) : null; // else another was chosen meanwhile
}

/** Find the words in the photo, and show where they are. */
async function find(start = performance.now()) {
  const entries = entriesOf(element("words").value);
  if (!photo || !entries.length) return failed(photo ? "Type words, such as: dog, grass, sky" : "Choose a photo.");
  turn += 1;
  const mine = turn;
  say("The words are being found.");
  const labels = await ask({ entries });
  if (turn !== mine) return null; // another photo, or other words
  show(labels, entries);
  document.body.dataset.found = entries.map(({ label }) => label).join(", ");
  return say(`Found in ${((performance.now() - start) / 1000).toFixed(1)} s, on this machine.`);
}

/** Say why nothing was found; what was found before is taken away. */
function failed(text) {
  clear();
  say(text);
}

function clear() {
  turn += 1;
  for (const canvas of [element("overlay"), element("names")]) {
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  }
  element("legend").replaceChildren();
  delete document.body.dataset.found;
}

function show(labels, entries) {
  const [counts, { width, height }] = [new Array(entries.length + 1).fill(0), photo];
  for (const label of labels) counts[label] += 1;
  colours.keepOnly(entries.map(({ label }) => wordKey(label)));
  const tints = [null, ...entries.map(({ label }) => [...levels(colours.of(wordKey(label))), OPACITY])];
  const { width: wide, height: high } = element("overlay");
  const shown = { labels: sampled(labels, width, height, wide, high), width: wide, height: high };
  paint(element("overlay"), shown, tints);
  const context = element("names").getContext("2d");
  context.clearRect(0, 0, wide, high);
  const smallest = LETTERS * wide / element("names").clientWidth;
  writeNames(context, namePlaces(shown, tints), (label) => entries[label - 1].label, Math.max(smallest, wide / 45));
  const shares = counts.map((count) => count / labels.length);
  const titles = entries.map(({ label, others }) => (others.length ? `${label} (${others.join(", ")})` : label));
  element("legend").replaceChildren(...titles.map((title, k) => row(title, tints[k + 1], shares[k + 1])));
}

/** The labels at another size, by the nearest pixel. */
function sampled(labels, width, height, wide, high) {
  const found = new Uint16Array(wide * high);
  for (let y = 0, n = 0; y < high; y += 1) {
    const start = Math.floor(((y + 0.5) * height) / high) * width;
    for (let x = 0; x < wide; x += 1, n += 1) found[n] = labels[start + Math.floor(((x + 0.5) * width) / wide)];
  }
  return found;
}

function row(title, [red, green, blue], fraction) {
  const [line, colour, name, share] = ["li", "canvas", "span", "span"].map((tag) => document.createElement(tag));
  Object.assign(colour, { width: 1, height: 1 });
  const context = colour.getContext("2d");
  context.fillStyle = `rgb(${red} ${green} ${blue})`;
  context.fillRect(0, 0, 1, 1);
  colour.setAttribute("aria-hidden", "true");
  name.textContent = title;
  share.textContent = fraction ? `${(100 * fraction).toFixed(1)} %` : "not found";
  share.className = "number";
  line.classList.toggle("none", !fraction);
  line.append(colour, name, share);
  return line;
}

async function offerSamples() {
  const rows = await (await fetch("samples/pictures.json")).json();
  element("samples").replaceChildren(...rows.map(({ file, labels, alt }) => {
    const [line, button, image] = ["li", "button", "img"].map((tag) => document.createElement(tag));
    Object.assign(image, { src: `samples/${file}`, alt });
    button.type = "button";
    button.addEventListener("click", tried(async () => {
      element("words").value = labels;
      await take(await (await fetch(image.src)).blob());
    }));
    button.append(image);
    line.append(button);
    return line;
  }));
}

/** What is done for a person: a failure is said in the page. */
function tried(work) {
  return (event) => {
    event.preventDefault?.();
    return work(event).catch((error) => failed(`This did not work: ${error.message}`));
  };
}

element("panel").addEventListener("submit", tried(() => find()));
element("file").addEventListener("change", tried(async () => {
  const [file] = element("file").files;
  if (file) await take(file);
}));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", tried(async ({ dataTransfer }) => {
  if (dataTransfer.files.length) await take(dataTransfer.files[0]);
}));

say("The model is loading.");
try {
  const samples = offerSamples().catch(() => element("samples-title").remove()); // the page works without them
  const [name] = await Promise.all([ask({ load: "model/" }), samples]);
  for (const id of ["words", "find", "file"]) element(id).disabled = false;
  document.body.dataset.ready = name;
  say("The model is ready. Choose a photo, or drop one here.");
} catch (error) {
  say(`The model cannot be loaded: ${error.message}`);
}

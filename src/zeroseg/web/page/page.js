/** The page: what a person does, and what then changes. */

import { Client, Trouble } from "./api.js";
import { Chips } from "./chips.js";
import { Divider } from "./compare.js";
import { showDownloads } from "./downloads.js";
import { byId, element } from "./elements.js";
import { drawLegend, spokenSummary } from "./legend.js";
import { askToken, clearTrouble, say, showTrouble, showWaiting } from "./messages.js";
import { displaySize } from "./paint.js";
import { Colours, levels } from "./palette.js";
import { acceptFiles, readPhoto, showSamples } from "./photo.js";
import { Side } from "./side.js";
import { Stage } from "./stage.js";
import { Threshold } from "./threshold.js";
import { parsed, wordKey } from "./words.js";

const DIMMED = 0.15; // of the opacity, for words that a person does not point at

const client = new Client(askToken, showWaiting);
const colours = new Colours();
const colourOf = (key) => colours.of(key);
const hidden = new Set(); // keys of words
let photo = null;
let choice = 0; // counts the photos: a slow one does not replace a later one
let pointed = null; // the key of a word
let sampleWords = ""; // those that came with the sample, which the next one replaces
let working = 0; // requests
let early = null; // a photo that was given before the models were known

const sides = ["words", "other-words"].map((place, number) => new Side(number, new Chips(byId(place), {
  id: `${place}-input`, colourOf, say, described: "words-help",
  changed: () => {
    showWords();
    refresh(sides[number]);
  },
})));
const shownSides = () => (divider.on ? sides : sides.slice(0, 1));
const divider = new Divider();
const threshold = new Threshold(() => {
  shownSides().forEach((side) => side.answer && side.preview(threshold.shift));
  drawMasks();
}, () => shownSides().forEach(refresh));
const stage = new Stage((x, y) => sides[divider.sideAt((x + 0.5) / photo.width)].point(x, y));

/** A new photo: shown at once, if the browser can, and then sent. */
async function takePhoto(blob, name) {
  if (!sides[0].model) {
    early = { blob, name };
    return;
  }
  const mine = ++choice;
  clearTrouble();
  busy(1);
  try {
    const read = await readPhoto(blob, name);
    const sent = client.embed(read, sides[0].model.name);
    if (read.drawing && mine === choice) showPhoto(read);
    const size = await sent;
    if (mine !== choice) return;
    if (photo !== read || size.width !== read.width || size.height !== read.height) {
      showPhoto(Object.assign(read, { width: size.width, height: size.height }));
    }
    shownSides().forEach(refresh);
    if (!sides[0].chips.words.length) sides[0].chips.input.focus();
  } catch (error) {
    if (mine === choice) showTrouble(error, () => takePhoto(blob, name));
  } finally {
    busy(-1);
  }
}

function showPhoto(read) {
  photo = Object.assign(read, { size: displaySize(read.width, read.height) });
  document.body.classList.add("has-photo");
  byId("stage").hidden = false;
  for (const side of sides) {
    side.asking?.abort();
    side.clear();
  }
  stage.show(photo);
  threshold.forget();
  drawAll();
}

async function takeSample({ file, labels }) {
  const own = sides[0].chips.words.join(", ");
  busy(1);
  try {
    const blob = await client.sample(file);
    if (!own || own === sampleWords) {
      sides[0].chips.words = parsed(labels);
      showWords();
      sampleWords = sides[0].chips.words.join(", ");
    }
    await takePhoto(blob, file);
  } catch (error) {
    showTrouble(error, () => takeSample({ file, labels }));
  } finally {
    busy(-1);
  }
}

function showWords() {
  colours.keepOnly(sides.flatMap(({ chips }) => chips.words.map(wordKey)));
  sides.forEach(({ chips }) => chips.show());
}

/** Ask the server for the masks of a side. A later question replaces an earlier one. */
async function refresh(side) {
  side.asking?.abort();
  const asking = (side.asking = new AbortController());
  if (!photo || !side.chips.words.length) {
    side.clear();
    drawAll();
    return;
  }
  busy(1);
  try {
    const absent = byId("keep").checked ? "keep" : "drop";
    const question = { ...side.question(threshold.shift, absent), mask: "runs", maps: true };
    const answer = await client.name(photo, side.model.name, question, asking.signal);
    if (asking.signal.aborted) return;
    side.take(answer);
    clearTrouble(side);
    threshold.fit(sides[0]);
    drawAll();
    say((divider.on ? `${"AB"[side.number]}: ` : "") + spokenSummary(side));
  } catch (error) {
    if (!asking.signal.aborted) showTrouble(error, () => refresh(side), side);
  } finally {
    busy(-1);
  }
}

function busy(change) {
  working += change;
  document.body.classList.toggle("busy", working > 0);
}

/** For each label of a side its colour and opacity, or null where it is not shown. */
function tintsOf(side) {
  const opacity = Number(byId("opacity").value) / 100;
  const tints = [];
  const dims = side.found.some(({ key, fraction }) => key === pointed && fraction);
  for (const { key, index } of side.found) {
    const strength = !dims || pointed === key ? opacity : DIMMED * opacity;
    tints[index] = hidden.has(key) ? null : [...levels(colourOf(key)), strength];
  }
  return tints;
}

function drawMasks() {
  for (const side of sides) {
    if (!side.answer || !shownSides().includes(side)) stage.clear(side.number);
    else {
      stage.draw(side.number, { labels: side.labels(...photo.size), tints: tintsOf(side),
        nameOf: (label) => side.answer.labels[label].label, named: byId("names").checked });
    }
  }
}

function drawAll() {
  if (photo) drawMasks();
  const pressed = (key) => {
    hidden.delete(key) || hidden.add(key);
    drawAll();
  };
  const looked = (key) => {
    pointed = key;
    drawMasks();
  };
  drawLegend(byId("legend"), sides[0], { colourOf, hidden, toggled: pressed, looked });
  drawLegend(byId("other-legend"), sides[1], { colourOf, hidden, toggled: pressed, looked });
  byId("downloads").classList.toggle("empty", !sides[0].answer);
}

function compare(on) {
  divider.toggle(on);
  byId("other").hidden = !on;
  byId("of-a").hidden = !on;
  if (on && !sides[1].chips.words.length) sides[1].chips.words = sides[0].chips.words;
  showWords();
  if (on) refresh(sides[1]);
  drawAll();
}

/** A choice of models for a side; with one model there is nothing to choose. */
function offerModels(models, side, id) {
  const select = byId(id);
  byId(`${id}-field`).hidden = models.length < 2;
  select.replaceChildren(...models.map(({ name }) => element("option", { value: name }, name)));
  side.model = side.number && models.length > 1 ? models[1] : models[0];
  select.value = side.model.name;
  select.addEventListener("change", () => {
    side.model = models.find(({ name }) => name === select.value);
    if (!side.number) threshold.offer(side.model);
    refresh(side);
  });
}

async function begin() {
  try {
    const [{ models, formats }, samples] = await Promise.all([client.models(), client.samples()]);
    clearTrouble();
    offerModels(models, sides[0], "model");
    offerModels(models, sides[1], "other-model");
    threshold.offer(models[0]);
    showSamples(samples, takeSample);
    offerDownloads(formats);
    document.body.classList.add("ready");
    if (early) takePhoto(early.blob, early.name);
    early = null;
  } catch (error) {
    showTrouble(error, begin);
  }
}

showWords();
acceptFiles((file) => takePhoto(file, file.name || "photo.png"), (text) => showTrouble(new Trouble(text)));
const offerDownloads = (formats) => showDownloads({
  formats,
  overlay: async () => ({ name: `${photo.name.replace(/\.\w+$/, "")}-overlay.png`, blob: await stage.picture(0) }),
  masks: (format) => client.export(photo, sides[0].model.name, { format, photo: photo.name,
    ...sides[0].question(threshold.shift, byId("keep").checked ? "keep" : "drop") }),
  failed: showTrouble, say,
});
for (const id of ["opacity", "names"]) byId(id).addEventListener("input", drawMasks);
byId("opacity").addEventListener("input", () => (byId("opacity-value").value = `${byId("opacity").value} %`));
byId("opacity-value").value = `${byId("opacity").value} %`;
byId("keep").addEventListener("change", () => shownSides().forEach(refresh));
byId("compare").addEventListener("change", (event) => compare(event.target.checked));
begin();

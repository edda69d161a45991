/** The page: what a person does, and what then changes. */

import { Client, Trouble } from "./api.js";
import { Divider } from "./compare.js";
import { offerDownloads, offerSides } from "./downloads.js";
import { byId, element } from "./elements.js";
import { WordField } from "./field.js";
import { drawLegend, spokenSummary } from "./legend.js";
import { askToken, clearTrouble, say, showTrouble, showWaiting } from "./messages.js";
import { displaySize, LARGEST } from "./paint.js";
import { Colours, levels } from "./palette.js";
import { acceptFiles, readPhoto, showSamples } from "./photo.js";
import { Side } from "./side.js";
import { Stage } from "./stage.js";
import { Threshold } from "./threshold.js";
import { parsed } from "./words.js";
import { Work } from "./work.js";

const NAMED = 3; // words in the sign of work
const DIMMED = 0.15; // of the opacity, for words that a person does not point at

const client = new Client(askToken, showWaiting);
const colours = new Colours();
const colourOf = (key) => colours.of(key);
const hidden = new Set(); // keys of words
let photo = null;
let taken = null; // the last photo that the server has accepted
let choice = 0; // counts the photos: a slow one does not replace a later one
let pointed = null; // the key of a word
let sampleWords = ""; // those that came with the sample, which the next one replaces
let early = null; // a photo that was given before the models were known

const work = new Work(say);
const sides = ["words", "other-words"].map((name, number) => new Side(number, new WordField(byId(`${name}-input`), {
  note: byId(`${name}-note`), say, changed: () => {
    drawAll();
    refresh(sides[number]);
  },
})));
const absent = () => (byId("keep").checked ? "keep" : "drop"); // what becomes of doubtful words
const shownSides = () => (divider.on ? sides : sides.slice(0, 1));
const divider = new Divider();
const threshold = new Threshold(() => {
  shownSides().forEach((side) => side.answer && side.preview(threshold.shift));
  drawMasks();
}, () => shownSides().forEach(refresh));
const stage = new Stage((x, y) => sides[divider.sideAt((x + 0.5) / photo.width)].point(x, y));

/** A new photo: shown at once, if the browser can, and then sent. If it is refused, the one before comes back. */
async function takePhoto(blob, name) {
  if (!sides[0].model) {
    early = { blob, name };
    return;
  }
  const [mine, before] = [++choice, taken];
  clearTrouble();
  const done = work.begin("Reading the photo …");
  try {
    const read = await readPhoto(blob, name);
    const sent = client.embed(read, sides[0].model.name);
    if (read.drawing && mine === choice) showPhoto(read);
    const size = await sent;
    if (mine !== choice) return;
    if (photo !== read || size.width !== read.width || size.height !== read.height) {
      showPhoto(Object.assign(read, { width: size.width, height: size.height }));
    }
    taken = photo;
    shownSides().forEach(refresh);
    if (!sides[0].field.entries.length) sides[0].field.input.focus();
  } catch (error) {
    if (mine !== choice) return;
    showTrouble(error, () => takePhoto(blob, name), "photo");
    showPhoto(before);
    shownSides().forEach(refresh);
  } finally {
    done();
  }
}

/** Show a photo without masks, or with null that there is none. */
function showPhoto(read) {
  photo = read && Object.assign(read, { size: displaySize(read.width, read.height) });
  document.body.classList.toggle("has-photo", Boolean(photo));
  byId("stage").hidden = !photo;
  for (const side of sides) {
    side.asking?.abort();
    side.clear();
  }
  if (photo) stage.show(photo);
  drawAll();
}

async function takeSample({ file, labels }) {
  const own = sides[0].field.text;
  const done = work.begin("Reading the photo …");
  try {
    const blob = await client.sample(file);
    if (!own || own === sampleWords) {
      sides[0].field.entries = parsed(labels);
      sampleWords = sides[0].field.text;
    }
    await takePhoto(blob, file);
  } catch (error) {
    showTrouble(error, () => takeSample({ file, labels }));
  } finally {
    done();
  }
}

/** Ask the server for the masks of a side. A later question replaces an earlier one. */
async function refresh(side) {
  side.asking?.abort();
  const asking = (side.asking = new AbortController());
  if (!photo || !side.field.entries.length) {
    clearTrouble(side);
    side.clear();
    drawAll();
    return;
  }
  const done = work.begin(whatIsSought(side));
  try {
    const question = { ...side.question(threshold.shift, absent()), mask: "runs", maps: true, longest: LARGEST };
    const answer = await client.name(photo, side.model.name, question, asking.signal);
    if (asking.signal.aborted) return;
    side.take(answer);
    clearTrouble(side);
    threshold.fit(side);
    drawAll();
    say((divider.on ? `${side.letter}: ` : "") + spokenSummary(side));
  } catch (error) {
    if (!asking.signal.aborted) showTrouble(error, () => refresh(side), side);
  } finally {
    done();
  }
}

function whatIsSought(side) {
  const fresh = side.rows.filter(({ pending }) => pending).map(({ label }) => `‘${label}’`);
  const named = fresh.length > NAMED ? [...fresh.slice(0, NAMED), "more"] : fresh;
  return fresh.length ? `Looking for ${named.join(", ")} …` : "Drawing the masks again …";
}

/** For each label of a side its colour and opacity, or null where it is not shown. */
function tintsOf(side) {
  const opacity = Number(byId("opacity").value) / 100;
  const tints = [];
  const wanted = new Set(side.field.entries.map(({ key }) => key)); // a word that was just removed goes at once
  const dims = !hidden.has(pointed) && side.found.some(({ key, fraction }) => key === pointed && fraction);
  for (const { key, index } of side.found) {
    const strength = !dims || pointed === key ? opacity : DIMMED * opacity;
    tints[index] = hidden.has(key) || !wanted.has(key) ? null : [...levels(colourOf(key)), strength];
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
  colours.keepOnly(sides.flatMap(({ field }) => field.entries.map(({ key }) => key)));
  if (photo) drawMasks();
  const toggled = (key) => {
    hidden.delete(key) || hidden.add(key);
    drawAll();
  };
  const looked = (key) => {
    pointed = key;
    drawMasks();
  };
  drawLegend(byId("legend"), sides[0], { colourOf, hidden, toggled, looked });
  drawLegend(byId("other-legend"), sides[1], { colourOf, hidden, toggled, looked });
  byId("downloads").classList.toggle("empty", !sides[0].answer);
}

function compare(on) {
  divider.toggle(on);
  byId("other").hidden = !on;
  byId("of-a").hidden = !on;
  offerSides(on);
  if (on && !sides[1].field.entries.length) sides[1].field.entries = sides[0].field.entries;
  threshold.offer(shownSides());
  if (on) refresh(sides[1]);
  drawAll();
  byId("stage").scrollIntoView({ block: "nearest" });
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
    side.clear();
    drawAll();
    threshold.offer(shownSides());
    refresh(side);
  });
}

/** Files of what is seen; their names say of which side, while two are compared. */
function offerFiles(formats) {
  const letters = (whose) => (divider.on ? `-${whose.map((n) => sides[n].letter).join("")}` : "");
  const named = (name, whose) => name.replace(/(\.\w+)?$/, `${letters(whose)}$1`);
  offerDownloads({
    formats, failed: showTrouble, say,
    picture: async (whose) => ({ blob: await stage.picture(whose, divider.split),
      name: named(`${photo.name.replace(/\.\w+$/, "")}-overlay.png`, whose) }),
    masks: async (format, which) => {
      const side = sides[which];
      const question = { format, photo: photo.name, ...side.question(threshold.shift, absent()) };
      const { name, blob } = await client.export(photo, side.model.name, question);
      return { name: named(name, [which]), blob };
    },
  });
}

async function begin() {
  try {
    const [{ models, formats }, samples] = await Promise.all([client.models(), client.samples()]);
    clearTrouble();
    offerModels(models, sides[0], "model");
    offerModels(models, sides[1], "other-model");
    threshold.offer(shownSides());
    showSamples(samples, takeSample);
    offerFiles(formats);
    document.body.classList.add("ready");
    if (early) takePhoto(early.blob, early.name);
    early = null;
  } catch (error) {
    showTrouble(error, begin);
  }
}

drawAll();
acceptFiles((file) => takePhoto(file, file.name || "photo.png"), (text) => showTrouble(new Trouble(text)));
for (const id of ["opacity", "names"]) byId(id).addEventListener("input", drawMasks);
byId("opacity").addEventListener("input", () => (byId("opacity-value").value = `${byId("opacity").value} %`));
byId("opacity-value").value = `${byId("opacity").value} %`;
byId("keep").addEventListener("change", () => shownSides().forEach(refresh));
byId("compare").addEventListener("change", (event) => compare(event.target.checked));
begin();

// One page for two ways to answer: a link to a server that stores every answer, or a file without any server, whose
// answers stay in this browser and are downloaded at the end (`data.votes` is null).
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SIDES = ["left", "right"];
const KEYS = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right" };
const PAUSE = 350; // milliseconds after a question has appeared in which nothing answers it: the second of two clicks
const AGAIN = 3000; // milliseconds until an answer that could not be stored is sent again
const NAMES_SHOWN = 12;
const byServer = data.votes !== null;
const KEEP = `segmentation-study:${data.study}`;

let order = data.questions, answers = data.answers, at = 0, ready = false, appeared = 0, worker = "";

// ------------------------------------------------------------------------------------------------ keeping answers

function kept(name, value) {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

const unsent = new Map(); // question -> side, in the order in which they were answered
let sending = false;

async function send() {
  if (sending) return;
  sending = true;
  for (const [id, side] of unsent) {
    let stored = false;
    while (!stored && unsent.get(id) === side) {
      try {
        const response = await fetch(data.votes + id, {
          method: "PUT", keepalive: true, headers: { "Content-Type": "application/json" }, body: JSON.stringify({ side }),
        });
        if (response.ok) stored = true;
        else if (response.status < 500 && response.status !== 429) {
          say("This answer is not accepted: load the page again.");
          return;
        }
      } catch { /* no connection: below */ }
      if (!stored) {
        say("Your last answers are not stored yet: there is no connection. They are sent again; keep this page open.");
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
      }
    }
    if (unsent.get(id) === side) unsent.delete(id);
  }
  sending = false;
  if (unsent.size) return send();
  say("");
  if (!$("end").hidden) finish();
}

function keep(id, side) {
  answers[id] = side;
  if (byServer) {
    unsent.delete(id); // so that it comes last, with its new side
    unsent.set(id, side);
    send();
  } else kept(`${KEEP}:${worker}`, JSON.stringify(answers));
}

function say(words) {
  $("trouble").textContent = words;
  $("trouble").hidden = !words;
}

// ------------------------------------------------------------------------------------------------ showing questions

function turnTo(id) {
  for (const part of ["start", "ask", "end"]) $(part).hidden = part !== id;
  scrollTo(0, 0);
}

function listNames(list, legend) {
  const rows = legend.slice(0, NAMES_SHOWN).map(({ label, colour, fraction }) => {
    const row = document.createElement("li"), share = document.createElement("span");
    const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const fill = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of [["width", "100%"], ["height", "100%"], ["fill", colour]]) fill.setAttribute(name, value);
    swatch.setAttribute("aria-hidden", "true");
    swatch.classList.toggle("hollow", colour === "none"); // what has no name is not tinted
    swatch.append(fill);
    share.textContent = fraction;
    row.append(swatch, label, share);
    return row;
  });
  if (legend.length > NAMES_SHOWN) {
    const more = document.createElement("li");
    more.textContent = `and ${legend.length - NAMES_SHOWN} more`;
    rows.push(more);
  }
  list.replaceChildren(...rows);
}

const source = (name) => `${data.pictures}${name}.jpg`;
const sources = (question) => [question.picture, question.left, question.right].map(source);

function show(place, remember = true) {
  at = Math.max(0, Math.min(place, order.length));
  if (remember) history.pushState(null, "", `#${at + 1}`);
  if (at === order.length) return finish();
  turnTo("ask");
  const question = order[at];
  $("place").textContent = `${at + 1} of ${order.length}`;
  $("done").max = order.length;
  $("done").value = order.filter(({ id }) => id in answers).length;
  $("back").disabled = at === 0;
  for (const side of SIDES) listNames($(`${side}-names`), question[`${side}_legend`]);
  for (const button of document.querySelectorAll(".choice")) {
    button.setAttribute("aria-pressed", String(answers[question.id] === button.dataset.side));
  }
  ready = false; // nobody answers what is not to be seen yet
  $("compared").classList.add("waiting");
  const images = ["picture", ...SIDES].map($);
  sources(question).forEach((address, k) => { images[k].src = address; });
  $("question").focus({ preventScroll: true });
  Promise.all(images.map((image) => image.decode())).then(() => appear(question, images), () => {
    if (order[at] === question) say("A picture of this question cannot be shown: load the page again.");
  });
}

function appear(question, images) {
  if (order[at] !== question) return;
  $("ask").style.setProperty("--ratio", images[0].naturalWidth / images[0].naturalHeight);
  $("compared").classList.remove("waiting");
  ready = true;
  appeared = performance.now();
  if (at + 1 < order.length) sources(order[at + 1]).forEach((address) => { new Image().src = address; });
}

function answer(side) {
  if (!ready || $("ask").hidden || performance.now() - appeared < PAUSE) return;
  ready = false;
  keep(order[at].id, side);
  const open = firstOpen();
  show(at + 1 > open ? open : at + 1);
}

function firstOpen() {
  const open = order.findIndex(({ id }) => !(id in answers));
  return open < 0 ? order.length : open;
}

function finish() {
  turnTo("end");
  const are = order.length === 1 ? "Your answer is" : `Your ${order.length} answers are`;
  if (!byServer) $("stored").textContent = `${are} complete. Download them, and send the file to the person who gave you this page.`;
  else if (unsent.size) $("stored").textContent = `${unsent.size} of your answers are not stored yet: keep this page open.`;
  else $("stored").textContent = `${are} stored. You can close this page now.`;
  $("file").hidden = byServer;
  document.querySelector("#end h1").focus();
}

// ------------------------------------------------------------------------------------------------ without a server

// FNV-1a, then mulberry32: the same order whenever the same person comes back.
function shuffled(items, text) {
  let state = 2166136261;
  for (const letter of text) state = Math.imul(state ^ letter.codePointAt(0), 16777619);
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const cards = [...items];
  for (let k = cards.length - 1; k > 0; k--) {
    const other = Math.floor(random() * (k + 1));
    [cards[k], cards[other]] = [cards[other], cards[k]];
  }
  return cards;
}

function takeUp(name) {
  worker = name.trim().replace(/\s+/g, " ");
  order = shuffled(data.questions, data.study + worker);
  answers = {};
  try {
    const former = JSON.parse(kept(`${KEEP}:${worker}`)) || {};
    for (const { id } of order) if (SIDES.includes(former[id])) answers[id] = former[id];
  } catch { /* what is kept is damaged: begin anew */ }
  kept(KEEP, worker);
}

function download() {
  const content = JSON.stringify({ study: data.study, rater: worker, answers }, null, 1) + "\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  link.download = `answers-${worker.replace(/[^\p{L}\p{N}_-]+/gu, "-")}.json`;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// ------------------------------------------------------------------------------------------------ what people do

$("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!byServer) takeUp($("name").value);
  show(firstOpen());
});
for (const button of document.querySelectorAll(".choice")) {
  button.addEventListener("click", () => answer(button.dataset.side));
}
for (const button of document.querySelectorAll(".zoom")) {
  button.addEventListener("click", () => {
    const { src, alt } = $(button.dataset.of);
    Object.assign($("large").querySelector("img"), { src, alt });
    const legend = order[at][`${button.dataset.of}_legend`] ?? []; // the picture itself has none
    listNames($("large-names"), legend);
    $("large-names").hidden = !legend.length;
    $("large").showModal();
  });
}
$("large").addEventListener("click", () => $("large").close());
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.repeat && !$("start").hidden && event.target === document.body) {
    event.preventDefault();
    $("begin").requestSubmit();
    return;
  }
  const side = KEYS[event.key];
  const elsewhere = $("ask").hidden || $("large").open || !$("keys").checked;
  if (!side || elsewhere || event.repeat || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  answer(side);
});
$("back").addEventListener("click", () => show(at - 1));
$("again").addEventListener("click", () => show(order.length - 1));
$("download").addEventListener("click", download);
addEventListener("popstate", () => {
  const place = Number(location.hash.slice(1)) - 1;
  if (!location.hash) turnTo("start");
  else if (place >= 0) show(Math.min(place, firstOpen()), false);
});
addEventListener("beforeunload", (event) => { if (unsent.size) event.preventDefault(); });

$("kept").hidden = !byServer;
$("downloaded").hidden = $("named").hidden = byServer;
$("name").required = !byServer;
$("name").value = byServer ? "" : kept(KEEP) ?? "";
if (byServer && Object.keys(answers).length) {
  const place = Number(location.hash.slice(1)) - 1;
  show(location.hash && place >= 0 ? Math.min(place, firstOpen()) : firstOpen(), false);
} else turnTo("start");

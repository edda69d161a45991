/** Photos: chosen, dropped, pasted, or one of the samples. */

import { byId, element } from "./elements.js";
import { displaySize } from "./paint.js";

/** A photo: the file, its name, and a drawing of at most 1,600 pixels; null for kinds that the browser cannot show. */
export async function readPhoto(blob, name) {
  const photo = { blob, name, width: 0, height: 0, drawing: null };
  const bitmap = await createImageBitmap(blob).catch(() => null);
  if (!bitmap) return photo;
  [photo.width, photo.height] = [bitmap.width, bitmap.height];
  const canvas = element("canvas");
  [canvas.width, canvas.height] = displaySize(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  photo.drawing = canvas;
  return photo;
}

/** Call `taken(file)` with each file that a person chooses, drops or pastes; `refused(text)` if there is none. */
export function acceptFiles(taken, refused) {
  const input = byId("file");
  input.addEventListener("change", () => {
    if (input.files.length) taken(input.files[0]);
    input.value = "";
  });
  let over = 0; // elements that a file is dragged over, one in another
  const mark = (change) => document.body.classList.toggle("dropping", (over = change && over + change) > 0);
  document.addEventListener("dragenter", (event) => (event.preventDefault(), mark(1)));
  document.addEventListener("dragleave", () => mark(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(0);
    const [file] = event.dataTransfer.files;
    if (file) taken(file);
    else refused("Drop a file: pictures are not fetched from addresses.");
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file) taken(file);
  });
}

/** Show the samples as buttons; `taken(sample)`. */
export function showSamples(samples, taken) {
  byId("samples").replaceChildren(...samples.map((sample) => {
    const size = { width: 88, height: 66 };
    const picture = element("img", { src: `samples/${sample.file}`, alt: sample.alt, draggable: false, ...size });
    const button = element("button", { type: "button", title: sample.alt }, picture);
    button.addEventListener("click", () => taken(sample));
    return element("li", {}, button);
  }));
}

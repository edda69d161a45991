/** The picture and the masks as files: a format, for whom it is, and while two sides are compared, which of them. */

import { byId, element } from "./elements.js";

/** The format of the picture itself, which the page makes. */
export const PICTURE = "picture";

/** Kinds of formats, the most common first: a name of `zeroseg.method_names.FormatName`, what it is, for whom. */
export const FORMATS = [
  ["To show", [
    [PICTURE, "Picture (PNG)", ""],
    ["voc-png", "PNG in colours", "Masks alone, one colour a word; also PASCAL VOC."],
  ]],
  ["To train and measure", [
    ["coco", "COCO", "Objects as run lengths: pycocotools, detectron2."],
    ["yolo", "YOLO", "To train Ultralytics YOLO."],
    ["coco-polygons", "COCO polygons", "For tools that draw polygons."],
    ["coco-semantic", "COCO semantic", "One mask a word, as in COCO-Stuff."],
    ["coco-panoptic", "COCO panoptic", "For panoptic segmentation."],
  ]],
  ["To correct by hand", [
    ["labelme", "LabelMe", "To open in LabelMe."],
    ["cvat", "CVAT", "To import into CVAT."],
    ["label-studio", "Label Studio", "Tasks to import and correct."],
    ["datumaro", "Datumaro", "Converts to many data sets."],
  ]],
  ["For maps", [
    ["geojson", "GeoJSON", "Outlines: QGIS, GeoPandas."],
    ["geotiff", "GeoTIFF", "A raster: QGIS, GDAL."],
  ]],
  ["For your own programs", [
    ["numpy", "NumPy", "For Python: numpy.load."],
    ["index-png", "PNG of numbers", "Grey values are the words’ numbers."],
  ]],
];

/**
 * Offer `formats`, names of what the server can make. `picture(whose)` and `masks(format, whose)` resolve to {name,
 * blob}; `whose`: the numbers of the sides. `failed(error, again)`.
 */
export function offerDownloads({ formats, picture, masks, failed, say }) {
  const [select, button] = [byId("format"), byId("save")];
  for (const [kind, rows] of FORMATS) {
    const possible = rows.filter(([name]) => name === PICTURE || formats.includes(name));
    const options = possible.map(([value, name]) => element("option", { value }, name));
    if (options.length) select.append(element("optgroup", { label: kind }, ...options));
  }
  const save = async () => {
    button.setAttribute("aria-busy", "true");
    try {
      const file = await (select.value === PICTURE ? picture(whose()) : masks(select.value, whose()[0]));
      hand(file);
      say(`${file.name} saved.`);
    } catch (error) {
      failed(error, save);
    } finally {
      button.removeAttribute("aria-busy");
    }
  };
  select.addEventListener("change", show);
  button.addEventListener("click", save);
  show();
}

/** Offer one side, or two and the picture as it is seen. */
export function offerSides(two) {
  byId("whose").hidden = !two;
  byId(two && byId("format").value === PICTURE ? "whose-both" : "whose-a").checked = true;
}

/** Say what is chosen. Only the picture can be of both sides. */
function show() {
  const [, , whom] = FORMATS.flatMap(([, rows]) => rows).find(([name]) => name === byId("format").value);
  byId("format-hint").textContent = whom;
  const files = byId("format").value !== PICTURE;
  byId("whose-both").disabled = files;
  if (files && byId("whose-both").checked) byId("whose-a").checked = true;
}

const whose = () => [...document.querySelector("input[name='whose']:checked").value].map(Number);

function hand({ name, blob }) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

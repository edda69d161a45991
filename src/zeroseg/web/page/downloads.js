/** The masks as files: a button for each format, with a word for whom it is. */

import { byId, element } from "./elements.js";

/** Each name of `zeroseg.method_names.FormatName`, what it is, and for whom. */
export const FORMATS = [
  ["voc-png", "PNG in colours", "one colour a word; also PASCAL VOC"],
  ["index-png", "PNG of numbers", "grey values are the words’ numbers"],
  ["numpy", "NumPy", "for Python: numpy.load"],
  ["coco", "COCO", "objects as run lengths: pycocotools, detectron2"],
  ["coco-polygons", "COCO polygons", "for tools that draw polygons"],
  ["coco-semantic", "COCO semantic", "one mask a word, as in COCO-Stuff"],
  ["coco-panoptic", "COCO panoptic", "for panoptic segmentation"],
  ["yolo", "YOLO", "to train Ultralytics YOLO"],
  ["labelme", "LabelMe", "to correct by hand in LabelMe"],
  ["label-studio", "Label Studio", "tasks to import and correct"],
  ["cvat", "CVAT", "to correct by hand in CVAT"],
  ["datumaro", "Datumaro", "converts to many data sets"],
  ["geojson", "GeoJSON", "outlines for maps: QGIS, GeoPandas"],
  ["geotiff", "GeoTIFF", "a raster for maps: QGIS, GDAL"],
];

/** Make the buttons of `formats`, names of what the server can make. `overlay()` and `masks(format)` resolve to {name, blob}; `failed(error, again)`. */
export function showDownloads({ formats, overlay, masks, failed, say }) {
  const rows = [["overlay", "Picture with masks", "a PNG to show"], ...FORMATS.filter(([name]) => formats.includes(name))];
  byId("formats").replaceChildren(...rows.map(([format, name, whom]) => {
    const button = element("button", { type: "button" },
      element("b", {}, name), " ", element("span", { className: "soft" }, whom));
    button.dataset.format = format;
    const fetchFile = async () => {
      button.setAttribute("aria-busy", "true");
      try {
        const file = await (format === "overlay" ? overlay() : masks(format));
        save(file);
        say(`${file.name} saved.`);
      } catch (error) {
        failed(error, fetchFile);
      } finally {
        button.removeAttribute("aria-busy");
      }
    };
    button.addEventListener("click", fetchFile);
    return element("li", {}, button);
  }));
}

function save({ name, blob }) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

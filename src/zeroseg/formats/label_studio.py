"""Label Studio: tasks with predictions, brush masks in its own run lengths, and the project's label config.

`tasks.json` is for "Import", `label_config.xml` for "Settings > Labeling Interface > Code". The photos are expected in
the folder that the project's local storage names, at their own relative paths. Exports ("JSON") can be read when they
are called `tasks.json`.

Format: https://labelstud.io/guide/predictions, https://labelstud.io/guide/export (brush labels)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

import numpy as np

from zeroseg.drawing import hexadecimal, overlay_palette
from zeroseg.errors import DatasetError
from zeroseg.files import atomic_path, write_text_atomically
from zeroseg.formats import brush_lengths
from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Region, Size, label_areas
from zeroseg.formats.canvas import Canvas, trimmed
from zeroseg.formats.format import DatasetFormat
from zeroseg.formats.json_lists import read_json
from zeroseg.formats.outlines import filled, outline
from zeroseg.formats.project_labels import BRUSH, Control, Kind, controls, label_config
from zeroseg.images import MAX_PIXELS
from zeroseg.segmentation import Segmentation
from zeroseg.versions import ZEROSEG

TASKS, CONFIG = "tasks.json", "label_config.xml"
LOCAL_FILES = "/data/local-files/?d="
MODEL_VERSION = f"zeroseg {ZEROSEG}"

Result = dict[str, Any]


class LabelStudio(DatasetFormat):
    """`tasks.json` and `label_config.xml` ("label-studio"): one brush mask for each label of a picture."""

    name: ClassVar[str] = "label-studio"

    def write(self, folder: Path, classes: Classes, pictures: Iterable[AnnotatedPhoto]) -> None:
        """See `DatasetFormat`."""
        names = list(classes.named.values())
        colours = dict(zip(names, map(hexadecimal, overlay_palette(len(names))), strict=True))
        write_text_atomically(folder / CONFIG, label_config(colours))
        with atomic_path(folder / TASKS) as temporary, temporary.open("w", encoding="utf-8") as file:
            before = "[\n"
            for annotated in pictures:
                file.write(before + json.dumps(_task(annotated), ensure_ascii=False))
                before = ",\n"
            file.write(f"{'' if before[0] == ',' else '['}\n]\n")

    def read(self, folder: Path) -> Iterator[AnnotatedPhoto]:
        """See `DatasetFormat`; also exports. Annotations count, and where there are none, predictions.

        Of several, the last that was not skipped. Brush masks and polygons are read, other results are passed over.
        """
        path, tasks = folder / TASKS, read_json(folder / TASKS)
        try:
            results = [_results(task) for task in tasks]
            config = _config(folder)
            names = _names(config, chain.from_iterable(results))
            key = config[0].image_key if config else BRUSH.image_key
            for task, of_task in zip(tasks, results, strict=True):
                has_background = task.get("meta", {}).get("has_background", True)
                classes = Classes.besides_background(names) if has_background else Classes(names)
                canvas = Canvas(classes, _size(of_task, task))
                for result in of_task:
                    index = classes.labels.index(_label(result))
                    canvas.place(_region(index, result, canvas.size), float(result.get("score", 1.0)))
                yield canvas.annotated(_photo(task["data"][key]))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            raise DatasetError(f"{str(path)!r} is no file of Label Studio with brush masks: {error!r}.") from error


def prediction(
    control: Control, segmentation: Segmentation, names: dict[int, str], regions: Iterable[Region]
) -> Result:
    """What Label Studio expects for a task: a result for each of the `regions` in the form of a control.

    `names`: what the results call the labels, by index; other labels are left out. The score of the prediction is the
    mean of its results' scores, weighted by their pixels; 0 if there are none.
    """
    shown = [region for region in regions if region.index in names]
    results = [_result(control, segmentation, names[region.index], region, n) for n, region in enumerate(shown, 1)]
    weights = [region.area for region in shown]
    score = float(np.average([result["score"] for result in results], weights=weights)) if shown else 0.0
    return {"model_version": MODEL_VERSION, "score": round(score, 6), "result": results}


def _task(annotated: AnnotatedPhoto) -> dict[str, Any]:
    found = annotated.segmentation
    names = Classes.of(found).named
    return {
        "data": {BRUSH.image_key: LOCAL_FILES + quote(annotated.photo)},
        "meta": {"has_background": found.has_background, "width": found.size[0], "height": found.size[1]},
        "predictions": [prediction(BRUSH, found, names, label_areas(found))],
    }


def _result(control: Control, segmentation: Segmentation, name: str, region: Region, number: int) -> Result:
    width, height = segmentation.size
    return {
        "id": f"{control.name}-{number}",
        "type": control.kind,
        "from_name": control.name,
        "to_name": control.to_name,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {**_shape(control.kind, region, segmentation.size), control.kind: [name]},
        "score": round(float(segmentation.scores[region.index]), 6),
    }


def _shape(kind: Kind, region: Region, size: Size) -> dict[str, Any]:
    """Run lengths; or corners, or a box, in percent of the picture."""
    if kind == "brushlabels":
        return {"format": "rle", "rle": brush_lengths.encoded(region.mask, region.left, region.top, size)}
    percent = 100 / np.array(size)
    if kind == "polygonlabels":
        ring = outline(region.mask).moved(region.left, region.top).keyholed
        return {"points": (ring * percent).tolist(), "closed": True}
    left, top, width, height = (np.array(region.box) * np.tile(percent, 2)).tolist()
    return {"x": left, "y": top, "width": width, "height": height, "rotation": 0}


def _results(task: dict[str, Any]) -> list[Result]:
    """The brush masks and polygons of a task."""
    annotations = [one for one in task.get("annotations", ()) if not one.get("was_cancelled")]
    chosen = (annotations or task.get("predictions") or [{"result": []}])[-1]
    return [one for one in chosen["result"] if one.get("type") in ("brushlabels", "polygonlabels")]


def _label(result: Result) -> str:
    return str(result["value"][result["type"]][0])


def _config(folder: Path) -> list[Control]:
    path = folder / CONFIG
    return controls(path.read_text(encoding="utf-8")) if path.exists() else []


def _names(config: list[Control], results: Iterable[Result]) -> tuple[str, ...]:
    """Those of the config, then others in the order of their first mask."""
    named = [label.name for control in config for label in control.labels]
    return tuple(dict.fromkeys([*named, *map(_label, results)]))


def _size(results: list[Result], task: dict[str, Any]) -> Size:
    """Width and height. Raises `ValueError` if a picture has none: an export without any mask does not say them."""
    known = results[0] if results else {f"original_{name}": task["meta"][name] for name in ("width", "height")}
    width, height = int(known["original_width"]), int(known["original_height"])
    if width * height > MAX_PIXELS:
        raise ValueError(f"a picture of {width} x {height} pixels, more than the {MAX_PIXELS:,} allowed")
    return width, height


def _region(index: int, result: Result, size: Size) -> Region:
    value = result["value"]
    if result["type"] == "polygonlabels":
        return Region(index, *filled([np.array(value["points"], np.float64) * np.array(size) / 100], size))
    return Region(index, *trimmed(0, 0, brush_lengths.decoded(value["rle"], size)))


def _photo(url: str) -> str:
    """The path in a local storage; of other addresses, the last part of the path."""
    parts = urlsplit(url)
    query = parse_qs(parts.query).get("d")
    return query[0] if query else unquote(parts.path.rpartition("/")[2])

"""Datumaro's files: ids, files of other tools, malformed ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.formats.pictures import CLASSES, RING, annotated
from zeroseg.errors import DatasetError
from zeroseg.formats import DATASET_FORMATS

KIND = DATASET_FORMATS["datumaro"]
LABELS = {"label": {"labels": [{"name": "sky"}, {"name": "dog"}]}}
MASK = {"type": "mask", "label_id": 0, "rle": {"size": [2, 3], "counts": [0, 6]}}


def save(folder: Path, subset: str, *items: Any, **changes: Any) -> None:
    """A file without the keys that are optional."""
    (folder / "annotations").mkdir(exist_ok=True)
    text = json.dumps({"categories": LABELS, "items": items, **changes})
    (folder / "annotations" / f"{subset}.json").write_text(text, encoding="utf-8")


def test_ids_are_paths_without_suffix_and_distinct(tmp_path: Path) -> None:
    """With slashes and unusual names; a suffix is kept where two photos differ in it alone."""
    photos = ["a b/犬.jpg", "a b/犬.png", "c/🐕 'x'.jpg", "v1.2.tif"]
    KIND.write(tmp_path, CLASSES, [annotated(RING, CLASSES, photo) for photo in photos])
    values = json.loads((tmp_path / "annotations" / "default.json").read_text(encoding="utf-8"))
    assert [item["id"] for item in values["items"]] == ["a b/犬", "a b/犬.png", "c/🐕 'x'", "v1.2"]
    assert [item["image"] for item in values["items"]] == [{"path": photo, "size": [5, 5]} for photo in photos]
    assert [one["attributes"] for one in values["items"][0]["annotations"]] == [{"score": 0.5}]
    assert [one.photo for one in KIND.read(tmp_path)] == photos


def test_files_of_other_tools(tmp_path: Path) -> None:
    """Several subsets, boxes, polygons, what has no area, layers, and items without an image."""
    box = {"type": "bbox", "label_id": 1, "bbox": [1, 0, 2, 1], "z_order": None, "attributes": None}
    polygon = {"type": "polygon", "label_id": 1, "points": [0, 0, 1, 0, 1, 1, 0, 1], "z_order": -1}
    save(tmp_path, "val", {"id": "x", "annotations": [MASK, polygon, {"type": "caption", "caption": "a dog"}]})
    save(tmp_path, "train", {"id": "y", "image": {"path": "y.jpg", "size": [2, 3]}, "annotations": [box, MASK]})
    first, second = KIND.read(tmp_path)
    assert (first.photo, second.photo) == ("y.jpg", "x")
    assert first.segmentation.labels == ("background", "sky", "dog")
    assert first.segmentation.class_map.tolist() == [[1, 2, 2], [1, 1, 1]]
    assert second.segmentation.class_map.tolist() == [[1, 1, 1], [1, 1, 1]]  # the polygon's layer is the lower one


ITEM = {"id": "x", "image": {"size": [2, 3]}}


@pytest.mark.parametrize(
    ("items", "changes", "why"),
    [
        ([], {"categories": {}}, "no file of Datumaro: KeyError..label.. is missing"),
        ([], {"items": None}, "no file of Datumaro"),
        ([], {"infos": []}, "no file of Datumaro"),
        ([{"id": "x", "annotations": []}], {}, "the item 'x' is malformed .it has no .size"),
        ([{"image": {"size": [2, 3]}, "annotations": []}], {}, "the item None .*KeyError..id"),
        (["text"], {}, "the item 'text' .*no attribute"),
        ([{**ITEM, "annotations": [{**MASK, "label_id": 2}]}], {}, "the item 'x' .*out of range"),
        ([{**ITEM, "annotations": [{**MASK, "type": "ellipse"}]}], {}, "unknown type 'ellipse'"),
        ([{**ITEM, "annotations": [{**MASK, "type": "polygon"}]}], {}, "KeyError..points"),
        ([{**ITEM, "annotations": [{**MASK, "rle": {"size": [3, 2], "counts": [0, 6]}}]}], {}, "in a picture of 3 x 2"),
        ([{**ITEM, "image": {"size": [0, 3]}, "annotations": []}], {}, "a picture of 3 x 0 pixels"),
        ([{**ITEM, "annotations": []}], {"infos": {"has_background": False}}, "pixels without a label"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, items: list[Any], changes: dict[str, Any], why: str) -> None:
    """In one sentence that names the file and the item."""
    save(tmp_path, "train", *items, **changes)
    with pytest.raises(DatasetError, match=f"train.json.*{why}"):
        list(KIND.read(tmp_path))


def test_other_folders_are_refused(tmp_path: Path) -> None:
    """Without files, and with one that is no JSON."""
    with pytest.raises(DatasetError, match="has no JSON file: name the folder of a Datumaro data set"):
        list(KIND.read(tmp_path))
    save(tmp_path, "train")
    (tmp_path / "annotations" / "train.json").write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError, match="is not JSON"):
        list(KIND.read(tmp_path))


def test_pixels_of_unusual_maps(tmp_path: Path) -> None:
    """A label of every second pixel has one mask."""
    class_map = np.indices((6, 8)).sum(axis=0) % 2
    KIND.write(tmp_path, CLASSES, [annotated(class_map, CLASSES)])
    (one,) = KIND.read(tmp_path)
    assert (one.segmentation.class_map == class_map).all()

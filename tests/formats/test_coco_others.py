"""COCO panoptic and semantic: what their own definitions ask for, and files of other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.formats.pictures import CLASSES, MANY, RING, annotated, by_pycocotools
from zeroseg.errors import DatasetError
from zeroseg.formats import DATASET_FORMATS, AnnotatedPhoto, Classes


def written(name: str, folder: Path, pictures: list[AnnotatedPhoto], classes: Classes = CLASSES) -> dict[str, Any]:
    """The JSON of a data set."""
    DATASET_FORMATS[name].write(folder, classes, iter(pictures))
    (path,) = folder.glob("*.json")
    return json.loads(path.read_text(encoding="utf-8"))


def colours(path: Path) -> np.ndarray:
    """The numbers of a panoptic PNG by their definition, R + 256 G + 65536 B: [H W]."""
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int) @ (1, 256, 65_536)


def test_panoptic_segments_are_those_of_the_png(tmp_path: Path) -> None:
    """Numbers of segments are unique in a picture; area, box and category are right; 0 is the background."""
    class_map = np.arange(300).reshape(15, 20)
    values = written("coco-panoptic", tmp_path, [annotated(class_map, MANY), annotated(class_map * 0, MANY)], MANY)
    names = {category["id"]: category["name"] for category in values["categories"]}
    assert all(category["isthing"] == 0 and len(category["color"]) == 3 for category in values["categories"])
    assert len({tuple(category["color"]) for category in values["categories"]}) == 299
    first, second = values["annotations"]
    numbers = colours(tmp_path / "panoptic" / first["file_name"])
    assert len({segment["id"] for segment in first["segments_info"]}) == 299
    for segment in first["segments_info"]:
        own = numbers == segment["id"]
        rows, columns = np.nonzero(own)
        assert names[segment["category_id"]] == MANY.labels[class_map[own][0]]
        assert segment["area"] == own.sum()
        assert segment["bbox"] == [columns[0], rows[0], 1, 1]
    assert (numbers == 0).sum() == 1
    assert second["segments_info"] == []
    assert not colours(tmp_path / "panoptic" / second["file_name"]).any()


def test_photos_of_one_name_have_pngs_of_their_own(tmp_path: Path) -> None:
    """Names that differ in folder, suffix, or upper case alone; what stands after a dot can be a name's part."""
    photos = ["a/dog.jpg", "b/dog.jpg", "a/dog.png", "a/DOG.png", "a/dog.png.jpg", "a/v1.2 犬.tif", "dog.jpg"]
    pictures = [annotated(np.full((2, 2), number % 3), CLASSES, photo) for number, photo in enumerate(photos)]
    files = [entry["file_name"] for entry in written("coco-panoptic", tmp_path, pictures)["annotations"]]
    assert files[:4] == ["a/dog.png", "b/dog.png", "a/dog.png.png", "a/DOG.png-2.png"]
    assert len({file.casefold() for file in files}) == len(photos)
    read = list(DATASET_FORMATS["coco-panoptic"].read(tmp_path))
    assert [one.photo for one in read] == photos
    assert [one.segmentation.class_map[0, 0] for one in read] == [number % 3 for number in range(len(photos))]


def foreign(folder: Path, numbers: np.ndarray, **changes: Any) -> None:
    """A panoptic data set of another tool: categories from 7 on, no scores, no info, two segments of one category."""
    (folder / "panoptic").mkdir()
    parts = np.stack([numbers & 255, numbers >> 8 & 255, numbers >> 16], axis=-1).astype(np.uint8)
    Image.fromarray(parts).save(folder / "panoptic" / "000.png")
    segments = [{"id": number, "category_id": kind} for number, kind in ((70_000, 7), (300, 9), (5, 7))]
    values = {
        "images": [{"id": 42, "file_name": "000.jpg", "width": 3, "height": 1}],
        "categories": [{"id": 9, "name": "sky"}, {"id": 7, "name": "dog"}],
        "annotations": [{"image_id": 42, "file_name": "000.png", "segments_info": segments}],
        **changes,
    }
    (folder / "panoptic.json").write_text(json.dumps(values), encoding="utf-8")


def test_panoptic_of_other_tools(tmp_path: Path) -> None:
    """Objects of one category become one label; numbers of any size."""
    foreign(tmp_path, np.array([[70_000, 300, 5], [0, 0, 300]])[:1])
    (one,) = DATASET_FORMATS["coco-panoptic"].read(tmp_path)
    assert one.segmentation.labels == ("background", "sky", "dog")
    assert one.segmentation.class_map.tolist() == [[2, 1, 2]]
    assert one.photo == "000.jpg"


PICTURE = {"id": 42, "file_name": "000.jpg", "width": 3, "height": 1}
ENTRY = {"image_id": 42, "file_name": "000.png", "segments_info": [{"id": 5, "category_id": 7}]}


@pytest.mark.parametrize(
    ("numbers", "changes", "why"),
    [
        ([[5, 5, 6]], {"annotations": [ENTRY]}, "the segment 6, which the JSON does not name"),
        ([[5, 5]], {"annotations": [ENTRY]}, "not of the picture's size"),
        ([[5, 5, 5]], {"annotations": []}, "0 annotations in place of one"),
        ([[5, 5, 5]], {"annotations": [{**ENTRY, "file_name": "001.png"}]}, "No such file"),
        ([[5, 5, 5]], {"annotations": [{"image_id": 42, "file_name": "000.png"}]}, "segments_info"),
        ([[5, 5, 5]], {"annotations": [{**ENTRY, "segments_info": [{"id": 1 << 24, "category_id": 7}]}]}, "no colour"),
        ([[5, 5, 5]], {"annotations": [{**ENTRY, "segments_info": [{"id": 5, "category_id": 8}]}]}, "000.jpg.: 8"),
        ([[5, 5, 5]], {"categories": [{"id": 7}]}, "no COCO file: KeyError..name.. is missing"),
        ([[0, 5, 5]], {"annotations": [ENTRY], "info": {"has_background": False}}, "the segment 0"),
    ],
)
def test_malformed_panoptic_is_refused(
    tmp_path: Path, numbers: list[list[int]], changes: dict[str, Any], why: str
) -> None:
    """In one sentence that names the file."""
    foreign(tmp_path, np.array(numbers), **changes)
    with pytest.raises(DatasetError, match=f"panoptic.json.*{why}"):
        list(DATASET_FORMATS["coco-panoptic"].read(tmp_path))


def test_a_grey_png_is_refused(tmp_path: Path) -> None:
    """Its values are no numbers of segments."""
    foreign(tmp_path, np.array([[5, 5, 5]]))
    Image.new("L", (3, 1), 5).save(tmp_path / "panoptic" / "000.png")
    with pytest.raises(DatasetError, match="has no colours"):
        list(DATASET_FORMATS["coco-panoptic"].read(tmp_path))


def test_semantic_has_one_annotation_for_each_label(tmp_path: Path) -> None:
    """Also for areas that are apart; pycocotools decodes each to the label's pixels."""
    values = written("coco-semantic", tmp_path, [annotated(RING, CLASSES), annotated(RING * 2, CLASSES)])
    assert [(entry["image_id"], entry["category_id"], entry["area"]) for entry in values["annotations"]] == [
        (1, 1, 17),
        (2, 2, 17),
    ]
    for entry in values["annotations"]:
        assert (by_pycocotools(entry["segmentation"]) == RING).all()
        assert entry["bbox"] == [0, 0, 5, 5]


def test_semantic_of_other_tools(tmp_path: Path) -> None:
    """Overlapping polygons and boxes of numbers, categories from 92 on, keys that are optional left out."""
    values = {
        "images": [{"id": 9, "file_name": "x.jpg", "height": 3, "width": 3}],
        "annotations": [
            {"image_id": 9, "category_id": 101, "segmentation": [[0, 0, 1, 0, 1, 1, 0, 1], [2, 2, 3, 2, 3, 3, 2, 3]]},
            {"image_id": 9, "category_id": 92, "segmentation": {"size": [3, 3], "counts": [0, 9]}},
        ],
        "categories": [{"id": 92, "name": "wall"}, {"id": 101, "name": "sand"}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(values), encoding="utf-8")
    (one,) = DATASET_FORMATS["coco-semantic"].read(tmp_path)
    assert one.segmentation.class_map.tolist() == [[2, 1, 1], [1, 1, 1], [1, 1, 2]]


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ({"size": [3, 4], "counts": [12]}, "run lengths of 4 x 3 pixels in a picture of 3 x 3"),
        ({"size": [3, 3], "counts": [8]}, "do not add up"),
        ([[0, 0, 1]], "cannot reshape"),
        ([[]], "without corners"),
        (None, "not iterable"),
    ],
)
def test_malformed_shapes_are_refused(tmp_path: Path, shape: object, why: str) -> None:
    """In one sentence that names the file and the picture."""
    values = {
        "images": [{"id": 9, "file_name": "x.jpg", "height": 3, "width": 3}],
        "annotations": [{"image_id": 9, "category_id": 1, "segmentation": shape}],
        "categories": [{"id": 1, "name": "wall"}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(DatasetError, match=f"annotations.json.*x.jpg.*{why}"):
        list(DATASET_FORMATS["coco-semantic"].read(tmp_path))

"""COCO's JSON: instances as polygons and run lengths, panoptic segments as colours of a PNG."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.evaluation.miniature import assert_classes, miou, refused, truths, write_mask, write_photo
from zeroseg.evaluation.coco_json import open_coco_instances, open_coco_panoptic

PAGE = "https://cocodataset.org/#download"
STREET, EMPTY = "000000000785.jpg", "000000000139.jpg"
CATEGORIES = [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}, {"id": 90, "name": "toothbrush"}]
IMAGES = [
    {"id": 785, "file_name": STREET, "width": 6, "height": 4},
    {"id": 139, "file_name": EMPTY, "width": 4, "height": 3},
]


def box(left: int, top: int, right: int, bottom: int) -> list[list[int]]:
    """A rectangle as polygons: from one pixel up to another, which is not in it."""
    return [[left, top, right, top, right, bottom, left, bottom]]


def run_lengths(left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    """The same on 6 x 4 pixels as an uncompressed RLE: zeros and ones by turns, column after column."""
    pixels = np.zeros((4, 6), int)
    pixels[top:bottom, left:right] = 1
    flat = pixels.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.array([0, *ends, flat.size])).tolist()
    return {"size": [4, 6], "counts": counts if flat[0] == 0 else [0, *counts]}


def compressed(left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    pixels = np.zeros((4, 6), np.uint8, order="F")
    pixels[top:bottom, left:right] = 1
    encoded: Any = coco_mask.encode(pixels)
    return {"size": [4, 6], "counts": encoded["counts"].decode()}


def instance(category: int, segmentation: object, area: float, crowd: int = 0, image: int = 785) -> dict[str, Any]:
    return {
        "id": 1000 + category,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "area": area,
        "iscrowd": crowd,
    }


# In the file's order: the toothbrush is small and lies over the dog, the dog over the person, all over the crowd.
INSTANCES = [
    instance(90, box(1, 1, 2, 3), 2),
    instance(18, run_lengths(1, 1, 3, 3), 4),
    instance(1, compressed(0, 0, 3, 4), 12),
    instance(1, {"size": [4, 6], "counts": [8, 12, 4]}, 3, crowd=1),  # columns 2..4, of people; small, but a crowd
    instance(18, box(4, 0, 6, 1), 2),
]
PAINTED = [[1, 1, 1, 1, 2, 2], [1, 3, 2, 1, 1, 0], [1, 3, 2, 1, 1, 0], [1, 1, 1, 1, 1, 0]]


def write_instances(root: Path, annotations: list[dict[str, Any]] | None = None, own: bool = False) -> Path:
    for record in IMAGES:
        folder = root / ("images" if own else "val2017")
        write_photo(folder / record["file_name"], record["width"], record["height"])
    path = root / ("instances.json" if own else "annotations/instances_val2017.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    annotations = INSTANCES if annotations is None else annotations
    path.write_text(json.dumps({"images": IMAGES, "annotations": annotations, "categories": CATEGORIES}))
    return path


@pytest.mark.parametrize("own", [False, True], ids=["official", "own"])
def test_instances_small_over_large_over_crowds_over_nothing(tmp_path: Path, own: bool):
    write_instances(tmp_path, own=own)
    dataset = open_coco_instances(tmp_path)
    assert dataset.name == "coco-instances"
    assert truths(dataset) == {EMPTY: [[0] * 4] * 3, STREET: PAINTED}
    assert_classes(dataset, 4, True, c1="person", c2="dog", c3="toothbrush")
    assert list(truths(open_coco_instances(tmp_path, size=1))) == [EMPTY]


def test_areas_are_counted_where_the_file_has_none(tmp_path: Path):
    bare = [{key: value for key, value in one.items() if key not in {"area", "iscrowd"}} for one in INSTANCES]
    write_instances(tmp_path, [*bare[:3], bare[4]])
    expected = [[1, 1, 1, 0, 2, 2], [1, 3, 2, 0, 0, 0], [1, 3, 2, 0, 0, 0], [1, 1, 1, 0, 0, 0]]
    assert truths(open_coco_instances(tmp_path))[STREET] == expected


def test_miou_of_instances_by_hand(tmp_path: Path):
    """People in columns 0..4, nothing else anywhere. Person: 15 hits, union 20. Dog and toothbrush are missed. The
    background: 3 + 12 hits, union 3 + 12 + 1 (the corner of the dog in column 5).
    """
    write_instances(tmp_path)
    said = {EMPTY: [[0] * 4] * 3, STREET: [[1] * 5 + [0]] * 4}
    assert miou(open_coco_instances(tmp_path), said) == pytest.approx((15 / 16 + 15 / 20 + 0 + 0) / 4)


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ([], "no polygon"),
        ([[1, 1, 2, 2]], "three corners"),
        ({"size": [6, 4], "counts": [24]}, "4 x 6 pixels"),
        (None, "NoneType"),
        ("no mask", ""),
    ],
)
def test_an_instance_without_a_mask_is_named(tmp_path: Path, segmentation: object, said: str):
    path = write_instances(tmp_path, [instance(18, segmentation, 4)])
    with refused(path, "annotation 1018", STREET, said):
        truths(open_coco_instances(tmp_path))


def test_an_instance_of_no_category_is_named(tmp_path: Path):
    path = write_instances(tmp_path, [instance(19, box(0, 0, 2, 2), 4)])
    with refused(path, "no category 19"):
        truths(open_coco_instances(tmp_path))


def test_without_pycocotools_one_sentence_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_instances(tmp_path)
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    with refused('pip install "zeroseg[coco]"'):
        open_coco_instances(tmp_path)


def test_a_folder_without_its_parts_is_refused(tmp_path: Path):
    with refused("coco-instances", "annotations/instances_val2017.json", "instances.json", PAGE):
        open_coco_instances(tmp_path)
    path = write_instances(tmp_path)
    with refused("annotations/instances_train2017.json", PAGE):
        open_coco_instances(tmp_path, "train")
    (tmp_path / "val2017" / STREET).unlink()
    with refused("coco-instances: 1 of 2 images are missing", STREET, PAGE):
        open_coco_instances(tmp_path)
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": CATEGORIES}))
    with refused(path, "no image"):
        open_coco_instances(tmp_path)
    for text in (
        "{broken",
        "[]",
        json.dumps({"images": IMAGES, "annotations": []}),
        '{"images": [{}], "annotations": []}',
    ):
        path.write_text(text)
        with refused(path, "COCO's form"):
            open_coco_instances(tmp_path)


def test_categories_of_one_name_are_refused(tmp_path: Path):
    path = write_instances(tmp_path, [])
    twice = [*CATEGORIES, {"id": 91, "name": "Dog"}]
    path.write_text(json.dumps({"images": IMAGES, "annotations": [], "categories": twice}))
    with refused(path, "'Dog' twice"):
        open_coco_instances(tmp_path)


# --- panoptic -----------------------------------------------------------------------------------

DOG, CROWD, SKY = 3226956, 70_000, 5  # segment ids: red + 256 green + 65536 blue
PANOPTIC_CATEGORIES = [
    {"id": 187, "name": "sky-other-merged", "isthing": 0},
    {"id": 1, "name": "person", "isthing": 1},
    {"id": 18, "name": "dog", "isthing": 1},
]
SEGMENTS = {
    785: [
        {"id": DOG, "category_id": 18, "iscrowd": 0},
        {"id": CROWD, "category_id": 1, "iscrowd": 1},
        {"id": SKY, "category_id": 187, "iscrowd": 0},
    ],
    139: [{"id": 7, "category_id": 187, "iscrowd": 0}],
}
DRAWN = {785: [[SKY] * 6, [SKY, SKY, DOG, DOG, 0, 0], [CROWD] * 6, [CROWD] * 5 + [0]], 139: [[7] * 4, [0] * 4, [7] * 4]}
CLASS_MAPS = {EMPTY: [[2] * 4, [255] * 4, [2] * 4], STREET: [[2] * 6, [2, 2, 1, 1, 255, 255], [0] * 6, [0] * 5 + [255]]}


def colours(ids: list[list[int]]) -> np.ndarray:
    """Segment ids as red, green, blue: its bytes, the lowest first."""
    return np.array([[list(number.to_bytes(3, "little")) for number in row] for row in ids], np.uint8)


def write_panoptic(root: Path, own: bool = False) -> Path:
    path = root / ("panoptic.json" if own else "annotations/panoptic_val2017.json")
    annotations = []
    for record in IMAGES:
        name = record["file_name"].replace(".jpg", ".png")
        write_photo(root / ("images" if own else "val2017") / record["file_name"], record["width"], record["height"])
        write_mask(path.with_suffix("") / name, colours(DRAWN[record["id"]]))
        annotations.append({"image_id": record["id"], "file_name": name, "segments_info": SEGMENTS[record["id"]]})
    path.write_text(json.dumps({"images": IMAGES, "annotations": annotations, "categories": PANOPTIC_CATEGORIES}))
    return path


@pytest.mark.parametrize("own", [False, True], ids=["official", "own"])
def test_panoptic_segments_with_void_ignored(tmp_path: Path, own: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)  # no masks to decode
    write_panoptic(tmp_path, own)
    dataset = open_coco_panoptic(tmp_path)
    assert dataset.name == "coco-panoptic"
    assert truths(dataset) == CLASS_MAPS
    assert_classes(dataset, 3, False, c0="person", c1="dog", c2="sky-other-merged")
    assert list(truths(open_coco_panoptic(tmp_path, size=1))) == [EMPTY]


def test_miou_of_panoptic_by_hand(tmp_path: Path):
    """Sky everywhere but for the crowd: sky 16 hits, union 16 + 2; person 11 / 11; the dog is missed."""
    write_panoptic(tmp_path)
    said = {EMPTY: [[2] * 4] * 3, STREET: [[2] * 6, [2] * 6, [0] * 6, [0] * 6]}
    assert miou(open_coco_panoptic(tmp_path), said) == pytest.approx((16 / 18 + 1 + 0) / 3)


def test_panoptic_files_that_are_missing_or_wrong_are_named(tmp_path: Path):
    with refused("coco-panoptic", "annotations/panoptic_val2017.json", PAGE):
        open_coco_panoptic(tmp_path)
    path = write_panoptic(tmp_path)
    drawn = path.with_suffix("") / "000000000139.png"
    write_mask(drawn, colours([[8] * 4] * 3))
    with refused(drawn, "number 8"):
        truths(open_coco_panoptic(tmp_path))
    write_mask(drawn, colours([[7] * 3] * 4))
    with refused(drawn, "3 x 4"):
        truths(open_coco_panoptic(tmp_path))
    drawn.unlink()
    with refused("coco-panoptic: 1 of 2 masks are missing", EMPTY, PAGE):
        open_coco_panoptic(tmp_path)
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"annotations": data["annotations"][1:]}))
    with refused("coco-panoptic: 2 of 2 masks are missing"):
        open_coco_panoptic(tmp_path)
    path.write_text(json.dumps(data | {"annotations": INSTANCES}))
    with refused(path, "COCO's form"):
        open_coco_panoptic(tmp_path)

"""COCO's JSON: instances as polygons and run lengths, panoptic segments as colours of a PNG."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from pycocotools import mask as coco_mask

from tests.evaluation.miniature import assert_classes, miou, refused, truths, write_mask, write_photo
from zeroseg.evaluation.coco_json import open_coco_instances, open_coco_panoptic
from zeroseg.evaluation.masks import Fit, MaskOptions
from zeroseg.images import UPRIGHT

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
    """The same on 6 x 4 pixels as an uncompressed RLE: zeros and ones in turn, column after column."""
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
        ([], "nothing is drawn"),
        ([[1, 1, 2, 1, 2, 2, 1]], "odd number"),
        ([[1, 1, 2, 1, 2, float("nan")]], "not a finite number"),
        ([[1, 1, 2, 1, 2, 1e12]], "pixels away"),
        ([["a", 1, 2, 1, 2, 2]], "could not convert"),
        ({"size": [4, 6], "counts": [20]}, "run lengths of 20 pixels"),
        ({"size": [4, 6], "counts": [30, -6]}, "run lengths of 24 pixels"),
        ({"size": [6, 4], "counts": [24]}, "4 x 6 pixels"),
        ({"size": [4, 6], "counts": ""}, "run lengths of 0 pixels for 6 x 4"),
        ({"size": [4, 6], "counts": "4"}, "run lengths of 4 pixels"),
        ({"size": [4, 6], "counts": "d05"}, "run lengths of 25 pixels"),
        ({"size": [4, 6], "counts": "h0O"}, "run lengths of 23 pixels"),
        ({"size": [4, 6], "counts": "h"}, "cut off"),
        ({"size": [4, 6], "counts": "h0 "}, "' ' in compressed"),
        ({"size": [4, 6], "counts": None}, "annotation"),
        (None, "nothing is drawn"),
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
    dataset = open_coco_instances(tmp_path)
    (problem,) = dataset.check().problems
    assert problem.name == STREET
    assert problem.sentence == f"There is no file {str(tmp_path / 'val2017' / STREET)!r}; check the path."
    assert truths(dataset.without({STREET})) == {EMPTY: [[0] * 4] * 3}
    (tmp_path / "val2017" / EMPTY).unlink()
    with refused("coco-instances: 2 of 2 images are missing", EMPTY, PAGE):
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


def write(path: Path, images: object = IMAGES, annotations: object = (), categories: object = CATEGORIES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


@pytest.mark.parametrize(
    ("categories", "said"),
    [
        ([*CATEGORIES, {"id": "18", "name": "cat"}], "gives the id 18 to 'dog' and 'cat'"),
        ([{"id": 1, "name": " "}], "without a name"),
        ([{"id": None, "name": "dog"}], "COCO's form"),
        ([*CATEGORIES, {"id": 2, "name": None}], "None is not the name of a category"),
        ([{"id": 2, "name": ["dog"]}], "['dog'] is not the name of a category"),
        ([{"id": number, "name": f"thing {number}"} for number in range(4097)], "4097 classes, more than 4,096"),
        ([], "names no class"),
    ],
)
def test_categories_that_make_no_sense_are_refused(tmp_path: Path, categories: object, said: str):
    path = write(write_instances(tmp_path, []), categories=categories)
    with refused(path, said):
        open_coco_instances(tmp_path)


# --- as tools write them ----------------------------------------------------------------------------

STREETS = [{"id": 785, "file_name": STREET, "width": 6, "height": 4}]
ROW = [[2] * 6, *[[0] * 6] * 3]  # a dog along the upper edge
DOG_ROW = {"id": 7, "image_id": 785, "category_id": 18, "segmentation": box(0, 0, 6, 1)}


def test_corners_that_are_too_few_are_dropped_and_objects_without_pixels_counted(tmp_path: Path):
    dropped = [*box(0, 0, 6, 1), [2, 2, 5, 3], [1, 3], []]
    nothing = [[[2, 2, 5, 3]], [[1, 3]], [], [[], [2, 2, 3, 3]]]
    annotations = [instance(18, dropped, 6), *(instance(1, one, 0) for one in nothing)]
    write_instances(tmp_path, annotations)
    dataset = open_coco_instances(tmp_path)
    assert truths(dataset)[STREET] == ROW
    findings = dataset.check()
    assert findings.problems == ()
    (note,) = findings.notes
    assert note.startswith("4 objects are without any pixel")


@pytest.mark.parametrize(
    "boxed",
    [
        {},
        {"segmentation": None},
        {"segmentation": []},
        {"segmentation": [[1, 1, 3, 2]]},
        {"segmentation": [1, 1, 3, 2]},
        {"segmentation": {}},
    ],
    ids=lambda boxed: json.dumps(boxed),
)
def test_a_box_alone_is_a_problem_of_its_image_and_not_the_end(tmp_path: Path, boxed: dict[str, object]):
    annotation = {"id": 4711, "image_id": 785, "category_id": 18, "bbox": [1, 1, 3, 2], **boxed}
    path = write_instances(tmp_path, [DOG_ROW, annotation])
    dataset = open_coco_instances(tmp_path)
    (problem,) = dataset.check().problems
    assert problem.name == STREET
    for word in (str(path), "annotation 4711", "a box alone"):
        assert word in problem.sentence
    assert truths(dataset.without({problem.name})) == {EMPTY: [[0] * 4] * 3}


def test_numbers_and_ids_may_be_texts_and_crowds_need_no_flag(tmp_path: Path):
    """The crowd's flag is text, too: "0" is none."""
    images = [{"id": "785", "file_name": STREET, "width": "6", "height": 4.0}]
    annotations = [
        {"id": "a", "image_id": 785.0, "category_id": "18", "iscrowd": "0", "area": "6.5",
         "segmentation": [[str(number) for number in part] for part in box(0, 0, 6, 1)]},
        {"id": 2, "image_id": "785", "category_id": 1, "iscrowd": "1", "area": float("nan"),
         "segmentation": {"size": ["4", 6], "counts": ["0", 1.0, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]}},
    ]  # fmt: skip
    write(write_instances(tmp_path), images, annotations)
    assert truths(open_coco_instances(tmp_path)) == {STREET: ROW}


def test_a_polygon_without_a_list_round_it(tmp_path: Path):
    write(write_instances(tmp_path), STREETS, [{**DOG_ROW, "segmentation": box(0, 0, 6, 1)[0]}])
    assert truths(open_coco_instances(tmp_path)) == {STREET: ROW}


@pytest.mark.parametrize("area", [0, None, float("inf"), -3, "much"])
def test_areas_that_are_no_areas_are_counted(tmp_path: Path, area: object):
    """The small dog lies over the person although no area says so."""
    person = {**DOG_ROW, "id": 8, "category_id": 1, "segmentation": box(0, 0, 6, 4), "area": area}
    write(write_instances(tmp_path), STREETS, [{**DOG_ROW, "area": area}, person])
    assert truths(open_coco_instances(tmp_path)) == {STREET: [[2] * 6, *[[1] * 6] * 3]}


def test_an_image_that_is_listed_twice_has_the_annotations_of_both(tmp_path: Path):
    images = [*STREETS, {**STREETS[0], "id": 9}, {**STREETS[0], "id": 10, "file_name": f"./{STREET}"}]
    annotations = [DOG_ROW, {**DOG_ROW, "image_id": 9, "category_id": 1, "segmentation": box(0, 3, 6, 4)}]
    write(write_instances(tmp_path), images, annotations)
    assert truths(open_coco_instances(tmp_path)) == {STREET: [[2] * 6, [0] * 6, [0] * 6, [1] * 6]}
    write(write_instances(tmp_path), [*STREETS, {**STREETS[0], "id": 9, "width": 7}, IMAGES[1]], annotations)
    (problem,) = open_coco_instances(tmp_path).check().problems
    assert problem.name == STREET
    assert "twice, in two sizes" in problem.sentence


def test_an_id_of_two_images_leaves_their_annotations_open(tmp_path: Path):
    write(write_instances(tmp_path), [*STREETS, {**IMAGES[1], "id": 785}], [DOG_ROW])
    findings = open_coco_instances(tmp_path).check()
    assert [problem.name for problem in findings.problems] == [EMPTY, STREET]
    assert all("gives the id 785 to 2 images" in problem.sentence for problem in findings.problems)
    write(write_instances(tmp_path), [*STREETS, {**IMAGES[1], "id": 785}], [])
    assert open_coco_instances(tmp_path).check().problems == ()


@pytest.mark.parametrize("size", [{}, {"width": None, "height": None}, {"width": 0, "height": 0}])
def test_an_image_without_a_size_has_its_files(tmp_path: Path, size: dict[str, object]):
    write(write_instances(tmp_path), [{"id": 785, "file_name": STREET, **size}], [DOG_ROW])
    assert truths(open_coco_instances(tmp_path)) == {STREET: ROW}


@pytest.mark.parametrize("width", [-6, 6.5, "six", float("nan"), 60])
def test_a_size_that_is_none_or_another_is_named(tmp_path: Path, width: object):
    path = write(write_instances(tmp_path), [{**STREETS[0], "width": width}], [DOG_ROW])
    (problem,) = open_coco_instances(tmp_path).check().problems
    assert str(path) in problem.sentence
    assert STREET in problem.sentence


FILE_NAMES = {
    "sub-folders": ("images/a/one.png", "a/one.png"),
    "backslashes": ("images/a/one.png", "a\\one.png"),
    "relative to the JSON": ("photos/one.png", "photos/one.png"),
    "with the images' folder": ("images/one.png", "images\\one.png"),
    "of another machine": ("images/one.png", "/home/somebody/mine/images/one.png"),
    "of Windows": ("images/a/one.png", "C:\\Users\\Jo\\mine\\a\\one.png"),
    "of a server": ("images/8f-one.png", "/data/upload/3/8f-one.png"),
    "without folders": ("images/one.png", "one.png"),
    "relative": ("images/one.png", "./images/../images/one.png"),
}


@pytest.mark.parametrize(("place", "name"), FILE_NAMES.values(), ids=FILE_NAMES)
@pytest.mark.parametrize("given", ["folder", "JSON", "JSON in annotations"])
def test_images_are_found_as_tools_name_them(tmp_path: Path, place: str, name: str, given: str):
    write_photo(tmp_path / place, 6, 4)
    (tmp_path / "images").mkdir(exist_ok=True)
    path = tmp_path / {"folder": "instances.json", "JSON": "_annotations.coco.json"}.get(given, "annotations/all.json")
    write(path, [{**STREETS[0], "file_name": name}], [DOG_ROW])
    (found,) = truths(open_coco_instances(tmp_path if given == "folder" else path)).values()
    assert found == ROW


@pytest.mark.parametrize(
    "name", ["a" * 300 + ".png", "a" * 300 + "/one.png", "\0one.png"], ids=["file", "folder", "zero"]
)
def test_a_name_that_no_file_can_have_is_not_found(tmp_path: Path, name: str):
    write_photo(tmp_path / "images/other.png", 6, 4)
    write(tmp_path / "instances.json", [{**STREETS[0], "file_name": name}])
    with refused("coco-instances: 1 of 1 images are missing", name.lstrip("\0")[:7]):
        open_coco_instances(tmp_path)


def test_an_absolute_path_that_exists_is_taken(tmp_path: Path):
    write_photo(tmp_path / "elsewhere/one.png", 6, 4)
    path = write(tmp_path / "mine/all.json", [{**STREETS[0], "file_name": str(tmp_path / "elsewhere/one.png")}])
    assert list(truths(open_coco_instances(path)).values()) == [[[0] * 6] * 4]


def test_images_that_only_folders_tell_apart_are_not_taken_for_each_other(tmp_path: Path):
    write_photo(tmp_path / "images/one.png", 6, 4)
    images = [{**STREETS[0], "file_name": f"{day}/one.png", "id": day} for day in ("monday", "tuesday")]
    path = write(tmp_path / "instances.json", images, [])
    with refused(path, "'monday/one.png'", "'tuesday/one.png'", tmp_path / "images/one.png"):
        open_coco_instances(tmp_path)
    for day in ("monday", "tuesday"):
        write_photo(tmp_path / f"images/{day}/one.png", 6, 4)
    assert list(truths(open_coco_instances(tmp_path))) == ["monday/one.png", "tuesday/one.png"]


def test_a_json_in_place_of_the_folder_has_no_splits(tmp_path: Path):
    path = write_instances(tmp_path, own=True)
    assert truths(open_coco_instances(path))[STREET] == PAINTED
    with refused("coco-instances", path, "'train'"):
        open_coco_instances(path, "train")


def test_categories_of_one_name_are_one_class_and_gaps_none(tmp_path: Path):
    """Roboflow writes a category 0 that may have the name of another one; tools name the background, too."""
    categories = [
        {"id": 0, "name": "dog"}, {"id": 18, "name": "Dog "}, {"id": 18, "name": "Dog"}, {"id": 7, "name": "person"},
        {"id": 99, "name": "Background"},
    ]  # fmt: skip
    hole = {**DOG_ROW, "id": 9, "category_id": 99, "segmentation": box(0, 0, 1, 1)}
    annotations = [DOG_ROW, {**DOG_ROW, "id": 8, "category_id": 0, "segmentation": box(0, 3, 6, 4)}, hole]
    write(write_instances(tmp_path), STREETS, annotations, categories)
    dataset = open_coco_instances(tmp_path)
    assert_classes(dataset, 3, True, c1="dog", c2="person")
    assert truths(dataset)[STREET] == [[0, 1, 1, 1, 1, 1], [0] * 6, [0] * 6, [1] * 6]


def test_categories_to_ignore_and_where_nothing_is(tmp_path: Path):
    write_instances(tmp_path)
    people = open_coco_instances(tmp_path, masks=MaskOptions(ignore=(18, 90)))
    assert_classes(people, 2, True, c1="person")
    assert truths(people)[STREET] == [[{2: 255, 3: 255}.get(number, number) for number in row] for row in PAINTED]
    things = open_coco_instances(tmp_path, masks=MaskOptions(ignore=(0,)))
    assert_classes(things, 3, False, c0="person", c1="dog", c2="toothbrush")
    assert truths(things)[STREET] == [[number - 1 if number else 255 for number in row] for row in PAINTED]
    with refused("no category 17"):
        open_coco_instances(tmp_path, masks=MaskOptions(ignore=(17,)))


@pytest.mark.parametrize("fit", [None, "upright", "stored"])
@pytest.mark.parametrize("orientation", list(UPRIGHT))
def test_polygons_on_photos_that_exif_turns(tmp_path: Path, orientation: int, fit: Fit | None):
    """A dog in one corner, drawn on the upright picture, whose size the JSON has; or on the stored pixels."""
    stored = np.zeros((4, 6), np.uint8)
    stored[0, :2] = 2
    image = Image.fromarray(stored * 100)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / "images/one.png"
    path.parent.mkdir()
    image.save(path, exif=exif)
    upright = np.array(Image.fromarray(stored).transpose(UPRIGHT[orientation]))
    drawn = stored if fit == "stored" else upright
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    corners = box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    record = {"id": 785, "file_name": "one.png", "width": drawn.shape[1], "height": drawn.shape[0]}
    write(tmp_path / "instances.json", [record], [{**DOG_ROW, "segmentation": corners}])
    dataset = open_coco_instances(tmp_path, masks=MaskOptions(fit=fit))
    assert truths(dataset) == {"one.png": upright.tolist()}
    assert len(dataset.check().notes) == (fit is None and orientation in {2, 3, 4})


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
    dataset = open_coco_panoptic(tmp_path)
    (problem,) = dataset.check().problems
    assert problem.name == EMPTY
    assert problem.sentence == f"There is no file {str(drawn)!r}; check the path."
    assert truths(dataset.without({EMPTY})) == {STREET: CLASS_MAPS[STREET]}
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"annotations": data["annotations"][:1]}))
    (problem,) = open_coco_panoptic(tmp_path).check().problems
    assert problem.name == EMPTY
    assert f"{EMPTY!r} has 0 files of segments" in problem.sentence
    path.write_text(json.dumps(data | {"annotations": data["annotations"][1:]}))
    with refused("coco-panoptic: 2 of 2 masks are missing", EMPTY, PAGE):
        open_coco_panoptic(tmp_path)
    path.write_text(json.dumps(data | {"annotations": INSTANCES}))
    with refused(path, "COCO's form"):
        open_coco_panoptic(tmp_path)


def test_segments_that_cannot_be_read_are_a_problem_of_their_image(tmp_path: Path):
    path = write_panoptic(tmp_path)
    data = json.loads(path.read_text())
    del data["annotations"][0]["segments_info"]
    path.write_text(json.dumps(data))
    dataset = open_coco_panoptic(tmp_path)
    (problem,) = dataset.check().problems
    assert problem.name == STREET
    assert str(path) in problem.sentence
    assert truths(dataset.without({STREET})) == {EMPTY: CLASS_MAPS[EMPTY]}


def test_a_panoptic_json_in_place_of_the_folder_with_a_background_and_texts_as_ids(tmp_path: Path):
    path = write_panoptic(tmp_path, own=True)
    data = json.loads(path.read_text())
    data["categories"][0]["name"] = "background"
    for annotation in data["annotations"]:
        annotation["file_name"] = "panoptic\\" + annotation["file_name"]
        for segment in annotation["segments_info"]:
            segment |= {"id": str(segment["id"]), "category_id": str(segment["category_id"])}
    path.write_text(json.dumps(data))
    dataset = open_coco_panoptic(path)
    assert_classes(dataset, 3, True, c1="person", c2="dog")
    assert truths(dataset)[EMPTY] == [[0] * 4, [255] * 4, [0] * 4]
    ignoring = open_coco_panoptic(path, masks=MaskOptions(ignore=(18,)))
    assert_classes(ignoring, 2, True, c1="person")
    assert truths(ignoring)[STREET][1] == [0, 0, 255, 255, 255, 255]


@pytest.mark.parametrize("of_its_own", [True, False])
@pytest.mark.parametrize("orientation", list(UPRIGHT))
def test_panoptic_pngs_of_photos_that_exif_turns(tmp_path: Path, orientation: int, of_its_own: bool):
    """As stored with the photo's EXIF copied into it, or drawn on the upright picture."""
    path = write_panoptic(tmp_path)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    photo = tmp_path / "val2017" / STREET
    with Image.open(photo) as image:
        image.load()
    image.save(photo, exif=exif)
    drawn = Image.fromarray(colours(DRAWN[785]))
    turned = drawn.transpose(UPRIGHT[orientation])
    mask = path.with_suffix("") / STREET.replace(".jpg", ".png")
    drawn.save(mask, exif=exif) if of_its_own else turned.save(mask)
    expected = np.array(Image.fromarray(np.array(CLASS_MAPS[STREET], np.uint8)).transpose(UPRIGHT[orientation]))
    dataset = open_coco_panoptic(tmp_path)
    assert truths(dataset)[STREET] == expected.tolist()
    assert len(dataset.check().notes) == (not of_its_own and orientation in {2, 3, 4})
    if not of_its_own:
        drawn.save(mask)
        assert truths(open_coco_panoptic(tmp_path, masks=MaskOptions(fit="stored")))[STREET] == expected.tolist()

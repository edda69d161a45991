"""MSRC-21 in its two layouts: prepared halves with numbers, and the original download with colours."""

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.miniature import Rows, assert_classes, miou, refused, truths, write_mask, write_photo
from tests.tiny import student, teacher
from zeroseg.dataset_names import official_images, tuning_split
from zeroseg.evaluation import msrc21, open_dataset, open_tuning_set
from zeroseg.evaluation.msrc21 import COLOURS, NUMBERS, open_msrc21
from zeroseg.segmenter import Segmenter

COW, PERSON = "1_11_s", "1_1_s"  # by name in this order ("_" comes after digits), by number in the other
MASKS: dict[str, Rows] = {
    COW: [[0, 2, 2, 4], [0, 2, 4, 4], [7, 7, 7, 23]],  # void; grass; cow; sky; boat
    PERSON: [[5, 5, 8, 8], [11, 11, 22, 22], [1, 19, 10, 3]],  # horse; mountain; face; body; four kinds of stuff
}
ALL: dict[str, Rows] = {
    COW: [[255, 1, 1, 3], [255, 1, 3, 3], [5, 5, 5, 20]],
    PERSON: [[255, 255, 255, 255], [8, 8, 19, 19], [0, 16, 7, 2]],
}
OBJECTS: dict[str, Rows] = {
    COW: [[255, 0, 0, 1], [255, 0, 1, 1], [0, 0, 0, 15]],
    PERSON: [[255, 255, 255, 255], [4, 4, 14, 14], [0, 0, 0, 0]],
}


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    root = tmp_path / "msrc21"
    for split, names in {"validation": [COW, PERSON], "test": [PERSON]}.items():
        for name in names:
            write_photo(root / split / f"images/{name}.jpg")
            write_mask(root / split / f"masks/{name}.png", MASKS[name])
    return tmp_path


@pytest.fixture
def original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four images, of which the first and the third are for validation."""
    monkeypatch.setattr(msrc21, "EVERY_IMAGE", 4)
    root, colours = tmp_path / "MSRC_ObjCategImageDatabase_v2", np.array(list(COLOURS.values()), np.uint8)
    for name, rows in {"1_10_s": MASKS[PERSON], **MASKS, "2_1_s": [[9] * 4] * 3}.items():
        write_photo(root / f"Images/{name}.bmp")
        write_mask(root / f"GroundTruth/{name}_GT.bmp", colours[np.array(rows)])
    return tmp_path


@pytest.mark.parametrize("given", ["", "msrc21"])
def test_all_classes_without_a_background(prepared: Path, given: str):
    dataset = open_msrc21(prepared / given, "validation")
    assert dataset.name == "msrc21"
    assert truths(dataset) == ALL
    assert_classes(dataset, 21, False, c0="building", c3="cow", c8="face", c19="body", c20="boat")


def test_objects_with_all_stuff_as_background(prepared: Path):
    dataset = open_msrc21(prepared, "validation", objects=True)
    assert dataset.name == "msrc21-objects"
    assert truths(dataset) == OBJECTS
    assert_classes(dataset, 16, True, c1="cow", c4="face", c14="body", c15="boat")
    assert not {"horse", "mountain", "void", "sky"} & set(dataset.classes)


def test_words_are_fixed_and_no_two_classes_share_one(prepared: Path):
    whole, objects = (open_msrc21(prepared, "test", objects=objects).vocabulary for objects in (False, True))
    spoken = [word for word, _ in whole.words()]
    assert len(spoken) == len(set(spoken)) == 29
    assert [word for word, place in whole.words() if place == 19] == ["person", "clothes"]
    assert [word for word, place in objects.words() if place == 13] == ["person", "clothes"]
    assert {word for word, place in whole.words() if place == 16} == {"road", "street"}
    assert not {"horse", "mountain"} & set(spoken)


def test_the_original_download_has_colours_and_halves_by_name(original: Path):
    assert list(truths(open_msrc21(original, "validation"))) == [PERSON, "1_10_s"]
    assert list(truths(open_msrc21(original, "validation", size=1))) == [PERSON]
    for place in (original, original / "MSRC_ObjCategImageDatabase_v2"):
        found = truths(open_msrc21(place))
        assert list(found) == ["2_1_s", COW]
        assert found[COW] == ALL[COW]
        assert found["2_1_s"] == [[6] * 4] * 3
    assert truths(open_msrc21(original, objects=True))[COW] == OBJECTS[COW]


def test_the_first_images_of_a_split_are_of_all_scenes(prepared: Path):
    """In the order of names alone, the first hundred of a split would show three or four classes."""
    for name in ("1_30_s", "2_4_s", "20_1_s"):
        write_photo(prepared / f"msrc21/test/images/{name}.jpg")
        write_mask(prepared / f"msrc21/test/masks/{name}.png", MASKS[COW])
    assert list(truths(open_msrc21(prepared, "test"))) == [PERSON, "20_1_s", "2_4_s", "1_30_s"]


def test_unknown_colours_are_void_and_broken_masks_are_named(original: Path):
    mask = original / "MSRC_ObjCategImageDatabase_v2/GroundTruth" / f"{COW}_GT.bmp"
    write_mask(mask, np.full((3, 4, 3), 77, np.uint8))
    assert truths(open_msrc21(original))[COW] == [[255] * 4] * 3
    mask.write_bytes(b"no picture")
    with refused(mask, "not a picture"):
        truths(open_msrc21(original))


def test_a_download_with_fewer_images_would_have_other_halves(original: Path):
    root = original / "MSRC_ObjCategImageDatabase_v2"
    (root / f"Images/{COW}.bmp").unlink()
    with refused("msrc21: 1 of 4 images are missing", COW):
        open_msrc21(original)
    (root / f"GroundTruth/{COW}_GT.bmp").unlink()
    with refused("has 3 images, not 4", root / "Images"):
        open_msrc21(original)


def test_numbers_are_those_of_the_data_sets_own_list():
    assert (NUMBERS["void"], NUMBERS["horse"], NUMBERS["mountain"], NUMBERS["boat"]) == (0, 5, 8, 23)
    assert len(NUMBERS) == len(set(COLOURS.values())) == 24


def test_a_folder_without_its_parts_is_refused(prepared: Path, tmp_path: Path):
    with refused("msrc21", tmp_path / "nowhere", "docs/datasets.md"):
        open_msrc21(tmp_path / "nowhere")
    with refused("msrc21-objects: there is no folder", prepared / "msrc21/test/images/test"):
        open_msrc21(prepared / "msrc21/test/images", objects=True)
    (prepared / f"msrc21/validation/masks/{COW}.png").unlink()
    with refused("1 of 2 masks are missing", COW):
        open_msrc21(prepared, "validation")
    write_mask(prepared / f"msrc21/test/masks/{PERSON}.png", [[24] * 4] * 3)
    with refused(f"{PERSON}.png", "number 24"):
        truths(open_msrc21(prepared))


def test_miou_by_hand(prepared: Path):
    """`COW` with objects: background 6 hits of 6 + 1; cow 2 of 3; boat 1 of 1. Void counts for nothing."""
    dataset = open_msrc21(prepared, "validation", objects=True).without({PERSON})
    assert miou(dataset, {COW: [[9, 0, 0, 0], [9, 0, 1, 1], [0, 0, 0, 15]]}) == pytest.approx((6 / 7 + 2 / 3 + 1) / 3)


def test_margins_are_tuned_on_validation_and_never_on_test(prepared: Path):
    assert official_images("msrc21", "test") == 295
    assert official_images("msrc21-objects", "validation") == 296
    assert list(truths(open_dataset("msrc21-objects", folder=prepared))) == [PERSON]  # test is what is reported
    assert list(truths(open_tuning_set("msrc21-objects", None, 5, prepared))) == [PERSON, COW]
    assert tuning_split("msrc21", "validation") is None
    with refused("msrc21", "no images other"):
        open_tuning_set("msrc21", "validation", 5, prepared)


def test_pictures_that_are_smaller_than_a_student_reads_are_enlarged(prepared: Path):
    small = open_msrc21(prepared).sample(0).image
    assert min(small.size) < student().config.image_size
    named = Segmenter.of(student(), teacher())(small, "cow, grass")
    assert named.class_map.shape == small.size[::-1]

"""Scenes as files: exact masks, captions beside them, a second run that goes on where the first stopped."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Call, assert_one_sentence, opened
from zeroseg.picturebook import draw_scene
from zeroseg.picturebook.writing import MASK_NAMES


def test_write_images_masks_and_captions(call: Call, tmp_path: Path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    words = ["picturebook", "write", "--out", images, "--first", 5, "--masks", masks, "--captions"]
    assert call(*words, "--count", 2).out == f"2 scenes written, 0 already there: {images}\n"
    scene = draw_scene("unlabelled", 5)
    assert np.array_equal(np.asarray(opened(images / "unlabelled-000005.png")), np.asarray(scene.image))
    mask = opened(masks / "unlabelled-000005.png")
    assert mask.mode == "P"
    assert np.array_equal(np.asarray(mask), scene.class_map(MASK_NAMES, missing=0))
    assert np.asarray(mask).min() > 0
    assert json.loads((masks / "labels.json").read_text()) == list(MASK_NAMES)
    first = (images / "unlabelled-000005.png").stat().st_mtime_ns
    (masks / "unlabelled-000006.png").unlink()
    assert call(*words, "--count", 3).out == f"2 scenes written, 1 already there: {images}\n"
    assert (images / "unlabelled-000005.png").stat().st_mtime_ns == first
    assert len(list(masks.glob("*.png"))) == 3
    rows = [json.loads(line) for line in (images / "metadata.jsonl").read_text().splitlines()]
    assert [row["file_name"] for row in rows] == [f"unlabelled-00000{number}.png" for number in (5, 6, 7)]
    assert all(row["text"] for row in rows)


def test_write_larger_jpegs_of_another_split(call: Call, tmp_path: Path):
    words = ["picturebook", "write", "--split", "held-out", "--format", "jpg", "--count", 1, "--out", tmp_path]
    assert call(*words, "--side", 128).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["held-out-000000.jpg"]
    assert opened(tmp_path / "held-out-000000.jpg").size == (128, 128)
    assert_one_sentence(call(*words, "--side", 64), 1, str(tmp_path), "128", "64")


def test_write_refuses_masks_among_the_images_and_damaged_captions(call: Call, tmp_path: Path):
    words = ["picturebook", "write", "--count", 1, "--out", tmp_path]
    assert_one_sentence(call(*words, "--masks", tmp_path / "masks"), 2, "--masks")
    (tmp_path / "metadata.jsonl").write_text("{broken")
    assert_one_sentence(call(*words, "--captions"), 1, "metadata.jsonl")
    (tmp_path / "unlabelled-000000.png").write_text("no picture")
    assert_one_sentence(call(*words), 1, "unlabelled-000000.png")


def test_write_to_a_file(call: Call, tmp_path: Path):
    (tmp_path / "file").touch()
    assert_one_sentence(call("picturebook", "write", "--count", 1, "--out", tmp_path / "file"), 1, "not a folder")


@pytest.mark.parametrize("name", ["sheet.png", "sheet.jpg", "sheet.tiff"])
def test_show_draws_scenes_and_masks_on_a_sheet(name: str, call: Call, tmp_path: Path):
    said = call("picturebook", "show", "--count", 3, "--side", 64, "--out", tmp_path / name)
    if name == "sheet.tiff":
        assert_one_sentence(said, 1, "sheet.tiff", ".png")
        return
    assert (said.code, said.err) == (0, "")
    assert opened(tmp_path / name).width > 6 * 64

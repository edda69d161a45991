"""teach --tower, cache, distill, segment: from named pictures to masks with a LiT as teacher."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Call, assert_one_sentence
from tests.tiny import PATCH_STUDENT, VIEWS, colour_pairs, locked_folder, photo, tower_folder, write_photos
from zeroseg.recipes import RECIPES
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.training.distillation import DistillConfig, LossWeights
from zeroseg.training.loop import LoopConfig

SIZES = [
    *("--image-size", 32, "--embedding-width", 16, "--text-width", 32, "--text-layers", 1, "--heads", 2),
    *("--vocabulary-size", 600, "--longest-text", 24, "--crops", 1, "--steps", 2, "--batch-size", 8),
    *("--loop.workers", 0, "--loop.log-every", 1),
]


@pytest.fixture(autouse=True)
def matmul_precision() -> Iterator[None]:
    """`tune` sets torch's precision for the whole process: other tests must not see it."""
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.fixture
def words(tmp_path: Path) -> list[object]:
    tower, pairs = tower_folder(tmp_path / "tower", "dinov2"), colour_pairs(tmp_path / "pairs")
    return ["teach", "--tower", tower, "--pairs", pairs, "--out", tmp_path / "run", *SIZES]


def test_from_named_pictures_to_a_student_that_segments(
    call: Call, words: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    said = call(*words)
    folder = tmp_path / "run" / "teacher"
    assert said.code == 0, said
    assert said.out == (
        f"the teacher is in {folder}; embed images with it:\n  zeroseg cache IMAGES --teacher {folder} --out CACHE\n"
    )
    assert Teacher.from_pretrained(folder).known_words is not None
    assert_one_sentence(call(*words), 1, "already holds a run", "--resume")
    assert call(*words, "--resume").code == 0

    student = replace(PATCH_STUDENT, teacher=str(folder))
    loop = LoopConfig(steps=2, batch_size=2, workers=0, precision="fp32", log_every=1)
    config = DistillConfig(
        student=student, views=VIEWS, losses=LossWeights(0.0, 0.5, 0.0, 1.0, 1.0, 1.0), centre=True, loop=loop,
        encoder_from_teacher=False,
    )  # fmt: skip
    monkeypatch.setitem(RECIPES, "tiny", lambda: config)
    (tmp_path / "photos").mkdir()
    write_photos(tmp_path / "photos", 4)
    cache = tmp_path / "cache"
    made = call("cache", tmp_path / "photos", "--recipe", "tiny", "--out", cache)
    assert (made.code, made.out) == (0, f"4 images embedded, 0 already there, views 32px 1x1 2x2: {cache}\n")
    options = ["--recipe", "tiny", "--images", tmp_path / "photos", "--cache", cache, "--out", tmp_path / "distilled"]
    assert call("distill", *options).code == 0
    assert Student.from_pretrained(tmp_path / "distilled" / "student").config.teacher == str(folder)
    photo(64, 48).save(tmp_path / "picture.png")
    out = tmp_path / "mask.png"
    masked = call(
        *("segment", tmp_path / "picture.png", "--labels", "ruby, leaf", "--model", tmp_path / "distilled" / "student"),
        *("--out", out),
    )
    assert masked.code == 0, masked


@pytest.mark.parametrize("kind", ["dinov2", "lite"])
def test_a_lit_segments_without_a_student(call: Call, tmp_path: Path, kind: str):
    folder = locked_folder(tmp_path / "lit", kind)
    photo(96, 64).save(tmp_path / "picture.png")
    words = [
        "segment",
        tmp_path / "picture.png",
        "--labels",
        "dog, cat",
        "--model",
        folder,
        "--out",
        tmp_path / "mask.png",
    ]
    said = call(*words, "--method", "maskclip")
    assert said.code == 0, said
    assert (tmp_path / "mask.png").exists()
    for method in ("sclip", "naclip", "clearclip"):
        assert_one_sentence(call(*words, "--method", method), 1, f"no dense read-out '{method}'", "choose maskclip")


def test_settings_say_which_pairs_and_tower(call: Call, words: list[object], tmp_path: Path):
    assert call(*words).code == 0
    settings = json.loads((tmp_path / "run" / "settings.json").read_text(encoding="utf-8"))
    assert settings["tuning"]["crops"] == 1
    assert settings["loop"]["steps"] == 2
    tower, pairs = settings["source"].split()
    assert tower != pairs


def test_what_is_missing_or_wrong(call: Call, words: list[object], tmp_path: Path):
    assert_one_sentence(call("teach", "--tower", "x", "--out", tmp_path / "run"), 2, "`--pairs FOLDER...` is missing")
    assert_one_sentence(call("teach", "--pairs", "x", "--out", tmp_path / "run"), 2, "`--tower TOWER` is missing")
    assert_one_sentence(call(*words[:3], "--pairs", tmp_path, "--out", tmp_path / "run"), 1, "holds no captions")
    nowhere = call("teach", "--tower", tmp_path / "no", *words[3:])
    assert_one_sentence(nowhere, 1, "no image tower could be loaded from", "efficientnet_lite0")
    assert not (tmp_path / "run").exists()
    next((tmp_path / "pairs").glob("*.png")).write_bytes(b"no picture")
    assert_one_sentence(call(*words), 1, "is not a picture that can be read")


def test_an_interruption_says_how_to_go_on(call: Call, words: list[object], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("zeroseg.cli.teach_tower.tune", lambda *_: None)
    said = call(*words)
    assert said.code == 130
    assert said.err == "zeroseg: continue with --resume.\n"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zeroseg.cli.teach_tower.tune", interrupted)
    said = call(*words)
    assert said.code == 130
    assert "the same command continues with the images in" in said.err


def test_the_help_of_teach_names_the_other_form(call: Call):
    assert "zeroseg teach --tower NAME --help" in " ".join(call("teach", "--help").out.split())
    assert "class labels of ImageNet" in " ".join(call("teach", "--tower", "x", "--help").out.split())

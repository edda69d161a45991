"""The chapter on photos: what is measured, on which images, and the figures of its table."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.evaluation.miniature import write_msrc21
from tests.experiments.toy import silent
from tests.tiny import PATCH_STUDENT, student, teacher
from zeroseg.experiments import Record, read_records
from zeroseg.reproduce import photos
from zeroseg.reproduce.photos import (
    ALL,
    NAME,
    OBJECTS,
    PhotoSets,
    Subject,
    measure_missing,
    read_outs,
    student_subject,
    time_recorded,
)
from zeroseg.reproduce.photos_table import UNMEASURED, photo_records, photos_table
from zeroseg.rules import Margin
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut

WORDS = ("grass", "sky")
READ = ReadOut(background=Margin(3.0, presence=2.0), background_words=WORDS, alike=0.7)


@pytest.fixture
def sets(tmp_path: Path) -> PhotoSets:
    return PhotoSets(write_msrc21(tmp_path / "msrc21"), 2)


def subjects() -> list[Subject]:
    return [
        student_subject(0, Segmenter.of(student(PATCH_STUDENT), teacher())),
        next(one for one in read_outs(teacher(), READ) if one.name == "crops"),
    ]


def test_all_readings_are_measured_on_test_and_only_missing_records_are_made(
    sets: PhotoSets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    measure_missing(subjects(), sets, tmp_path, silent)
    ours, crops = photo_records(tmp_path)["student"][0], photo_records(tmp_path)["crops"][0]
    plain = ["patches", "patches, refined"]
    assert list(crops.scores["test"][OBJECTS]) == list(crops.scores["test"][ALL]) == plain
    segments = ["segments", "segments, refined"]
    assert list(ours.scores["test"][OBJECTS]) == [*plain, *segments, "saved"]
    saved = PATCH_STUDENT.read_out.background.name
    assert ours.scores["test"][OBJECTS]["saved"]["read_out"]["background"] == saved
    assert ours.scores["test"][OBJECTS]["patches"]["read_out"]["background"] == "margin"
    assert ours.scores["test"][ALL]["patches"]["read_out"]["background"] == "none"
    assert set(ours.scores["test"][OBJECTS]["patches"]["iou"]) >= {"background", "cow", "boat"}
    assert ours.settings["images"] == {"validation": 3, "test": 2}
    assert crops.settings["flops"] > 0
    assert ours.settings["flops"] > 0
    made: list[str] = []
    monkeypatch.setattr(photos, "_measured", lambda one, *_: made.append(one.name) or ours)
    measure_missing(subjects(), sets, tmp_path, silent)
    assert made == []
    measure_missing(subjects(), replace(sets, test=1), tmp_path, silent)
    assert made == ["student", "crops"]


def test_other_weights_are_another_student():
    model = student(PATCH_STUDENT)
    before = student_subject(0, Segmenter.of(model, teacher())).fingerprint
    assert student_subject(0, Segmenter.of(student(PATCH_STUDENT), teacher())).fingerprint == before
    with torch.no_grad():
        next(model.parameters()).add_(1)
    assert student_subject(0, Segmenter.of(model, teacher())).fingerprint != before


def test_read_outs_have_the_students_background():
    assert [one.name for one in read_outs(teacher(), READ)] == ["windows", "crops", "maskclip"]
    found = [one.segmenter.read_out for one in read_outs(teacher(), READ)]
    assert {(read.background, read.background_words, read.alike) for read in found} == {(READ.background, WORDS, 0.7)}


def test_seconds_are_added_to_records_and_do_not_make_them_stale(sets: PhotoSets, tmp_path: Path):
    ours = subjects()[:1]
    time_recorded(ours, sets, tmp_path)
    assert read_records(tmp_path, NAME) == []  # nothing to add them to
    measure_missing(ours, sets, tmp_path, silent)
    time_recorded(ours, sets, tmp_path)
    (timed,) = read_records(tmp_path, NAME)
    assert timed.settings["seconds"] > 0
    assert timed.settings["threads"] == torch.get_num_threads()
    measure_missing(ours, sets, tmp_path, silent)
    assert read_records(tmp_path, NAME) == [timed]


def record(name: str, seed: int, flops: float, *mious: float, **settings: Any) -> Record:
    """All classes plain and refined, objects plain and refined."""
    scores: dict[str, Any] = {}
    for dataset, (plain, refined) in {ALL: mious[:2], OBJECTS: mious[2:]}.items():
        figures = {"patches": plain, "patches, refined": refined}
        scores[dataset] = {reading: {"miou": value, "upper_bound_miou": 0.9} for reading, value in figures.items()}
    scores[OBJECTS]["saved"] = {"miou": 0.4}
    own = {"flops": flops, "images": {"test": 295, "validation": 100}, **settings}
    nothing: dict[str, Any] = {"training": {}, "validation": {}}
    return Record(NAME, name, seed, own, 0, 0.0, None, {}, nothing, {"test": scores})


def test_the_table_has_means_over_seeds_and_sets_students_beside_the_best_read_out():
    timed = {"seconds": 0.25, "threads": 2}
    found = {
        "student": [
            record("student", 0, 2e9, 0.50, 0.56, 0.40, 0.50, **timed),
            record("student", 1, 2e9, 0.54, 0.60, 0.40, 0.52, **timed),
        ],
        "windows": [record("windows", 0, 80e9, 0.40, 0.45, 0.30, 0.35)],
        "crops": [record("crops", 0, 5e9, 0.39, 0.41, 0.42, 0.31)],
        "maskclip": [record("maskclip", 0, 2e9, 0.30, 0.31, 0.20, 0.21)],
    }
    lines = photos_table(found).splitlines()
    assert lines[2].startswith("| students, named by patch | 52.0 ± 2.8 | 58.0 ± 2.8 | 40.0 ± 0.0 | 51.0 ± 1.4 | 90.0")
    assert lines[2].endswith("| 2.00 | 0.25 | 2 |")
    assert lines[3].startswith("| the same students, named by segment | - | - |")
    assert lines[4].startswith("| its teacher on sliding windows (`windows`) | 40.0 | 45.0 | 30.0 | 35.0 |")
    assert lines[4].endswith("| 80.00 | - | 1 |")
    said = lines[-1]
    assert "Over all classes the students reach 58.0, +13.0 beside" in said
    assert "(`windows`), with 40.0 times fewer" in said
    assert "Over objects and background the students reach 51.0, +9.0 beside" in said
    assert "(`crops`), with 2.5 times fewer" in said
    assert "40.0 ± 0.0 on objects" in said
    assert "with 2 threads" in said
    assert "295 images of `test`; margins from 100 images" in said
    found["maskclip"] = [record("maskclip", 0, 1e9, 0.50, 0.55, 0.20, 0.21)]
    assert (
        "Over all classes the students reach 58.0, +3.0 beside the best read-out of their teacher (`maskclip`), with "
        "2.0 times the operations" in photos_table(found)
    )


def test_a_table_says_what_is_missing():
    nothing: dict[str, list[Record]] = {"student": [], "windows": [], "crops": [], "maskclip": []}
    assert photos_table({}) == photos_table(nothing) == UNMEASURED
    some = nothing | {"student": [record("student", 0, 1e9, 0.5, 0.5, 0.5, 0.5)]}
    assert photos_table(some).endswith("Not measured yet: `windows`, `crops`, `maskclip`.")

"""Records survive the disk, stay small, and know whether a run is the same run."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.experiments.toy import CONFIG, record
from zeroseg.errors import DatasetError
from zeroseg.experiments import read_records
from zeroseg.experiments.records import (
    beside_defaults,
    find_record,
    read_record,
    record_path,
    same_settings,
    settings_of,
    short,
    without_seed,
)  # fmt: skip
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.loop import LoopConfig


def settings(**changes: Any) -> dict[str, Any]:
    return settings_of(replace(CONFIG, **changes), "cafe", 6, {"validation": 1, "held-out": 1})


def test_a_record_round_trips(tmp_path: Path):
    written = record("batch-8", seed=2)
    written.write(tmp_path)
    path = record_path(tmp_path, "toy", "batch-8", 2)
    assert path == tmp_path / "toy" / written.name
    assert read_record(path) == written
    assert json.loads(path.read_text()) == asdict(written)
    assert read_records(tmp_path, "toy") == [written]
    assert read_records(tmp_path, "other") == []


def test_a_record_has_a_line_for_every_list(tmp_path: Path):
    record().write(tmp_path)
    lines = record_path(tmp_path, "toy", "base", 0).read_text().splitlines()
    assert '   "token_cosine": [0.25, 1.0],' in lines
    assert '    "product": {"miou": 0.5, "upper_bound_miou": 0.8}' in lines


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"experiment": "toy"}', "\udcff"])
def test_a_damaged_record_is_named(content: str, tmp_path: Path):
    path = tmp_path / "base-0.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DatasetError, match=r"base-0.json.*delete"):
        read_record(path)


def test_a_record_under_another_name_is_refused(tmp_path: Path):
    record().write(tmp_path)
    moved = record_path(tmp_path, "toy", "base", 0).rename(tmp_path / "toy" / "base-1.json")
    with pytest.raises(DatasetError, match="another run"):
        read_record(moved)


def test_settings_are_plain_and_leave_out_what_the_student_does_not_feel():
    assert settings() == json.loads(json.dumps(settings()))
    elsewhere = replace(CONFIG.student, teacher="/some/where")
    watched = replace(
        CONFIG.loop, log_every=7, evaluate_every=3, checkpoint_every=2, workers=5, patience=1, micro_batches=2
    )
    assert settings(student=elsewhere, loop=watched) == settings()


@pytest.mark.parametrize(
    "changes",
    [
        {"centre": True},
        {"student": replace(CONFIG.student, segment_tokens=(5, 2))},
        {"loop": replace(CONFIG.loop, seed=1)},
        {"loop": replace(CONFIG.loop, optimiser=replace(CONFIG.loop.optimiser, learning_rate=1.0))},
        {"losses": replace(CONFIG.losses, matching=0.5)},
    ],
)
def test_any_other_setting_is_another_run(changes: dict[str, Any]):
    assert not same_settings(settings(), settings(**changes))


def test_teacher_images_and_scenes_belong_to_the_settings():
    scenes = {"validation": 1, "held-out": 1}
    assert not same_settings(settings(), settings_of(CONFIG, "beef", 6, scenes))
    assert not same_settings(settings(), settings_of(CONFIG, "cafe", 7, scenes))
    assert not same_settings(settings(), settings_of(CONFIG, "cafe", 6, {**scenes, "held-out": 2}))


def test_an_option_that_is_newer_than_the_record_is_at_its_default_there():
    former = settings()
    del former["distill"]["mask_ratio"], former["distill"]["student"]["read_out"]["keep_mean"]
    assert same_settings(former, settings())
    assert same_settings(settings(), former)
    assert not same_settings(former, settings(mask_ratio=0.5))
    gone = settings()
    gone["distill"]["abandoned"] = 1
    assert not same_settings(gone, settings())
    paper = settings_of(DistillConfig(), "", 0, {})
    del paper["distill"]["student"]["read_out"]["keep_mean"]
    assert same_settings(paper, settings_of(DistillConfig(), "", 0, {}))  # nothing is left of either
    assert beside_defaults(former) == beside_defaults(settings())  # so a run goes on in its folder
    assert "mask_ratio" not in beside_defaults(settings(mask_ratio=DistillConfig().mask_ratio))["distill"]
    assert beside_defaults(settings(mask_ratio=0.5))["distill"]["mask_ratio"] == 0.5


def test_seeds_can_be_left_out():
    one, other = settings(), settings(loop=replace(CONFIG.loop, seed=9))
    assert without_seed(one) == without_seed(other)
    assert other["distill"]["loop"]["seed"] == 9


def test_figures_are_short():
    assert [short(value) for value in (1 / 3, 123456.0, float("nan"), float("inf"))] == [0.3333, 123500.0, None, None]


def test_a_whole_record_stays_small(tmp_path: Path):
    """Thirty points of training, three data sets, four readings, all settings: under 10 kB."""
    names = [f"an_instrument_{k}" for k in range(14)]
    readings = {f"reading {k}, refined": {"miou": 0.1234, "upper_bound_miou": 0.1234, "margin": 10.5} for k in range(4)}
    full = record(
        settings=settings_of(DistillConfig(loop=LoopConfig()), "cafe", 6, {}),
        curve={
            "training": {"step": list(range(1000, 1030))} | {name: [0.12345] * 30 for name in names},
            "validation": {"step": list(range(9)), "miou": [0.1234] * 9, "upper_bound_miou": [0.1234] * 9},
        },
        scores={split: {f"picturebook-{k}": readings for k in range(3)} for split in ("validation", "held-out")},
    )
    full.write(tmp_path)
    assert record_path(tmp_path, "toy", "base", 0).stat().st_size < 10_000


# --- records of older versions ----------------------------------------------------------------------


def write_former(folder: Path, seed: int = 0) -> Path:
    """A record as it was written when the upper bound was an oracle's, and so were true regions."""
    record("true-regions", seed).write(folder)
    path = record_path(folder, "toy", "true-regions", seed)
    text = path.read_text().replace("true-regions", "oracle").replace("upper_bound_miou", "oracle_miou")
    path.unlink()
    path = record_path(folder, "toy", "oracle", seed)
    path.write_text(text)
    return path


def test_a_former_record_is_read_under_the_names_of_today(tmp_path: Path):
    path = write_former(tmp_path)
    before = path.read_bytes()
    assert b"oracle_miou" in before
    assert read_record(path) == record("true-regions")
    assert read_records(tmp_path, "toy") == [record("true-regions")]
    assert path.read_bytes() == before


def test_a_record_is_found_under_either_name_of_its_variant(tmp_path: Path):
    assert find_record(tmp_path, "toy", "true-regions", 0) is None
    write_former(tmp_path)
    assert find_record(tmp_path, "toy", "true-regions", 0) == record("true-regions")
    assert find_record(tmp_path, "toy", "true-regions", 1) is None
    newer = record("true-regions", miou=0.9)
    newer.write(tmp_path)
    assert find_record(tmp_path, "toy", "true-regions", 0) == newer
    assert find_record(tmp_path, "toy", "base", 0) is None


def test_the_committed_records_of_true_regions_are_found():
    found = find_record(Path(__file__).parents[2] / "docs/records", "tables", "true-regions", 0)
    assert found is not None
    assert found.variant == "true-regions"
    assert found.scores["held-out"]["picturebook-voc"]["own"].keys() >= {"miou", "upper_bound_miou"}

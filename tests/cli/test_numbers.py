"""Numbers that are no numbers, and counts of nothing: one sentence that names the option, from every command."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from tests.cli.conftest import Call, assert_one_sentence
from zeroseg.cli.cache import Cache
from zeroseg.cli.demo import Demo
from zeroseg.cli.distill import Distill
from zeroseg.cli.evaluate import Evaluate
from zeroseg.cli.experiment import Experiment
from zeroseg.cli.picturebook import Show, Write
from zeroseg.cli.reproduce import Reproduce
from zeroseg.cli.segment import Segment
from zeroseg.cli.teach import Teach
from zeroseg.cli.teach_tower import TeachTower
from zeroseg.student.config import ReadOut
from zeroseg.training.distillation import DistillConfig
from zeroseg.views import ViewsConfig

COMMANDS: dict[str, tuple[list[str], list[type]]] = {
    "segment": (["segment", "photo.jpg", "--labels", "dog"], [Segment]),
    "evaluate": (["evaluate"], [Evaluate]),
    "picturebook show": (["picturebook", "show", "--out", "sheet.png"], [Show]),
    "picturebook write": (["picturebook", "write", "--out", "scenes"], [Write]),
    "demo": (["demo"], [Demo]),
    "teach": (["teach", "--out", "run"], [Teach]),
    "teach --tower": (["teach", "--tower", "tower", "--pairs", "pairs", "--out", "run"], [TeachTower]),
    "cache": (["cache", "photos", "--out", "cache"], [Cache, ViewsConfig]),
    "distill": (["distill", "--images", "photos", "--cache", "cache", "--out", "run"], [Distill, DistillConfig]),
    "experiment": (["experiment", "faithful"], [Experiment]),
    "reproduce": (["reproduce"], [Reproduce]),
}


SEVERAL = ("--shares", "--windows.scales")  # options that take several numbers


def options(command: Any, kind: type, prefix: str = "") -> Iterator[str]:
    """The options of a command's fields that hold numbers of a kind, those of the configs in it, too."""
    hints = get_type_hints(command, include_extras=True)
    for one in fields(command):
        hint, name = hints[one.name], one.name
        if get_origin(hint) is Annotated:
            name = next((mark.name for mark in get_args(hint)[1:] if getattr(mark, "name", None) is not None), name)
            hint = get_args(hint)[0]
        if hint is ReadOut:  # its options are those of its saved form
            yield from (
                f"--{prefix}{name}.{key}".replace("_", "-")
                for key, value in ReadOut().to_json().items()
                if type(value) is kind
            )
        elif is_dataclass(hint):
            yield from options(hint, kind, f"{prefix}{name}." if name else prefix)
        elif kind in (hint, *get_args(hint)):
            yield f"--{prefix}{name}".replace("_", "-")


FLOATS = [
    (command, option) for command, (_, classes) in COMMANDS.items() for one in classes for option in options(one, float)
]


def test_the_table_knows_the_options_of_numbers():
    assert len(FLOATS) > 30
    assert {("segment", "--margin"), ("demo", "--minutes"), ("reproduce", "--tflops")} <= set(FLOATS)
    assert {("distill", "--student.read-out.margin"), ("teach", "--learning-rate")} <= set(FLOATS)


@pytest.mark.parametrize(("command", "option"), FLOATS)
def test_no_float_is_nan_or_infinite(
    command: str, option: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    words, _ = COMMANDS[command]
    for number in ("nan", "-inf") if command != "segment" else ("nan", "inf", "-inf", "1e999"):
        said = call(*words, f"{option}={number}")
        assert_one_sentence(said, 2, f"'{number}' does not fit `{option} {'[' * (option in SEVERAL)}FLOAT")
    assert list(tmp_path.iterdir()) == []


SENSELESS = [
    ("segment", "--threshold", "-0.1 1.5"),
    ("segment", "--refinement", "-1"),
    ("segment", "--min-area", "-0.1 1"),
    ("evaluate", "--size", "0 -3"),
    ("evaluate", "--refinement", "-1"),
    ("evaluate", "--smallest-region", "-0.1 1"),
    ("picturebook show", "--count", "0 -1"),
    ("picturebook show", "--first", "-1"),
    ("picturebook show", "--side", "0 -96"),
    ("picturebook write", "--count", "0 -1"),
    ("picturebook write", "--first", "-1"),
    ("picturebook write", "--side", "0 -96"),
    ("demo", "--minutes", "0 -3"),
    ("cache", "--side", "0 -84"),
    ("cache", "--grids", "0 -1"),
    ("experiment", "--seeds", "0 -1"),
    ("experiment", "--steps", "0 -1"),
    ("experiment", "--scenes.validation", "-1"),
    ("reproduce", "--seeds", "0 -1"),
    ("reproduce", "--tflops", "0 -30"),
    ("reproduce", "--scenes.held-out", "-1"),
    *(("teach", f"--{name}", "0 -1") for name in ("steps", "batch-size", "image-size", "patch-size", "heads")),
    *(("teach", f"--{name}", "0 -1") for name in ("vision-width", "vision-layers", "text-width", "text-layers")),
    *(("teach", f"--{name}", "0 -1") for name in ("embedding-width", "vocabulary-size", "longest-text")),
    ("teach", "--seed", "-1 4294967296"),
    ("teach", "--learning-rate", "0 -1"),
    ("teach", "--vision-width", "130"),
    ("teach", "--image-size", "50"),
    *(("teach --tower", f"--{name}", "0 -1") for name in ("image-size", "embedding-width", "text-layers", "heads")),
    ("teach --tower", "--crops", "-1"),
    *(("teach --tower", f"--{name}", "0 1.5") for name in ("smallest-crop", "smallest-view")),
    *(("teach --tower", f"--{name}", "-1") for name in ("views", "sentences", "whitening")),
    *(("teach --tower", f"--{name}", "0 -1") for name in ("scale", "photos-at-once", "views-at-once", "words-at-once")),
    ("teach --tower", "--shares", "-1"),
    *(("distill", f"--loop.{name}", "0 -1") for name in ("steps", "batch-size", "log-every", "evaluate-every")),
    *(("distill", f"--loop.{name}", "0 -1") for name in ("checkpoint-every", "patience")),
    ("distill", "--loop.workers", "-1"),
    ("distill", "--loop.seed", "-1"),
    ("distill", "--loop.optimiser.learning-rate", "0 -1"),
    ("distill", "--loop.optimiser.warmup", "-0.1 1.1"),
    ("distill", "--loop.optimiser.weight-decay", "-1"),
    ("distill", "--loop.optimiser.beta1", "1 -0.1"),
    ("distill", "--loop.optimiser.beta2", "1 -0.1"),
    ("distill", "--loop.optimiser.clip-norm", "0 -1"),
    *(("distill", f"--student.{name}", "0 -8") for name in ("image-size", "patch-size", "width", "layers", "heads")),
    *(("distill", f"--student.{name}", "0 -8") for name in ("embedding-width", "inference-size", "temperature")),
    ("distill", "--student.decoder-layers", "-1"),
    ("distill", "--student.head-layers", "0 -1"),
    ("distill", "--losses.dense", "-1"),
    ("distill", "--first-images", "-1"),
    ("distill", "--mask-ratio", "-0.1 1"),
    ("distill", "--focus", "-1"),
    ("distill", "--pretraining", "-0.1 1"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "option", "values"), SENSELESS, ids=[" ".join(row[:2]) for row in SENSELESS])
def test_counts_of_nothing_and_fractions_of_more_than_all_are_refused(
    command: str, option: str, values: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    words, _ = COMMANDS[command]
    name = option.rpartition(".")[2].removeprefix("--")
    for value in values.split():
        said = call(*words, f"{option}={value}")
        assert said.code in (1, 2)
        assert_one_sentence(said, said.code)
        spoken = said.err.replace("_", "-").replace(" ", "-")
        assert name in spoken or "every-size" in spoken or name.rstrip("s") in spoken, said.err
    assert list(tmp_path.iterdir()) == []

"""Words that make no sense: exit code 2, one clear sentence, and where the help is."""

import io
import sys
from typing import get_args

import pytest

from tests.cli.conftest import Call, assert_one_sentence
from zeroseg.baselines import BaselineName
from zeroseg.cli.evaluate import Evaluate
from zeroseg.cli.parsing import parse
from zeroseg.cli.picturebook import Write
from zeroseg.cli.segment import Segment
from zeroseg.evaluation import DATASETS, PROTOCOLS
from zeroseg.picturebook import SPLITS
from zeroseg.rules import RULES, RuleName
from zeroseg.student.config import Naming

PHOTO = ["segment", "photo.jpg", "--labels", "dog"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["segment", "photo.jpg"], ["--labels"]),
        (["segment", "--labels", "dog"], ["at least one photo"]),
        (["segment", "photo.jpg", "--labels"], ["--labels"]),
        ([*PHOTO, "--treshold", "1"], ["no option --treshold", "--threshold FLOAT"]),
        ([*PHOTO, "--naming", "pixels"], ["'pixels'", "--naming", "segments", "patches"]),
        ([*PHOTO, "--margin", "much"], ["'much'", "--margin FLOAT"]),
        ([*PHOTO, "--margin", "1", "--threshold", ".5"], ["--threshold", "--margin"]),
        ([*PHOTO, "--background", "none", "--threshold", ".5"], ["--background product"]),
        ([*PHOTO, "--refinement", "-1"], ["--refinement must be 0 iterations or more, not -1"]),
        (["cache", "photos"], ["--out"]),
        (["cache", "--out", "cache"], ["IMAGES"]),
        (["cache", "photos", "--out", "cache", "--grids", "one"], ["'one'", "--grids"]),
        (["distill"], ["--images", "--cache", "--out", "are missing"]),
        (["distill", "--recipe", "picture-book"], ["'picture-book'", "'picturebook'", "imagenet_vitb16"]),
        (["cost", "--recipe", "tiny"], ["'tiny'", "imagenet_vitb16"]),
        (["teach"], ["--out RUN` is missing"]),
        (["evaluate", "--dataset", "voc"], ["'voc'", "picturebook-voc"]),
        (["evaluate", "--size", "0"], ["--size"]),
        (["evaluate", "--refinement", "-1"], ["--refinement", "-1"]),
        (["evaluate", "--method", "gem"], ["'gem'", "--method", "naclip"]),
        (["picturebook", "draw"], ["draw", "show", "write"]),
        (["picturebook", "show"], ["--out"]),
        (["picturebook", "show", "--out", "a.png", "--count", "0"], ["--count"]),
        (["picturebook", "write", "--out", "a", "--side", "4"], ["--side"]),
        (["picturebook", "write", "--out", "a", "stray"], ["stray"]),
        (["demo", "--minutes", "few"], ["'few'", "--minutes FLOAT"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_misuse_is_one_sentence(words: list[str], said: list[str], call: Call):
    assert_one_sentence(call(*words), 2, *said)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_sentences_do_not_depend_on_how_tyro_draws_its_frames(
    encoding: str, call: Call, monkeypatch: pytest.MonkeyPatch
):
    """It asks for the encoding of what it prints to: the same words, in frames of other letters."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert_one_sentence(call("picturebook", "show", "--first", "1"), 2, "`--out FILE` is missing (")
    assert_one_sentence(call(*PHOTO, "--margin", "much"), 2, "'much' does not fit `--margin FLOAT` (")


def test_choices_are_those_of_the_parts_that_they_belong_to():
    """The light commands repeat them, so that their help needs no torch."""
    assert get_args(RuleName) == tuple(RULES)
    for rule in RULES:
        assert parse(Segment, "segment", ["a", "--background", rule]).background == rule
        assert parse(Evaluate, "evaluate", ["--background", rule]).background == rule
    for naming in get_args(Naming):
        assert parse(Segment, "segment", ["a", "--naming", naming]).naming == naming
        assert parse(Evaluate, "evaluate", ["--naming", naming]).naming == naming
    for split in SPLITS:
        assert parse(Evaluate, "evaluate", ["--split", split]).split == split
        assert parse(Write, "picturebook write", ["--out", "a", "--split", split]).split == split
    for method in ("student", *get_args(BaselineName)):
        assert parse(Evaluate, "evaluate", ["--method", method]).method == method
    for protocol in PROTOCOLS:
        assert parse(Evaluate, "evaluate", ["--protocol", protocol]).protocol == protocol
    for dataset in DATASETS:
        assert parse(Evaluate, "evaluate", ["--dataset", dataset]).dataset == dataset

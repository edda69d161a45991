"""Words that make no sense: exit code 2, one clear sentence, and where the help is."""

import io
import sys
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import pytest

from tests.cli.conftest import Call, assert_one_sentence
from zeroseg.baselines import BaselineName
from zeroseg.cli.distill import Distill
from zeroseg.cli.evaluate import Evaluate
from zeroseg.cli.parsing import parse, with_new_names
from zeroseg.cli.picturebook import Write
from zeroseg.cli.segment import Segment
from zeroseg.evaluation import DATASETS, PROTOCOLS
from zeroseg.method_names import RuleName
from zeroseg.picturebook import SPLITS
from zeroseg.recipes import RECIPES
from zeroseg.rules import RULES, BackgroundRule, Margin, NoBackground, Product, Sigmoid, Softmax
from zeroseg.student.config import Naming
from zeroseg.training.distillation import DistillConfig

PHOTO = ["segment", "photo.jpg", "--labels", "dog"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["segment", "photo.jpg"], ["--labels"]),
        (["segment", "--labels", "dog"], ["at least one photo"]),
        (["segment", "photo.jpg", "--labels"], ["--labels"]),
        ([*PHOTO, "--treshold", "1"], ["no option --treshold, perhaps", "--threshold FLOAT"]),
        ([*PHOTO, "--naming", "pixels"], ["'pixels'", "--naming", "segments", "patches"]),
        ([*PHOTO, "--margin", "much"], ["'much'", "--margin FLOAT"]),
        ([*PHOTO, "--margin", "1", "--threshold", ".5"], ["--threshold", "--margin"]),
        ([*PHOTO, "--background", "none", "--threshold", ".5"], ["--threshold", "--background none"]),
        ([*PHOTO, "--refinement", "-1"], ["--refinement must be 0 iterations or more, not -1"]),
        ([*PHOTO, "--min-area", "1"], ["--min-area must be a fraction, 0 or more and below 1, not 1"]),
        (["evaluate", "--smallest-region", "-0.1"], ["--smallest-region must be a fraction"]),
        (["cache", "photos"], ["--out"]),
        (["cache", "--out", "cache"], ["IMAGES"]),
        (["cache", "photos", "--out", "cache", "--grids", "one"], ["'one'", "--grids"]),
        (["distill"], ["--images", "--cache", "--out", "zeroseg distill --help"]),
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
        assert parse(Segment, "segment", ["a", "--background", rule]).of_masks.background == rule
        assert parse(Evaluate, "evaluate", ["--background", rule]).background == rule
    for naming in get_args(Naming):
        assert parse(Segment, "segment", ["a", "--naming", naming]).of_masks.naming == naming
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


@pytest.mark.parametrize("words", [["--method", "oracle"], ["--method=oracle"]])
def test_the_former_name_of_a_method_is_understood_in_one_sentence(
    words: list[str], call: Call, monkeypatch: pytest.MonkeyPatch
):
    asked: list[Evaluate] = []
    monkeypatch.setattr(Evaluate, "run", lambda self: asked.append(self) or 0)
    said = call("evaluate", "--size", 1, *words, "--split", "val")
    assert (said.code, said.err) == (0, "zeroseg: --method oracle is called --method true-regions now.\n")
    assert (asked[0].method, asked[0].size, asked[0].split) == ("true-regions", 1, "val")
    assert call("evaluate", "--method", "true-regions").err == ""


def test_a_word_is_renamed_only_as_the_value_of_its_option(capsys: pytest.CaptureFixture[str]):
    words = ["--model", "oracle", "oracle", "--method"]
    assert with_new_names(words, {("--method", "oracle"): "true-regions"}) == words
    assert capsys.readouterr().err == ""


OPTION = "--student.read-out."


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ((OPTION + "margin", 3), Margin(3.0)),
        ((OPTION + "background", "softmax", OPTION + "threshold", 0.2), Softmax(0.2)),
        ((OPTION + "background", "softmax", OPTION + "softmax-scale", 65), Softmax(0.1, 65.0)),
        ((OPTION + "background", "product", OPTION + "product-threshold", 0.5), Product(0.5)),
        ((OPTION + "background", "sigmoid", OPTION + "sigmoid-threshold", 0.4), Sigmoid(0.4)),
        ((OPTION + "background", "none"), NoBackground(7.0)),
    ],
    ids=str,
)
def test_options_of_a_read_out_are_those_of_saved_configs(
    words: tuple[object, ...], rule: BackgroundRule, call: Call, monkeypatch: pytest.MonkeyPatch
):
    """Over a recipe whose own rule is a margin of 7; what is not given stays the recipe's."""
    asked: list[DistillConfig] = []
    monkeypatch.setattr(Distill, "run", lambda _, config: asked.append(config) or 0)
    own = RECIPES["picturebook"]()
    own = replace(own, student=replace(own.student, read_out=replace(own.student.read_out, background=Margin(7.0))))
    monkeypatch.setitem(RECIPES, "picturebook", lambda: own)
    needed = ["--images", "a", "--cache", "b", "--out", "c", "--recipe", "picturebook"]
    said = call("distill", *needed, *words)
    assert (said.code, said.err) == (0, "")
    (config,) = asked
    assert config.student.read_out == replace(own.student.read_out, background=rule)


def test_other_options_of_a_read_out(call: Call, monkeypatch: pytest.MonkeyPatch):
    asked: list[DistillConfig] = []
    monkeypatch.setattr(Distill, "run", lambda _, config: asked.append(config) or 0)
    needed = ["--images", "a", "--cache", "b", "--out", "c", "--recipe", "picturebook"]
    words = [OPTION + "naming", "segments", OPTION + "background-words", "sea", "sand", OPTION + "refinement", 2]
    words += [OPTION + "smallest-region", 0.002]
    assert call("distill", *needed, *words).code == 0
    read_out = asked[0].student.read_out
    assert (read_out.naming, read_out.background_words, read_out.refinement) == ("segments", ("sea", "sand"), 2)
    assert read_out.smallest_region == 0.002
    assert_one_sentence(call("distill", *needed, OPTION + "background", "otsu"), 2, "'otsu'", "softmax")


@pytest.mark.parametrize("command", ["bench", "cache", "distill", "evaluate", "experiment", "segment", "teach"])
def test_lines_of_the_source_do_not_end_lines_of_the_help(command: str, capsys: pytest.CaptureFixture[str]):
    """Lines of one paragraph are filled: the first word of the next line would not have fitted."""
    from zeroseg.cli import main

    assert main([command, "--help"]) == 0
    options = capsys.readouterr().out.partition("usage: ")[2].splitlines()
    lines = [line.replace("│", " ").rstrip() for line in options]  # frames are drawn only where they can be
    torn = [
        line
        for line, following in pairwise(lines)
        if line
        and indent(line) == indent(following) > 2
        and len(line) + 1 + len(following.split()[0]) < max(map(len, lines)) - 2
    ]
    assert len(lines) > 10
    assert not torn


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def test_help_of_a_setting_is_right_whichever_way_its_default_is(capsys: pytest.CaptureFixture[str]):
    """`--no-flips` alone, beside "flip half of the images", would say the opposite of what it does."""
    from zeroseg.cli.cache import main as cache
    from zeroseg.cli.distill import main as distill

    for main, flags in ((distill, ("flips", "centre", "normalise")), (cache, ("overlapping",))):
        with pytest.raises(SystemExit, match="0"):
            main(["--help"])
        said = capsys.readouterr().out
        for flag in flags:
            assert f"--{flag}, --no-{flag}" in said
        assert "--no-resume" not in said


def test_thresholds_out_of_range_are_refused_also_of_rules_that_are_not_in_use(call: Call):
    needed = ["distill", "--images", "a", "--cache", "b", "--out", "c", "--recipe", "picturebook"]
    for option, value, least in [("product-threshold", 2, 0), ("softmax-scale", 0, 0.001), ("margin", 1e300, -200)]:
        assert_one_sentence(call(*needed, OPTION + option, value), 1, option.replace("-", "_"), f"from {least} to")

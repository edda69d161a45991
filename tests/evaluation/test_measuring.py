"""Measuring: the margin comes from where it is said to, and the figure is that of `evaluate`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from tests.evaluation.test_benchmark import Blots, segmenter
from tests.tiny import teacher
from zeroseg.baselines import baseline_segmenter
from zeroseg.errors import DatasetError
from zeroseg.evaluation import (
    Dataset,
    Measurement,
    OtherImages,
    Tuned,
    calibrate_margin,
    evaluate,
    measure,
    protocol_for,
    sweep_finely,
    tune_margin,
    under_protocol,
)
from zeroseg.evaluation.sliding import SlidingSegmenter
from zeroseg.evaluation.templates import TCL_TEMPLATES
from zeroseg.rules import Margin, Sigmoid
from zeroseg.segmenter import Segmenter

OWN = protocol_for("own", "blots")
NONE = "blots has no other images than those that are measured."


@dataclass(frozen=True)
class OtherBlots(OtherImages):
    """Blots beside those that are measured, with masks or without."""

    masked: bool = True

    def with_masks(self) -> tuple[Dataset, str]:
        if not self.masked:
            raise DatasetError(NONE)
        return Blots(), "3 validation blots"

    def without_masks(self) -> tuple[Dataset, str]:
        return Blots(), "3 unlabelled blots"


def assert_measures(measured: Measurement, by: Segmenter) -> None:
    """The figure is that of `evaluate`."""
    assert measured.segmenter.read_out == by.read_out
    assert measured.result.summary() == evaluate(by, Blots(), vocabulary=measured.vocabulary).summary()


@pytest.mark.parametrize("others", [None, OtherBlots("blots")])
def test_the_models_own_margin(others: OtherImages | None):
    said: list[str] = []
    measured = measure(segmenter(), Blots(), OWN, others=others, say=said.append)
    assert_measures(measured, segmenter())
    assert (measured.margin, measured.tuned, measured.sweep) == ("the model's own", None, None)
    assert measured.vocabulary == Blots().vocabulary
    assert said == []


def test_a_margin_that_is_tuned_on_other_masks():
    said: list[str] = []
    model = segmenter().reading(background=Margin(200.0))  # all is background
    measured = measure(model, Blots(), OWN, "tuned", OtherBlots("blots"), say=said.append)
    best = tune_margin(model, Blots())
    assert_measures(measured, best)
    assert measured.result.miou > evaluate(model, Blots()).miou
    assert (measured.margin, measured.tuned) == ("tuned on 3 validation blots", None)
    assert said == ["tuning the margin on 3 validation blots"]


def test_a_margin_that_cannot_be_tuned_stays_and_says_so():
    said: list[str] = []
    measured = measure(segmenter(), Blots(), OWN, "tuned", OtherBlots("blots", masked=False), say=said.append)
    assert_measures(measured, segmenter())
    assert (measured.margin, measured.tuned) == ("not tuned", None)
    assert said == [f"the margin stays 0.01, not tuned: {NONE}"]


def test_a_margin_that_is_calibrated_has_the_tuned_one_beside_it():
    said: list[str] = []
    model = segmenter().reading(background=Margin(200.0))
    measured = measure(model, Blots(), OWN, "calibrated", OtherBlots("blots"), say=said.append)
    assert_measures(measured, calibrate_margin(model, [sample.image for sample in Blots()], Blots().vocabulary))
    assert measured.margin == "calibrated on 3 unlabelled blots, without masks"
    best = tune_margin(model, Blots())
    miou = round(evaluate(best, Blots()).miou, 4)
    assert measured.tuned == Tuned(best.read_out.background.threshold, "tuned on 3 validation blots", miou)
    assert said == [
        "tuning the margin on 3 validation blots",
        "calibrating the margin on 3 unlabelled blots, without their masks",
    ]


def test_a_margin_is_calibrated_where_none_can_be_tuned():
    said: list[str] = []
    measured = measure(segmenter(), Blots(), OWN, "calibrated", OtherBlots("blots", masked=False), say=said.append)
    assert_measures(measured, calibrate_margin(segmenter(), [s.image for s in Blots()], Blots().vocabulary))
    assert measured.margin == "calibrated on 3 unlabelled blots, without masks"
    assert measured.tuned is None
    assert said[0] == f"the margin stays 0.01, not tuned: {NONE}"


def test_a_protocol_lays_down_sizes_rule_and_words():
    protocol = replace(protocol_for("tcl", "voc21"), shorter_side=64, window=32, stride=16)
    model = baseline_segmenter("maskclip", teacher())
    measured = measure(model, Blots(), protocol)
    assert isinstance(measured.segmenter, SlidingSegmenter)
    assert (measured.segmenter.sliding.shorter_side, measured.segmenter.sliding.window) == (64, 32)
    assert measured.segmenter.words is model.words  # embedded once for all
    assert measured.segmenter.read_out.background == Sigmoid(0.4)
    assert measured.vocabulary.templates == TCL_TEMPLATES
    assert measured.vocabulary.background == ()
    by, words = under_protocol(model, Blots(), protocol)
    assert words == measured.vocabulary
    assert_measures(measured, by)


def test_progress_has_a_title_a_total_and_a_unit():
    heard: list[tuple[str, int, str, int]] = []

    @contextmanager
    def counting(title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        done: list[int] = []
        yield done.append
        heard.append((title, total, unit, sum(done)))

    measured = measure(
        segmenter(), Blots(), OWN, "calibrated", OtherBlots("blots"), examples=1, swept=True, counting=counting
    )
    evaluated = ("evaluating", 3, "images", 3)
    assert heard == [evaluated, evaluated, ("sweeping", 6, "images", 6)]
    assert measured.sweep == sweep_finely(measured.segmenter, Blots())
    assert (len(measured.result.best), len(measured.result.worst)) == (1, 1)


def test_scenes_have_others_of_two_kinds():
    others = OtherImages("picturebook-voc")
    (masked, where), (unmasked, elsewhere) = others.with_masks(), others.without_masks()
    assert (where, elsewhere) == ("100 validation scenes", "100 unlabelled scenes")
    assert (masked.sample(0).name, unmasked.sample(0).name) == ("validation-00000", "unlabelled-00000")

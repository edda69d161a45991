"""The background's threshold: found by trying on true masks, or without any."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.test_benchmark import Blots, segmenter
from zeroseg.errors import ConfigError
from zeroseg.evaluation import calibrate_margin, evaluate, open_dataset, sweep, sweep_finely, tune_margin
from zeroseg.evaluation.thresholds import otsu
from zeroseg.rules import BackgroundRule, Margin, Product, Sigmoid, Softmax
from zeroseg.segmenter import Segmenter


def test_a_sweep_is_one_evaluation_for_each_value():
    values = (-200.0, 0.01, 200.0)
    found = sweep(segmenter(), Blots(), values)
    assert found.threshold == "margin"
    one_by_one = [evaluate(segmenter().reading(background=Margin(value)), Blots()).miou for value in values]
    assert list(found.mious) == pytest.approx(one_by_one)
    assert found.best == 0.01


def test_without_a_background_the_lead_of_stuff_is_swept():
    """As it is evaluated: every pixel is named, whatever rule the read-out has."""
    found = sweep(segmenter(), Blots(has_background=False), (0.0, 0.01))
    blots = Blots(has_background=False)
    one_by_one = [evaluate(segmenter().reading(background=Margin(value)), blots).miou for value in found.values]
    assert found.threshold == "margin"
    assert list(found.mious) == pytest.approx(one_by_one)


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [(Product(), "product_threshold"), (Softmax(), "threshold"), (Sigmoid(), "sigmoid_threshold")],
)
def test_every_rule_has_a_threshold_to_sweep(rule: BackgroundRule, threshold: str):
    heard: list[int] = []
    found = sweep(segmenter().reading(background=rule), Blots(), progress=heard.append)
    assert found.threshold == threshold
    assert len(found.mious) == len(found.values) == 39
    assert heard == [1, 1, 1]
    at = segmenter().reading(background=rule.at(found.best))
    assert evaluate(at, Blots()).miou == pytest.approx(max(found.mious))


def test_a_fine_sweep_tries_a_few_and_finds_the_best_of_all():
    """The curve of blots has one top: a fourth of the values, then those round the best, are enough."""
    values = tuple(float(value) for value in range(-20, 60))
    heard: list[int] = []
    coarse = sweep(segmenter(), Blots(), values)
    fine = sweep_finely(segmenter(), Blots(), values, heard.append)
    assert max(fine.mious) == max(coarse.mious)
    assert len(fine.values) == len(set(fine.values)) < 30
    assert list(fine.values) == sorted(fine.values)
    assert (
        dict(zip(fine.values, fine.mious, strict=True)).items()
        <= dict(zip(coarse.values, coarse.mious, strict=True)).items()
    )
    assert sum(heard) == 2 * len(Blots())
    assert sweep_finely(segmenter(), Blots(), (1.0,)).values == (1.0,)


def test_a_calibrated_margin_is_as_good_as_a_tuned_one():
    """The bundled student on 40 held-out scenes; within two points of mIoU, as on 300 (docs/log.md)."""
    student = Segmenter.from_pretrained("picturebook").reading(refinement=0)
    measured = open_dataset("picturebook-voc", "held-out", 40)
    scenes = [sample.image for sample in open_dataset("picturebook-voc", "unlabelled", 40)]
    calibrated = calibrate_margin(student.reading(background=Margin(0.0)), scenes, measured.vocabulary)
    tuned = tune_margin(student.reading(background=Margin(0.0)), open_dataset("picturebook-voc", "validation", 40))
    margins = [reading.read_out.background.threshold for reading in (calibrated, tuned)]
    assert margins[0] != margins[1] != 0.0
    assert abs(evaluate(calibrated, measured).miou - evaluate(tuned, measured).miou) < 0.02


def test_a_margin_that_is_calibrated_without_labels_finds_the_things():
    """Regions that show the sky fall behind its word; all things are taken for dogs, and lead it."""
    blots = Blots()
    wrong = segmenter(("sky", "dog", "dog", "dog")).reading(background=Margin(200.0))
    calibrated = calibrate_margin(wrong, [sample.image for sample in blots], blots.vocabulary)
    for reading, background in ((wrong, 0.0), (calibrated, 1.0)):
        confusion = evaluate(reading, blots).confusion
        assert (confusion[1:, 0].sum() == 0) == bool(background)
        assert confusion[0, 0] == confusion[0].sum()


def test_images_without_any_label_do_not_move_a_calibrated_margin(monkeypatch: pytest.MonkeyPatch):
    """Their regions lie far below those around things, so Otsu would divide the images, not the regions."""
    leads = [np.array(some, np.float32) for some in ((-20, -18, 15, 17), (-21, 14), (-90, -88, -86, -85, -89))]

    def calibrated(presence: float, count: int = 3) -> float:
        rest = iter(leads[-count:])
        monkeypatch.setattr(Segmenter, "lead_over_background", lambda *_: next(rest))
        reading = segmenter().reading(background=Margin(0.0, presence=presence))
        images = [sample.image for sample in Blots()][:count]
        return calibrate_margin(reading, images, Blots().vocabulary).read_out.background.threshold

    assert calibrated(presence=0.0) < -21
    assert -18 < calibrated(presence=10.0) < 14
    assert -90 < calibrated(presence=10.0, count=1) < -85  # nothing better is known


def test_there_is_nothing_to_calibrate_without_background_words_or_images():
    with pytest.raises(ConfigError, match="background words"):
        calibrate_margin(segmenter(), [], replace(Blots().vocabulary, background=()))
    with pytest.raises(ConfigError, match="on images"):
        calibrate_margin(segmenter(), [], Blots().vocabulary)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(5, 50), st.floats(0.2, 0.8))
def test_otsu_separates_two_groups_that_lie_apart(seed: int, gap: float, fraction: float):
    random = np.random.default_rng(seed)
    low = random.uniform(-1, 1, 400)
    high = random.uniform(-1, 1, 400) + gap
    values = np.concatenate([low[: int(800 * fraction) + 1], high])
    assert low.max() <= otsu(values) + gap / 100
    assert otsu(values) <= high.min() + gap / 100

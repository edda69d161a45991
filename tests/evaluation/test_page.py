"""A result for people: nothing invented, nothing from outside."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.evaluation.test_benchmark import Blots, segmenter
from zeroseg.evaluation import evaluate, sweep
from zeroseg.evaluation.page import markdown, most_confused, page

CONFUSED = ("sky", "cat", "cat", "tree")  # dogs are taken for cats


@pytest.fixture
def result():
    return evaluate(segmenter(CONFUSED), Blots(), examples=2)


def test_the_best_and_the_worst_images_are_kept_in_order():
    found = evaluate(segmenter(CONFUSED), Blots(), examples=2)
    right, true, predicted = found.tallies.transpose(1, 0, 2)
    union = true + predicted - right
    mious = [float((r[u > 0] / u[u > 0]).mean()) for r, u in zip(right, union, strict=True)]
    assert [example.miou for example in found.worst] == pytest.approx(sorted(mious)[:2])
    assert [example.miou for example in found.best] == pytest.approx(sorted(mious, reverse=True)[:2])
    assert evaluate(segmenter(), Blots()).best == ()


def test_other_words_for_the_same_classes():
    """Asked for in swapped words, dogs come out as cats: the vocabulary is what names the classes."""
    words = Blots().vocabulary
    swapped = replace(words, labels=("cat", "dog", "tree"))
    found = evaluate(segmenter(), Blots(), vocabulary=swapped).confusion
    assert found[1, 1] == found[2, 2] == 0
    assert found[1, 2] == found[1].sum() > 0


def test_the_most_confused_pair_is_the_one_that_was_confused(result):
    pairs = most_confused(result)
    assert [(pair.truth, pair.predicted) for pair in pairs] == [("dog", "cat")]
    assert pairs[0].share == pytest.approx(result.confusion[1, 2] / result.confusion.sum())


class Outside(HTMLParser):
    """Collects what a page would load, and its pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href") and value and not value.startswith(("data:", "#")):
                self.loaded.append(value)
        self.pictures += tag == "img"


def test_the_page_has_figures_and_pictures_and_loads_nothing(result):
    text = page(result, {"model": "m<1>"}, sweep(segmenter(CONFUSED), Blots(), (0.01, 200.0)))
    outside = Outside()
    outside.feed(text)
    assert outside.loaded == []
    assert outside.pictures == 8  # two best, two worst; truth and prediction of each
    assert f"{100 * result.miou:.1f}" in text
    assert "m&lt;1&gt;" in text
    assert "Over margin" in text


def test_a_class_that_never_occurs_is_a_dash_in_markdown(result):
    confusion = result.confusion.copy()
    confusion[3], confusion[:, 3] = 0, 0
    text = markdown(replace(result, confusion=confusion), {"model": "bundled"})
    assert "| tree | - |" in text
    assert "- model: bundled" in text
    share = 100 * confusion[2, 2] / (confusion[2].sum() + confusion[:, 2].sum() - confusion[2, 2])
    assert f"| cat | {share:.1f} |" in text
    assert np.isfinite(share)

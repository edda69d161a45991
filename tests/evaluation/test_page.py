"""A result for people: nothing invented, nothing from outside."""

import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.test_benchmark import Blots, segmenter
from zeroseg.evaluation import EvaluationRecord, Result, Sweep, Tuned, evaluate, protocol_for, sweep
from zeroseg.evaluation.metrics import class_counts
from zeroseg.evaluation.page import markdown, most_confused, page

CONFUSED = ("sky", "cat", "cat", "tree")  # dogs are taken for cats


@pytest.fixture
def result():
    return evaluate(segmenter(CONFUSED), Blots(), examples=2)


def record(result: Result, sweep: Sweep | None = None, tuned: Tuned | None = None) -> EvaluationRecord:
    return EvaluationRecord(
        result=result,
        split="val",
        folder=None,
        method="student",
        model="m<1>",
        teacher="clip",
        device="cpu",
        shorter_side=448,
        protocol=protocol_for("tcl", "voc21"),
        vocabulary=Blots().vocabulary,
        margin="the model's own",
        flops=1.25e9,
        tuned=tuned,
        sweep=sweep,
    )


def test_the_best_and_the_worst_images_are_kept_in_order():
    found = evaluate(segmenter(CONFUSED), Blots(), examples=1)
    right, true, predicted = found.class_counts.transpose(1, 0, 2)
    union = true + predicted - right
    mious = [float((r[u > 0] / u[u > 0]).mean()) for r, u in zip(right, union, strict=True)]
    assert [example.miou for example in found.worst] == pytest.approx(sorted(mious)[:1])
    assert [example.miou for example in found.best] == pytest.approx(sorted(mious, reverse=True)[:1])
    assert evaluate(segmenter(), Blots()).best == ()
    few = evaluate(segmenter(CONFUSED), Blots(), examples=4)  # of three images none is shown twice
    assert len({example.name for example in (*few.best, *few.worst)}) == len(few.best) + len(few.worst) == 3


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
    assert pairs[0].fraction == pytest.approx(result.confusion[1, 2] / result.confusion.sum())


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
    swept = sweep(segmenter(CONFUSED), Blots(), (0.01, 200.0))
    text = page(record(result, swept, Tuned(5.0, "tuned on 3 scenes", 0.4321)))
    outside = Outside()
    outside.feed(text)
    assert outside.loaded == []
    assert outside.pictures == 6  # two best, one worst; truth and prediction of each
    assert f"{100 * result.miou:.1f}" in text
    assert "m&lt;1&gt;" in text
    assert "Over margin" in text
    assert "tuned on masks" in text
    assert "43.2" in text


def test_all_that_made_the_figure_stands_beside_it(result):
    made = record(replace(result, dataset="voc21"))
    for text in (page(made), markdown(made)):
        for said in ("448 every 224", "3 labels", "tcl", "clip", "transformers", "1.25", "1,449 official val images"):
            assert said in text
    saved: Any = made.as_json()
    assert saved["protocol"] == protocol_for("tcl", "voc21").settings()
    assert saved["vocabulary"]["labels"] == Blots().vocabulary.labels
    assert saved["official_images"] == 1449
    assert record(result).shortfall == ""  # blots are no benchmark


def test_many_classes_are_read_in_parts_and_have_one_colour_on_both_sides(result):
    """100 classes: of the 64 colours of overlays some serve twice."""
    classes = tuple(f"class {number}" for number in range(100))
    confusion = np.diag(np.arange(1, 101))
    ids = np.full((8, 8), 3, np.uint16)
    truth, predicted = ids.copy(), ids.copy()
    truth[:4], predicted[:4] = 67, 3  # 3 and 67 share a colour of 64, and only one side shows both
    grey = Image.new("RGB", (8, 8), "grey")
    example = replace(result.best[0], image=grey, truth=truth, predicted=predicted)
    counts = np.stack([class_counts(confusion)])
    many = replace(result, classes=classes, confusion=confusion, upper_bound=confusion, class_counts=counts)
    many = replace(many, best=(example,), worst=())
    text = page(record(many))
    assert text.count("Classes, part ") == 3
    drawn = [Image.open(BytesIO(b64decode(data))) for data in re.findall(r"data:image/\w+;base64,([^\"]+)", text)]
    above_and_below = [[picture.convert("RGB").getpixel((40, y)) for y in (40, 340)] for picture in drawn]
    (above, below), predicted_colours = above_and_below
    assert above != below
    assert predicted_colours == [below, below]


def test_a_class_that_never_occurs_is_a_dash_in_markdown(result):
    confusion = result.confusion.copy()
    confusion[3], confusion[:, 3] = 0, 0
    text = markdown(record(replace(result, confusion=confusion)))
    assert "| tree | - |" in text
    assert "- model: m<1>" in text
    percent = 100 * confusion[2, 2] / (confusion[2].sum() + confusion[:, 2].sum() - confusion[2, 2])
    assert f"| cat | {percent:.1f} |" in text
    assert np.isfinite(percent)

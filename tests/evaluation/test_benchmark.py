"""Evaluation end to end with networks whose right answer is known: perfect, blind, and confused."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import teacher
from zeroseg.dataset_names import PICTUREBOOKS
from zeroseg.encoding import Encoded, Size
from zeroseg.errors import DatasetError
from zeroseg.evaluation import Sample, evaluate, open_dataset, tune_margin
from zeroseg.picturebook import ALL_NOUNS, STUFF_NAMES, VOC_NOUNS, name_of
from zeroseg.rules import Margin, NoBackground
from zeroseg.segmentation import IGNORE
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.vocabulary import Vocabulary

WORDS = ("sky", "dog", "cat", "tree")  # what colours 0..3 show; the sky is a word of the background
SIDE = 24
PALETTE = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


class Eyes:
    """Sees each of four colours as one region and says which word it is: `says[k]` for colour k."""

    shorter_side, multiple = SIDE, 1

    def __init__(self, says: tuple[str, ...] = WORDS) -> None:
        self.words = teacher().embed_texts(list(says))

    def encode(self, pixels: torch.Tensor, sizes: Sequence[Size]) -> list[Encoded]:
        distances = (pixels[0][None] - PALETTE[:, :, None, None]).abs().sum(dim=1)
        masks = torch.nn.functional.one_hot(distances.argmin(dim=0), 4).permute(2, 0, 1).float()
        mean = torch.zeros_like(self.words[0])
        return [Encoded(self.words.mean(dim=0), None, self.words, masks, mean, (SIDE, SIDE), size) for size in sizes]


@dataclass
class Blots:
    """Pictures of random blocks in the four colours; `IGNORE` along one edge, where nothing counts."""

    has_background: bool = True
    with_sky: bool = True
    name: str = "blots"
    classes: tuple[str, ...] = field(init=False)
    vocabulary: Vocabulary = field(init=False)

    def __post_init__(self) -> None:
        labels, background = (WORDS[1:], WORDS[:1]) if self.has_background else (WORDS, ())
        self.classes = ("background", *labels) if self.has_background else labels
        self.vocabulary = Vocabulary(labels, background=background, templates=("{}",))

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Sample]:
        return map(self.sample, range(len(self)))

    def sample(self, number: int) -> Sample:
        blocks = np.random.default_rng(number).integers(int(not self.with_sky), 4, (6, 6))
        truth = blocks.repeat(4, axis=0).repeat(4, axis=1).astype(np.uint16)
        image = Image.fromarray((PALETTE.numpy()[truth] * 255).astype(np.uint8))
        truth = truth.copy()
        truth[:, 0] = IGNORE
        return Sample(f"{number}", image, truth)


MARGIN, NONE = ReadOut("segments", Margin(0.01)), ReadOut("segments", NoBackground())


def segmenter(says: tuple[str, ...] = WORDS, read_out: ReadOut = MARGIN) -> Segmenter:
    return Segmenter(Eyes(says), teacher(), read_out)


@pytest.mark.parametrize("has_background", [True, False])
def test_perfect_segmenter_scores_one(has_background: bool):
    heard: list[int] = []
    result = evaluate(segmenter(), Blots(has_background), heard.append)
    assert result.miou == 1.0
    assert result.upper_bound_miou == 1.0
    assert sum(heard) == 3
    assert result.images == 3
    assert result.confusion.sum() == 3 * SIDE * (SIDE - 1)  # the ignored edge is not counted
    assert result.read_out.background == (Margin(0.01) if has_background else NoBackground(0.01))


def test_confused_segmenter_scores_what_a_count_gives():
    """Dogs and cats taken for each other: no hit for both; the masks are as good as before."""
    result = evaluate(segmenter(("sky", "cat", "dog", "tree")), Blots())
    assert result.miou == pytest.approx(2 / 4)
    assert result.upper_bound_miou == 1.0
    confusion = np.zeros((4, 4), int)
    for sample in Blots():
        for true, seen in zip(sample.truth.ravel(), sample.truth.ravel(), strict=True):
            if true != IGNORE:
                confusion[true, {1: 2, 2: 1}.get(int(seen), int(seen))] += 1
    np.testing.assert_array_equal(result.confusion, confusion)


def test_blind_segmenter_that_takes_all_for_background():
    result = evaluate(segmenter(("sky",) * 4), Blots())
    fraction = result.confusion[0, 0] / result.confusion.sum()
    assert result.miou == pytest.approx(fraction / 4)


def test_classes_keep_their_places_when_no_pixel_may_be_background():
    """A read-out without background on a data set with one: labels begin at class 1 all the same."""
    result = evaluate(segmenter(read_out=NONE), Blots(with_sky=False))
    assert result.miou == 1.0


def test_summary_is_json_with_every_class():
    summary = json.loads(json.dumps(evaluate(segmenter(), Blots(with_sky=False)).summary()))
    assert summary["dataset"] == "blots"
    assert summary["miou"] == 1.0
    assert summary["iou"] == {"background": None, "dog": 1.0, "cat": 1.0, "tree": 1.0}
    assert summary["read_out"]["background"] == "margin"
    assert summary["read_out"]["margin"] == 0.01
    assert summary["upper_bound_miou"] == 1.0
    assert np.sum(summary["confusion"]) == 3 * SIDE * (SIDE - 1)


@dataclass
class Stripes(Blots):
    """One picture, four regions side by side: most of 1, as much of 0 as of 2, 2 where it counts, all ignored."""

    def __len__(self) -> int:
        return 1

    def sample(self, number: int) -> Sample:
        truth = np.full((SIDE, SIDE), IGNORE, np.uint16)
        truth[:20, :6], truth[20:, :6] = 1, 2
        truth[:12, 6:12], truth[12:, 6:12] = 0, 2
        truth[:4, 12:18] = 2
        colours = np.arange(4).repeat(6)[None].repeat(SIDE, axis=0)
        return Sample(f"stripes {number}", Image.fromarray((PALETTE.numpy()[colours] * 255).astype(np.uint8)), truth)


def test_each_region_of_the_upper_bound_has_its_majority_class():
    """The first class wins a tie, and ignored pixels do not vote: counts by hand."""
    expected = np.zeros((4, 4), int)
    expected[1, 1], expected[2, 1] = 20 * 6, 4 * 6
    expected[0, 0], expected[2, 0] = 12 * 6, 12 * 6
    expected[2, 2] = 4 * 6
    np.testing.assert_array_equal(evaluate(segmenter(), Stripes()).upper_bound, expected)


def test_margin_is_tuned_to_the_best_on_the_data_set():
    """Margins that call everything background, or nothing, lose to the one between them."""
    sky, dog, cat, tree = (float(v) for v in (100 * Eyes().words @ Eyes().words[0]))
    lead = 100 - max(dog, cat, tree)  # by so much a thing is more itself than sky, at least
    middle = lead / 2
    tuned = tune_margin(segmenter(), Blots(), margins=(-200.0, middle, 200.0))
    assert tuned.read_out == replace(MARGIN, background=Margin(middle))
    assert evaluate(tuned, Blots()).miou == 1.0
    assert sky == pytest.approx(100, abs=1e-3)


def test_margin_is_tuned_with_refinement_near_the_best_without():
    """Blots of 45 even pixels keep their best margin, and the iterations of refinement come back with it."""
    margins = tuple(float(m) for m in range(0, 60, 5))
    quick = tune_margin(segmenter(), Blots(), margins)
    tuned = tune_margin(segmenter().reading(refinement=2), Blots(), margins)
    assert tuned.read_out == replace(quick.read_out, refinement=2)


# --- the picturebook as data set --------------------------------------------------------------------


@pytest.mark.parametrize("name", PICTUREBOOKS)
def test_picturebook_data_sets_hold_what_their_vocabularies_say(name: str):
    dataset = open_dataset(name, size=4)
    samples = list(dataset)
    assert dataset.name == name
    assert len(dataset) == len(samples) == 4
    assert len({sample.name for sample in samples}) == 4
    assert dataset.has_background == (dataset.classes[0] == "background")
    assert dataset.classes[int(dataset.has_background) :] == dataset.vocabulary.labels
    for sample in samples:
        assert sample.truth.shape == (sample.image.height, sample.image.width)
        assert sample.truth.max() < len(dataset.classes)
    present = {dataset.classes[number] for sample in samples for number in np.unique(sample.truth)}
    assert len(present) > 3


def test_vocabularies_are_those_of_the_papers_benchmarks():
    voc, context, coco = (open_dataset(name, size=1) for name in PICTUREBOOKS)
    assert voc.classes == ("background", *VOC_NOUNS)
    assert len(VOC_NOUNS) == 20
    assert context.classes == (*ALL_NOUNS, *STUFF_NAMES)
    assert not context.has_background
    assert coco.classes == ("background", *ALL_NOUNS)
    for background in (voc.vocabulary.background, coco.vocabulary.background):
        assert background is not None
        assert set(background) == set(STUFF_NAMES)
    assert not context.vocabulary.background


def test_scenes_of_the_voc_like_set_hold_its_nouns_only():
    """A lighthouse that counted as background would make the baseline unfair."""
    from zeroseg.picturebook import draw_scene, nouns_named

    for number in range(5):
        scene = draw_scene("held-out", number, nouns_named(VOC_NOUNS))
        assert {name_of(content) for content in scene.contents} <= {*VOC_NOUNS, *STUFF_NAMES}
        (sample,) = open_dataset_at("picturebook-voc", number)
        np.testing.assert_array_equal(np.asarray(sample.image), np.asarray(scene.image))


def open_dataset_at(name: str, number: int) -> list[Sample]:
    return [sample for k, sample in enumerate(open_dataset(name, size=number + 1)) if k == number]


def test_splits_are_told_apart_and_repeat():
    held_out, validation, again = (
        next(iter(open_dataset("picturebook-coco", split, 1))) for split in ("held-out", "validation", "held-out")
    )
    assert np.array_equal(np.asarray(held_out.image), np.asarray(again.image))
    assert not np.array_equal(np.asarray(held_out.image), np.asarray(validation.image))


def test_unknown_data_set_is_refused_with_the_known_ones():
    with pytest.raises(DatasetError, match=r"voc2012.*picturebook-voc"):
        open_dataset("voc2012")

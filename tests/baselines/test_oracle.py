"""The ends of the scale: true regions, named as well as the teacher can, and background everywhere."""

from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.ndimage import label

from tests.tiny import teacher
from zeroseg.baselines import TrueRegions, yardstick_segmenter
from zeroseg.baselines.oracle import Nothing
from zeroseg.baselines.regions import components, true_regions
from zeroseg.evaluation import Sample, evaluate
from zeroseg.evaluation.benchmark import encode_sample
from zeroseg.views import Box
from zeroseg.vocabulary import Vocabulary

EIGHT = np.ones((3, 3), int)


@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2)))
def test_components_are_those_of_another_library(labels: np.ndarray):
    """scipy labels one class at a time; ours numbers all at once: the same pixels hang together."""
    found = components(labels)
    theirs = np.zeros_like(found)
    for value in range(3):
        parts, _ = cast(Any, label)(labels == value, EIGHT)
        theirs[parts > 0] = parts[parts > 0] + 1000 * value
    pairs = {(int(a), int(b)) for a, b in zip(found.ravel(), theirs.ravel(), strict=True)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    assert sorted({a for a, _ in pairs}) == list(range(len(pairs)))


def test_regions_leave_out_what_is_ignored_and_join_crumbs():
    truth = np.zeros((40, 40), np.uint8)
    truth[5:15, 5:15] = 1
    truth[30, 30] = 1  # a crumb: one pixel of 1,600
    truth[20:22] = 255
    masks, boxes = true_regions(truth, 255)
    assert len(masks) == 3  # the background above and below the line, and the square with its crumb
    assert (masks.sum(axis=0) == (truth != 255)).all()
    square = boxes.index((5, 5, 15, 15))
    assert masks[square].sum() == 101


@pytest.mark.parametrize(
    ("size", "box", "seen"),
    [
        ((100, 100), (0, 0, 4, 4), (0, 0, 20, 20)),  # not too small
        ((100, 100), (80, 40, 100, 80), (72, 46, 100, 74)),  # moved into the picture
        ((20, 40), (0, 0, 40, 20), (6, 0, 34, 20)),  # cut where the picture is not as tall
    ],
)
def test_squares_stay_in_the_picture_and_are_not_too_small(
    size: tuple[int, int], box: Box, seen: Box, monkeypatch: pytest.MonkeyPatch
):
    """Of a picture whose red and green are a pixel's place, what the teacher is shown first is read off."""
    truth = np.zeros(size, np.uint8)
    truth[box[1] : box[3], box[0] : box[2]] = 1
    truth[truth == 0] = 255  # one region alone
    rows, columns = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    looks: list[torch.Tensor] = []
    embed = teacher().embed_images
    monkeypatch.setattr(teacher(), "embed_images", lambda images: looks.extend(images) or embed(images))
    TrueRegions(teacher()).encode_true(torch.stack([columns, rows, rows])[None] / 100, truth, size)
    assert len(looks) == 3  # the region as it is and alone, and the picture
    x, y, _ = (100 * looks[0]).round().int()
    assert (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1) == seen


class OneBlot:
    """A picture of two classes, beside 60 pixels that do not count."""

    name = "one blot"
    classes: tuple[str, ...] = ("background", "dog")
    has_background = True
    vocabulary = Vocabulary(("dog",), background=("grass",))

    def __len__(self) -> int:
        return 1

    def __iter__(self):
        truth = np.zeros((30, 40), np.uint8)
        truth[10:20, 10:30] = 1
        truth[0, :] = 255
        yield Sample("one", Image.new("RGB", (40, 30), "red"), truth)


def test_the_oracles_regions_are_exact():
    """Had each region its majority class, nothing would be wrong; its masks are those of the truth."""
    segmenter = yardstick_segmenter("oracle", teacher(), refinement=3)
    (sample,) = OneBlot()
    encoded = encode_sample(segmenter, sample)
    assert encoded.masks is not None
    assert encoded.masks.shape == (2, 30, 40)
    result = evaluate(segmenter, OneBlot())
    assert result.oracle_miou == 1.0
    assert result.read_out.refinement == 0
    named = segmenter.reading(margin=-200.0)  # every region is a dog
    assert evaluate(named, OneBlot()).miou == pytest.approx((0 + 200 / 1160) / 2)


def test_without_truth_the_oracle_sees_one_region():
    encoded = TrueRegions(teacher()).encode(torch.rand(1, 3, 8, 10), (8, 10))
    assert encoded.segments is not None
    assert len(encoded.segments) == 1


def test_nothing_is_background_everywhere():
    """960 of 1,160 pixels that count are background: IoU .8276 and 0."""
    segmenter = yardstick_segmenter("background", teacher())
    assert isinstance(segmenter.encoder, Nothing)
    assert evaluate(segmenter, OneBlot()).miou == pytest.approx(960 / 1160 / 2)

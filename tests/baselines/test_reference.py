"""Two references: true regions, named as well as the teacher can, and background everywhere."""

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
from zeroseg.baselines import BackgroundOnly, TrueRegions, baseline_segmenter
from zeroseg.baselines.regions import components, true_regions
from zeroseg.evaluation import Sample, evaluate
from zeroseg.evaluation.benchmark import encode_sample
from zeroseg.images import resize
from zeroseg.rules import Margin
from zeroseg.segmentation import IGNORE
from zeroseg.views import Box
from zeroseg.vocabulary import Vocabulary

EIGHT = np.ones((3, 3), int)


@given(arrays(np.uint16, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2)))
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
    truth = np.zeros((40, 40), np.uint16)
    truth[5:15, 5:15] = 1
    truth[30, 30] = 1  # a crumb: one pixel of 1,600
    truth[20:22] = IGNORE
    masks, boxes = true_regions(truth, IGNORE)
    assert len(masks) == 3  # the background above and below the line, and the square with its crumb
    assert (masks.sum(axis=0) == (truth != IGNORE)).all()
    square = boxes.index((5, 5, 15, 15))
    assert masks[square].sum() == 101


def test_regions_of_class_ids_beyond_a_byte():
    """Crumbs of class 300 join class 300, not class 44, which is 300 - 256."""
    truth = np.zeros((40, 40), np.uint16)
    truth[5:15, 5:15], truth[5:15, 25:35] = 300, 44
    truth[30, 30], truth[0] = 300, IGNORE
    masks, boxes = true_regions(truth, IGNORE)
    assert len(masks) == 3
    assert masks[boxes.index((5, 5, 15, 15))].sum() == 101
    assert masks[boxes.index((25, 5, 35, 15))].sum() == 100


@pytest.mark.parametrize(
    ("size", "region", "seen"),
    [  # boxes: left, top, right, bottom
        ((100, 100), (0, 0, 4, 4), (0, 0, 20, 20)),  # no smaller than a fifth of the shorter side, within the picture
        ((100, 100), (80, 40, 100, 80), (72, 46, 100, 74)),  # .7 of the longer side, moved into the picture
        ((100, 50), (0, 0, 100, 50), (15, 0, 85, 50)),  # cut where the picture is not as wide
    ],
)
def test_the_teacher_sees_a_square_in_the_middle_of_a_region(
    size: tuple[int, int], region: Box, seen: Box, monkeypatch: pytest.MonkeyPatch
):
    """Red grows to the right and green downwards, so that a look tells its place."""
    width, height = size
    pixels = torch.rand(1, 3, height, width)
    pixels[0, 0], pixels[0, 1] = torch.linspace(0, 1, width), torch.linspace(0, 1, height)[:, None]
    truth = np.full((height, width), IGNORE, np.uint16)
    left, top, right, bottom = region
    truth[top:bottom, left:right] = 0
    looks: list[torch.Tensor] = []
    embed = teacher().embed_images
    monkeypatch.setattr(teacher(), "embed_images", lambda images: looks.append(images) or embed(images))
    TrueRegions(teacher()).encode_true(pixels, truth, (height, width))
    left, top, right, bottom = seen
    expected = resize(pixels[..., top:bottom, left:right], (32, 32))
    assert len(looks[0]) == 3  # the region twice, and the picture
    torch.testing.assert_close(looks[0][:1], expected)


class OneBlot:
    """A picture of two classes, beside 60 pixels that do not count."""

    name = "one blot"
    classes: tuple[str, ...] = ("background", "dog")
    has_background = True
    vocabulary = Vocabulary(("dog",), background=("grass",))

    def __len__(self) -> int:
        return 1

    def __iter__(self):
        return map(self.sample, range(len(self)))

    def sample(self, number: int) -> Sample:
        assert number == 0
        truth = np.zeros((30, 40), np.uint16)
        truth[10:20, 10:30] = 1
        truth[0, :] = IGNORE
        return Sample("one", Image.new("RGB", (40, 30), "red"), truth)


def test_true_regions_are_exact():
    """Had each region its majority class, nothing would be wrong; its masks are those of the truth."""
    segmenter = baseline_segmenter("true-regions", teacher(), refinement=3)
    (sample,) = OneBlot()
    encoded = encode_sample(segmenter, sample)
    assert encoded.masks is not None
    assert encoded.masks.shape == (2, 30, 40)
    result = evaluate(segmenter, OneBlot())
    assert result.upper_bound_miou == 1.0
    assert result.read_out.refinement == 0
    named = segmenter.reading(background=Margin(-200.0))  # every region is a dog
    assert evaluate(named, OneBlot()).miou == pytest.approx((0 + 200 / 1160) / 2)


def test_without_truth_there_is_one_region():
    encoded = TrueRegions(teacher()).encode(torch.rand(1, 3, 8, 10), [(8, 10)])[0]
    assert encoded.segments is not None
    assert len(encoded.segments) == 1


def test_background_everywhere():
    """960 of 1,160 pixels that count are background: IoU .8276 and 0."""
    segmenter = baseline_segmenter("background", teacher())
    assert isinstance(segmenter.encoder, BackgroundOnly)
    assert evaluate(segmenter, OneBlot()).miou == pytest.approx(960 / 1160 / 2)

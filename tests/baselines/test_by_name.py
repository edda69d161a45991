"""BaselineNames by name: what each sees in a picture, and how it is named, against the definitions."""

from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.baselines.test_dense import METHODS, naive_patches, pixels_of
from tests.tiny import TEACH, photo, teacher
from zeroseg.baselines import (
    BaselineName,
    DenseReadOut,
    GridCrops,
    SlidingWindows,
    TrueRegions,
    baseline_segmenter,
    open_baseline,
)
from zeroseg.baselines.reference import BackgroundOnly
from zeroseg.encoding import ImageEncoder
from zeroseg.images import resize
from zeroseg.vocabulary import Vocabulary

KINDS = {"crops": GridCrops, "windows": SlidingWindows, "background": BackgroundOnly, "true-regions": TrueRegions}
GRIDS = {"crops": 4, "windows": 24, "background": 1, **dict.fromkeys(METHODS, 8)}  # cells a side of a square picture
SIDE = 2 * TEACH.image_size
VOCABULARY = Vocabulary(("dog", "cat", "house"), background=("sky", "grass"), templates=("{}",))


def expected_patches(name: BaselineName, pixels: torch.Tensor) -> torch.Tensor | np.ndarray:
    """The embeddings of the cells (N D) of a square picture: docs/method.md."""
    match name:
        case "crops":
            quarter = SIDE // 4
            corners = [(y, x) for y in range(0, SIDE, quarter) for x in range(0, SIDE, quarter)]
            crops = [resize(pixels[..., y : y + quarter, x : x + quarter], (32, 32)) for y, x in corners]
            return torch.cat([teacher().embed_images(crop) for crop in crops])
        case "windows":  # whose own test holds them against a loop
            exact = SlidingWindows(teacher(), SIDE, sides=(1 / 6, 1 / 4, 1 / 3, 1 / 2), stride=1 / 16, cells=24)
            found = exact.encode(pixels, [(SIDE, SIDE)])[0].patches
            assert found is not None
            return found
        case "background":
            return torch.zeros(1, TEACH.embedding_width)
        case "true-regions":
            raise ValueError("true regions are no cells")
        case _:
            return naive_patches(name, pixels)


@pytest.mark.parametrize("name", get_args(BaselineName))
def test_a_baseline_is_what_its_name_says_and_segments(name: BaselineName):
    encoder = open_baseline(name, teacher())
    assert isinstance(encoder, ImageEncoder)
    assert isinstance(encoder, KINDS.get(name, DenseReadOut))
    assert not isinstance(encoder, DenseReadOut) or encoder.method == name
    assert encoder.shorter_side == (1 if name in ("background", "true-regions") else 2) * TEACH.image_size
    assert baseline_segmenter(name, teacher())(photo(40, 30), "dog, cat").size == (40, 30)


@pytest.mark.parametrize("name", GRIDS)
def test_a_baselines_cells_are_those_of_its_definition(name: BaselineName):
    pixels = pixels_of(SIDE, SIDE)
    encoded = open_baseline(name, teacher()).encode(pixels, [(SIDE, SIDE)])[0]
    assert encoded.grid == (GRIDS[name], GRIDS[name])
    assert encoded.patches is not None
    np.testing.assert_allclose(encoded.patches, expected_patches(name, pixels), atol=2e-2 if name == "crops" else 1e-4)


@pytest.mark.parametrize("name", GRIDS)
def test_a_cell_gets_the_nearest_label_unless_a_background_word_is_nearer(name: BaselineName):
    """A picture with a pixel for each cell: its class map can be written down from the embeddings."""
    segmenter = baseline_segmenter(name, teacher(), refinement=0)
    picture = photo(GRIDS[name], GRIDS[name], seed=3)
    patches = segmenter.encode(picture).patches
    assert patches is not None
    assert VOCABULARY.background is not None
    words = F.normalize(teacher().embed_texts([*VOCABULARY.background, *VOCABULARY.labels]), dim=1)
    cosines = F.normalize(patches, dim=1) @ words.T
    nearest = (cosines.argmax(dim=1) - 1).clamp(min=0)  # 0 and 1 are the words of the background
    found = segmenter(picture, VOCABULARY).class_map
    np.testing.assert_array_equal(found.ravel(), nearest)
    assert name == "background" or len(nearest.unique()) > 1


def test_without_truth_there_is_one_region_which_is_the_picture():
    """It is seen as it is, and with its surroundings (there are none) painted over: twice the middle of the picture."""
    pixels = pixels_of(32, 32)
    encoded = open_baseline("true-regions", teacher()).encode(pixels, [(32, 32)])[0]
    middle = teacher().embed_images(resize(pixels[..., 5:27, 5:27], (32, 32)))  # .7 of the longer side: 22 pixels
    assert encoded.segments is not None
    torch.testing.assert_close(encoded.segments, F.normalize(middle, dim=-1), atol=1e-2, rtol=1e-2)

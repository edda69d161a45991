"""Encodings that are kept change no result, and what cannot be kept is left alone."""

import pytest
import torch

from tests.tiny import photo, teacher
from zeroseg.baselines import DenseReadOut, GridCrops, baseline_segmenter
from zeroseg.evaluation.remembering import RememberingEncoder, remembering


@pytest.mark.parametrize(("most", "expected"), [(9, [1, 1]), (1, [1, 1, 1])])
def test_equal_pixels_are_encoded_once_and_as_without_memory(
    monkeypatch: pytest.MonkeyPatch, most: int, expected: list[int]
):
    crops = GridCrops(teacher(), 32, n=2)
    memory, calls, real = RememberingEncoder(crops, most), list[int](), crops.encode
    monkeypatch.setattr(crops, "encode", lambda pixels, sizes: calls.append(len(pixels)) or real(pixels, sizes))
    pixels = torch.stack([torch.full((3, 32, 32), 0.2), torch.rand(3, 32, 32), torch.full((3, 32, 32), 0.2)])
    pixels = pixels[[0, 2, 1]]
    found = [*memory.encode(pixels, [(32, 32), (64, 64), (32, 32)]), *memory.encode(pixels[2:], [(32, 32)])]
    assert calls == expected
    assert [one.size for one in found] == [(32, 32), (64, 64), (32, 32), (32, 32)]
    for place, encoded in zip((0, 1, 2, 2), found, strict=True):
        alone = real(pixels[place][None], [encoded.size])[0]
        assert encoded.patches is not None
        assert alone.patches is not None
        torch.testing.assert_close(encoded.patches, alone.patches)


def test_a_grey_picture_is_not_its_turned_one():
    memory = RememberingEncoder(DenseReadOut(teacher(), 32, "maskclip"))
    grids = [memory.encode(torch.full((1, 3, *size), 0.5), [size])[0].grid for size in ((32, 64), (64, 32))]
    assert grids[0] == grids[1][::-1] != grids[1]


def test_a_remembering_segmenter_finds_the_same_classes():
    crops = baseline_segmenter("crops", teacher())
    once, image = remembering(crops), photo(40, 32, seed=3)
    for _ in range(2):
        assert (once(image, "cat, dog").class_map == crops(image, "cat, dog").class_map).all()


def test_references_need_no_memory():
    """Evaluation gives true regions the truth, and knows them by their type."""
    for reference in (baseline_segmenter("true-regions", teacher()), baseline_segmenter("background", teacher())):
        assert remembering(reference) is reference

"""Views are cut where the boxes say, at the size of the square or at the picture's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.tiny import photo, teacher
from zeroseg.feature_cache import FeatureCache, build_cache, embed_views
from zeroseg.feature_cache.embedding import embed_own_views, most_pixels
from zeroseg.images import resize, to_tensor
from zeroseg.views import ViewsConfig

OWN = ViewsConfig(side=32, grids=(1, 2), overlapping=True, own_resolution=True)


def test_bytes_and_numbers_give_the_same() -> None:
    """Squares go to the teacher's device as bytes."""
    views = ViewsConfig(side=32, grids=(1, 2))
    squares = torch.stack([to_tensor(photo(seed=n)) for n in range(3)])
    torch.testing.assert_close(
        embed_views(teacher(), views, squares), embed_views(teacher(), views, squares.float() / 255)
    )


@pytest.mark.parametrize("side", [20, 32, 64, 200])
def test_own_views_are_cut_from_the_picture_itself(side: int) -> None:
    """The oracle crops the square, and resizes the crop: they differ where the filter reaches over an edge of it."""
    square = to_tensor(photo(side, side, seed=5))
    ours = embed_own_views(teacher(), OWN, [square])[0]
    boxes = OWN.boxes()
    assert ours.shape == (len(boxes), 16)
    for (left, top, right, bottom), embedding in zip(boxes, ours, strict=True):
        part = [round(edge * side / OWN.side) for edge in (left, top, right, bottom)]
        crop = square[:, part[1] : part[3], part[0] : part[2]]
        expected = teacher().embed_images(resize(crop, (teacher().size, teacher().size))[None])[0]
        assert torch.cosine_similarity(embedding, expected, dim=0) > 0.9


def test_squares_of_several_sizes_are_embedded_together() -> None:
    """Each as if it were alone."""
    squares = [to_tensor(photo(side, side, seed=side)) for side in (24, 50, 33)]
    together = embed_own_views(teacher(), OWN, squares)
    for square, found in zip(squares, together, strict=True):
        torch.testing.assert_close(found, embed_own_views(teacher(), OWN, [square])[0], atol=1e-4, rtol=1e-4)


def test_a_cache_of_own_views_is_another_cache(tmp_path: Path) -> None:
    """With small squares for large pictures, no larger than any view needs."""
    paths = [tmp_path / f"{n}.png" for n in range(2)]
    photo(500, 400, seed=1).save(paths[0])
    photo(30, 20, seed=2).save(paths[1])
    report = build_cache(paths, teacher(), OWN, tmp_path / "own")
    assert report.embedded == 2
    cache = FeatureCache(tmp_path / "own")
    assert cache.views == OWN
    with Image.open(paths[1]) as small:
        expected = embed_own_views(teacher(), OWN, [to_tensor(small.convert("RGB").crop((5, 0, 25, 20)))])[0]
    torch.testing.assert_close(cache.at(1), expected, atol=0.02, rtol=0.02)
    assert most_pixels(teacher(), OWN) == 2 * teacher().size

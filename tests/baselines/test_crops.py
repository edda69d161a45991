"""Grid crops are crops, embedded one by one."""

import pytest
import torch

from tests.tiny import photo, teacher
from zeroseg.baselines import READ_OUT, GridCrops
from zeroseg.errors import ConfigError
from zeroseg.images import to_tensor
from zeroseg.segmenter import Segmenter


def test_grid_crops_are_the_teachers_embeddings_of_the_crops():
    picture = photo(64, 64)
    encoded = Segmenter(GridCrops(teacher(), 64, n=2), teacher(), READ_OUT).encode(picture)
    assert encoded.grid == (2, 2)
    assert encoded.patches is not None
    corners = [(0, 0, 32, 32), (32, 0, 64, 32), (0, 32, 32, 64), (32, 32, 64, 64)]
    for box, ours in zip(corners, encoded.patches, strict=True):
        expected = teacher().embed_images(to_tensor(picture.crop(box))[None].float() / 255)[0]
        torch.testing.assert_close(ours, expected, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("size", [(64, 64), (90, 40), (5, 200)])
def test_grid_crops_segment_a_picture_of_any_size(size: tuple[int, int]):
    assert Segmenter(GridCrops(teacher(), 64), teacher(), READ_OUT)(photo(*size), "dog, cat").size == size


@pytest.mark.parametrize("n", [0, 65])
def test_crops_of_no_pixel_are_refused(n: int):
    with pytest.raises(ConfigError, match=rf"^{n} x {n} crops cannot be cut from 64 x 64 pixels\.$"):
        GridCrops(teacher(), 64, n)

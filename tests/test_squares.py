"""The square of an image file."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from zeroseg.errors import ImageError
from zeroseg.image_index import image_key
from zeroseg.squares import center_square, read_square, square_of_file


@pytest.mark.parametrize("size", [(50, 32), (32, 50), (100, 64)])
def test_square_is_the_middle_of_the_picture(size: tuple[int, int], tmp_path: Path):
    picture = Image.new("RGB", size, "red")
    side, (width, height) = min(size), size
    picture.paste("blue", ((width - side) // 2, (height - side) // 2, (width + side) // 2, (height + side) // 2))
    picture.save(tmp_path / "picture.png")
    square = read_square((tmp_path / "picture.png").read_bytes(), 32)
    assert square.shape == (3, 32, 32)
    assert square.dtype == torch.uint8
    assert square.flatten(1).unique(dim=1).T.tolist() == [[0, 0, 255]]


def test_the_square_of_a_narrow_picture():
    assert center_square(Image.new("RGB", (1, 900))).size == (1, 1)


def test_a_file_is_named_where_it_is_no_picture_or_not_the_one_with_the_key(tmp_path: Path):
    path = tmp_path / "picture.png"
    Image.new("RGB", (4, 4), "red").save(path)
    assert square_of_file(path, 4, image_key(path.read_bytes())).flatten(1).T.unique(dim=0).tolist() == [[255, 0, 0]]
    with pytest.raises(ImageError, match=r"picture\.png' has changed since it was cached"):
        square_of_file(path, 4, image_key(b"other"))
    path.write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"picture\.png' is not a picture"):
        square_of_file(path, 4)
    with pytest.raises(ImageError, match=r"^The given data is not a picture"):
        read_square(b"nothing", 4)

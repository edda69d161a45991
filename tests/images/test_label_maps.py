"""Pictures whose numbers are labels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.images.pictures import gradient, stored
from zeroseg.errors import ImageError
from zeroseg.images import load_label_map


@pytest.mark.parametrize(("mode", "kind"), [("P", "uint8"), ("L", "uint8"), ("1", "bool"), ("I;16", "uint16")])
def test_label_maps_keep_their_numbers(mode: str, kind: str, tmp_path: Path):
    largest = {"bool": 1, "uint8": 255}.get(kind, 40_000)
    rows = [[0, 1, largest], [largest // 2, 0, 1]]
    numbers = np.array(rows, kind)
    picture = Image.fromarray(numbers)
    if mode == "P":
        picture.putpalette(bytes(255 - number // 3 for number in range(768)))
    assert picture.mode == mode
    exif = Image.Exif()
    exif[0x0112] = 6  # which turns a photo, and not a label map
    picture.save(tmp_path / "map.png", exif=exif)
    assert load_label_map(tmp_path / "map.png").tolist() == rows


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_label_maps_of_several_channels_are_refused(mode: str, tmp_path: Path):
    Image.new(mode, (3, 2)).save(tmp_path / "map.png")
    with pytest.raises(ImageError, match=rf"map.png.*channels \({mode}\)"):
        load_label_map(tmp_path / "map.png")


@pytest.mark.parametrize("data", [b"", b"no picture", stored(gradient().convert("P"), "PNG")[:200]])
def test_label_maps_that_are_damaged_are_refused(data: bytes, tmp_path: Path):
    path = tmp_path / "map.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"map\.png"):
        load_label_map(path)


def test_label_maps_that_are_nowhere_are_refused(tmp_path: Path):
    with pytest.raises(ImageError, match="no file"):
        load_label_map(tmp_path / "map.png")

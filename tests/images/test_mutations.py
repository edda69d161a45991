"""Damaged files of every format: a picture or an `ImageError`, nothing else; `scripts/mutate_images.py` makes more."""

import resource
from collections import Counter
from pathlib import Path

import pytest
from scripts.mutate_images import mutated_files, valid_files

from zeroseg.errors import ImageError
from zeroseg.images import load_image, pixel_count


def test_the_files_that_are_mutated_are_valid():
    assert {name for name, _ in valid_files()} == {"JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIC"}
    for _, data in valid_files():
        assert sorted(load_image(data).size) == [32, 48]


def refusal(data: bytes) -> str | None:
    """The sentence with which a file is refused; None if it is a picture."""
    try:
        assert load_image(data).mode == "RGB"
    except ImageError as error:
        return str(error)
    return None


@pytest.mark.filterwarnings("ignore")  # Pillow may well warn about damaged bytes
def test_a_mutated_file_is_a_picture_or_an_image_error():
    outcomes = Counter[bool]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _, data in mutated_files(300, seed=1):
        sentence = refusal(data)
        outcomes[sentence is None] += 1
        assert "\n" not in (sentence or "")
    assert min(outcomes.values()) > 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB: less than 1 GiB


def test_the_same_seed_gives_the_same_files():
    assert list(mutated_files(20, seed=3)) == list(mutated_files(20, seed=3))


def test_the_number_of_pixels_is_that_of_the_picture(tmp_path: Path):
    for number, (_, data) in enumerate(valid_files()):
        (tmp_path / str(number)).write_bytes(data)
        assert pixel_count(tmp_path / str(number)) == 48 * 32

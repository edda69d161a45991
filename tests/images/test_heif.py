"""HEIC and AVIF: photos of phones."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from tests.images.pictures import DISPLAY_P3, assert_close, gradient, in_space, matrix_profile, stored
from zeroseg.errors import ImageError
from zeroseg.images import UPRIGHT, load_image, opening, pixel_count, search_images, upright_turn

PICTURE = gradient(96, 64)


def heic(image: Image.Image, **options: object) -> bytes:
    """A HEIC file, without making Pillow know the format."""
    Image.init()  # its own formats first, or they would be forgotten with the copies
    with pytest.MonkeyPatch.context() as patch:
        for registry in ("SAVE", "SAVE_ALL", "OPEN", "ID", "EXTENSION", "MIME"):
            known = getattr(Image, registry)
            patch.setattr(Image, registry, known.copy())
        pillow_heif.register_heif_opener()
        return stored(image, "HEIF", quality=95, chroma=444, **options)


def file_of(kind: str, image: Image.Image, **options: object) -> bytes:
    if kind == "HEIC":
        return heic(image, **options)
    return stored(image, "AVIF", quality=95, subsampling="4:4:4", **options)


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
def test_each_is_read_and_pillow_is_left_as_it_was(kind: str):
    content, known = file_of(kind, PICTURE), set(Image.OPEN)
    assert_close(load_image(content), PICTURE, 3)
    assert set(Image.OPEN) == known


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
@pytest.mark.parametrize("orientation", [1, *UPRIGHT])
def test_rotation_is_applied_once(kind: str, orientation: int, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    path.write_bytes(file_of(kind, PICTURE, exif=exif.tobytes()))
    expected = PICTURE.transpose(UPRIGHT[orientation]) if orientation > 1 else PICTURE
    assert_close(load_image(path), expected, 3)
    assert pixel_count(path) == 96 * 64
    stored_turn = upright_turn(path)
    assert stored_turn == (None if kind == "HEIC" or orientation == 1 else UPRIGHT[orientation])


def test_exif_alone_does_not_rotate_a_heic():
    """Its own property does, by the standard; EXIF repeats it for programs that know EXIF alone."""
    exif = Image.Exif()
    exif[0x0112] = 6
    assert_close(load_image(heic(PICTURE, exif=exif)), PICTURE, 3)  # given as an object, it is only stored


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
def test_their_profile_is_used(kind: str):
    """Phones save in Display P3."""
    wide = in_space(PICTURE, DISPLAY_P3, 2.2)
    assert_close(load_image(file_of(kind, wide, icc_profile=matrix_profile(DISPLAY_P3, 2.2))), PICTURE, 5)


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
def test_transparency_is_laid_on_white(kind: str):
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    assert np.asarray(load_image(file_of(kind, clear))).min() >= 250


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_truncation_is_noticed(kind: str, kept: float):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = file_of(kind, noise)
    with pytest.raises(ImageError, match="damaged"):
        load_image(data[: int(kept * len(data))])


def test_without_the_extra_one_sentence_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(heic(PICTURE))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"IMG_0001\.HEIC.*pip install \"zeroseg\[heif\]\"\.$"):
        load_image(path)


def test_a_pillow_without_avif_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("PIL.AvifImagePlugin.SUPPORTED", False)
    monkeypatch.setattr("PIL.features.check", lambda feature: feature != "avif")
    with pytest.warns(UserWarning, match="AVIF support not installed"), pytest.raises(ImageError, match="without AVIF"):
        load_image(file_of("AVIF", PICTURE))


def test_they_are_found_in_folders(tmp_path: Path):
    for name in ("a.HEIC", "b.heif", "c.avif"):
        (tmp_path / name).touch()
    assert [found.path.name for found in search_images([tmp_path]).pictures] == ["a.HEIC", "b.heif", "c.avif"]


@pytest.mark.parametrize("installed", [True, False])
def test_only_formats_that_can_be_read_are_named(monkeypatch: pytest.MonkeyPatch, installed: bool):
    """HEIC needs a package."""
    monkeypatch.setattr(opening, "find_spec", lambda _: installed or None)
    with pytest.raises(ImageError, match="AVIF") as refused:
        load_image(b"no picture")
    assert ("HEIC" in str(refused.value)) == installed

"""Whatever a picture was stored as, it comes out as upright RGB, or one sentence says why not."""

import inspect
import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.images.pictures import assert_close, gradient, stored
from zeroseg.errors import ImageError
from zeroseg.images import UPRIGHT, has_more_frames, load_image, upright_turn


@pytest.mark.parametrize(
    ("file_format", "tolerance"), [("PNG", 0), ("BMP", 0), ("TIFF", 0), ("JPEG", 4), ("WEBP", 6), ("GIF", 20)]
)
def test_each_format_from_each_kind_of_source(tmp_path: Path, file_format: str, tolerance: float):
    data = stored(gradient(), file_format)
    path = tmp_path / "picture.of-any-suffix"
    path.write_bytes(data)
    with path.open("rb") as file:
        sources = [str(path), path, data, BytesIO(data), file]
        for source in sources:
            assert_close(load_image(source), gradient(), tolerance)


def test_other_formats_are_not_even_tried():
    """PPM stands for the forty decoders that nobody audits."""
    with pytest.raises(ImageError, match="not a picture"):
        load_image(stored(gradient(), "PPM"))


def test_arrays_are_pictures():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    np.testing.assert_array_equal(np.asarray(load_image(pixels[..., :3])), pixels[..., :3])
    np.testing.assert_array_equal(np.asarray(load_image(pixels[:, ::2, 0]))[..., 1], pixels[:, ::2, 0])
    assert load_image(pixels).size == (7, 5)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (np.zeros((5, 7, 3)), r"an array of float64, \[5, 7, 3\], is no picture: give uint8"),
        (np.zeros((3, 5, 7), np.uint8), r"an array of uint8, \[3, 5, 7\], is no picture"),
        (np.zeros((0, 7, 3), np.uint8), r"an array of uint8, \[0, 7, 3\], is no picture"),
    ],
)
def test_other_arrays_are_no_pictures(source: np.ndarray, complaint: str):
    with pytest.raises(ImageError, match=complaint):
        load_image(source)


@pytest.mark.parametrize("source", [None, torch.zeros(3, 5, 7)])
def test_other_objects_are_no_pictures(source: Any):
    """Outside the tests no types are checked."""
    with pytest.raises(ImageError, match=f"^a {type(source).__name__} is no picture: give a path"):
        inspect.unwrap(load_image)(source)


def test_given_pillow_image_is_copied_and_left_alone():
    given_image = gradient()
    loaded = load_image(given_image)
    loaded.paste("black", (0, 0, 24, 16))
    assert_close(given_image, gradient())


def test_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    for file_format, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})):
        data = stored(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
        assert_close(load_image(data), frames[0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_exif_rotation_is_applied_once(orientation: int, file_format: str):
    undo = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, 1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = load_image(stored(gradient(), file_format, exif=exif))
    np.testing.assert_array_equal(np.asarray(image), undo(np.asarray(gradient())))
    assert_close(load_image(image), image)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_cost_the_picture():
    data = stored(gradient(), "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff garbage", quality=95)
    assert_close(load_image(data), gradient(), 4)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("orientation", [None, 1, *UPRIGHT])
def test_the_turn_is_the_one_that_loading_does(orientation: int | None, suffix: str, tmp_path: Path):
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    path = tmp_path / f"photo.{suffix}"
    gradient().save(path, exif=exif)
    turn = upright_turn(path)
    expected = gradient() if turn is None else gradient().transpose(turn)
    assert_close(load_image(path), expected)
    assert (turn is None) == (orientation in {None, 1})


# --- bad files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "0 bytes"),
        (b"only some text, renamed to jpg", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (stored(gradient(), "JPEG")[:20], "damaged"),
        (stored(gradient(200, 200), "JPEG")[:-800], "truncated"),
        (stored(gradient(200, 200), "PNG")[:-300], "truncated"),
    ],
)
def test_bad_file_is_one_sentence_with_its_name_and_advice(tmp_path: Path, content: bytes, complaint: str):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=complaint) as caught:
        load_image(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert ";" in message  # what is wrong; what to do


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_truncation_is_noticed_in_every_format(file_format: str):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = stored(noise, file_format)
    with pytest.raises(ImageError, match="damaged"):
        load_image(data[: len(data) // 2])


def test_paths_that_lead_to_no_file(tmp_path: Path):
    for source, complaint in (
        (tmp_path / "missing.jpg", "no file"),
        (tmp_path, "is a folder"),
        ("nul\0byte.jpg", "cannot be opened"),
        ("x" * 5000 + ".jpg", "cannot be opened"),
    ):
        with pytest.raises(ImageError, match=complaint):
            load_image(source)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX")
def test_pipe_is_refused_rather_than_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="regular file"):
        load_image(tmp_path / "pipe.jpg")


@pytest.mark.filterwarnings("ignore")  # Pillow may well warn about hostile bytes
@settings(max_examples=150, deadline=None)
@given(
    file_format=st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"]),
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    kept=st.floats(0, 1),
)
def test_damaged_bytes_give_a_picture_or_a_sentence_and_nothing_else(
    file_format: str, damage: list[tuple[float, int]], kept: float
):
    data = bytearray(stored(gradient(), file_format))
    for place, value in damage:
        data[int(place * len(data))] = value
    with suppress(ImageError):
        assert load_image(bytes(data[: int(kept * len(data)) + 1])).mode == "RGB"


def test_further_frames_are_noticed(tmp_path: Path) -> None:
    """Of animations and of TIFFs with several pages; not previews in MPO."""
    one, other = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    for name, kind, more in (
        ("a.png", "PNG", True), ("a.gif", "GIF", True), ("a.webp", "WEBP", True), ("a.tif", "TIFF", True),
        ("a.mpo", "MPO", False), ("b.png", "PNG", False), ("b.jpg", "JPEG", False),
    ):  # fmt: skip
        further = {"save_all": True, "append_images": [other]} if name.startswith("a") else {}
        one.save(tmp_path / name, kind, **further)
        assert has_more_frames(tmp_path / name) is more, name
    with pytest.raises(ImageError, match="no file"):
        has_more_frames(tmp_path / "missing.png")

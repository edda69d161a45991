"""Whatever a picture was stored as, it comes out as upright RGB, or one sentence says why not."""

import inspect
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from zeroseg.errors import ImageError
from zeroseg.images import (
    MAX_PIXELS,
    UPRIGHT,
    find_images,
    load_image,
    load_label_map,
    resize,
    to_pil,
    to_tensor,
    upright_turn,
)


def gradient(width: int = 24, height: int = 16) -> Image.Image:
    """Red grows to the right, green downwards: rotations and swapped channels show."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 90)], axis=-1).round().astype(np.uint8))


def stored(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format=file_format, **options)
    return buffer.getvalue()


def assert_close(image: Image.Image, expected: Image.Image, tolerance: float = 0) -> None:
    assert image.mode == "RGB"
    assert image.size == expected.size
    difference = np.abs(np.asarray(image, int) - np.asarray(expected.convert("RGB"), int))
    assert difference.mean() <= tolerance


# --- sources and formats --------------------------------------------------------------------------


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


# --- modes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_16_bit_is_scaled_not_saturated(dtype: str):
    ramp = np.linspace(0, 65_535, 256).round().astype(dtype)[None]
    image = Image.fromarray(ramp)
    for source in (image, stored(image, "TIFF"), stored(Image.fromarray(ramp.astype("<u2")), "PNG")):
        np.testing.assert_array_equal(np.asarray(load_image(source))[0, :, 0], np.arange(256))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 128, 255]], np.int32), [0, 128, 255]),
        (np.array([[0, 257 * 128, 65_535]], np.int32), [0, 128, 255]),
        (np.array([[0, 10**6, 2 * 10**6]], np.int32), [0, 128, 255]),
        (np.array([[-100, 0, 100]], np.int32), [0, 128, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 128, 255]], np.float32), [0, 128, 255]),
        (np.array([[0, np.nan, 1]], np.float32), [0, 0, 255]),
        (np.array([[np.inf, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.full((1, 3), np.nan, np.float32), [0, 0, 0]),
        (np.zeros((1, 3), np.float32), [0, 0, 0]),
        (np.full((1, 3), -5, np.int32), [0, 0, 0]),
    ],
)
def test_integer_and_float_pictures_take_the_range_that_holds_them(values: np.ndarray, expected: list[int]):
    assert np.asarray(load_image(Image.fromarray(values)))[0, :, 1].tolist() == expected


def test_cmyk_is_converted():
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for file_format in ("JPEG", "TIFF"):
        assert_close(load_image(stored(cmyk, file_format)), Image.new("RGB", (8, 8), "red"), 2)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "La", "RGBa"])
def test_transparency_is_laid_on_white(mode: str):
    """Half of the picture is transparent black: it must come out white, not as the hidden black."""
    image = Image.new("RGBA", (8, 4), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 4, 4))
    if mode == "La":
        image = image.convert("LA")
    loaded = load_image(image.convert(mode))
    assert loaded.getpixel((1, 1)) == (0, 0, 0)
    assert loaded.getpixel((6, 1)) == (255, 255, 255)


def test_half_transparency_blends():
    assert load_image(Image.new("RGBA", (1, 1), (0, 0, 0, 128))).getpixel((0, 0)) == (127, 127, 127)


@pytest.mark.parametrize(("mode", "key", "colour"), [("P", 1, None), ("L", 7, 7), ("RGB", (1, 2, 3), (1, 2, 3))])
@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
def test_transparent_palette_index_or_colour_key(mode: str, key: Any, colour: Any, file_format: str):
    if mode == "RGB" and file_format == "GIF":
        pytest.skip("GIF has no RGB")
    image = Image.new(mode, (4, 4), 1 if mode == "P" else colour)
    if mode == "P":
        image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((0, 0), 0 if mode != "RGB" else (0, 0, 0))
    loaded = load_image(stored(image, file_format, transparency=key))
    assert loaded.getpixel((3, 3)) == (255, 255, 255)
    assert loaded.getpixel((0, 0)) == ((255, 0, 0) if mode == "P" else (0, 0, 0))


def test_palette_and_bilevel():
    assert_close(load_image(stored(gradient().convert("P"), "PNG")), gradient().convert("P"))
    assert_close(load_image(Image.new("1", (3, 3), 1)), Image.new("RGB", (3, 3), "white"))


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (20_000, 20), (1, 3000)])
def test_extreme_shapes_are_right(size: tuple[int, int]):
    image = Image.new("RGB", size, (1, 2, 3))
    assert_close(load_image(stored(image, "PNG")), image)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_100_megapixels_load_without_a_warning(file_format: str):
    """Pillow warns from 89 Mpx on (an error here); uncompressed TIFF is checked again while decoding."""
    image = Image.new("1", (10_000, 10_000))
    image.paste(1, (9_999, 0, 10_000, 10_000))
    loaded = load_image(stored(image, file_format))
    assert loaded.size == (10_000, 10_000)
    assert loaded.getpixel((9_999, 5_000)) == (255, 255, 255)
    assert loaded.getpixel((9_998, 5_000)) == (0, 0, 0)


def png_header_only(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_too_many_pixels_are_refused_from_the_header_alone():
    """There are no pixels in this file: had decoding begun, the sentence would be another."""
    for side in (20_000, 1_000_000):
        with pytest.raises(ImageError, match="more than the 200,000,000 allowed"):
            load_image(png_header_only(side, side))
    with pytest.raises(ImageError, match="truncated"):
        load_image(png_header_only(100, 100))
    assert MAX_PIXELS >= 100_000_000


def test_webp_that_claims_a_giant_canvas_is_refused():
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + b"\x00" * 4 + b"\xff\xff\xff" * 2
    with pytest.raises(ImageError, match="is damaged"):
        load_image(b"RIFF" + struct.pack("<I", len(body)) + body)


def test_given_pillow_image_is_held_to_the_limit_too():
    with pytest.raises(ImageError, match="allowed"):
        load_image(Image.new("1", (20_000, 10_001)))
    with pytest.raises(ImageError, match="no pixels"):
        load_image(Image.new("RGB", (0, 5)))


def test_pillows_own_limit_is_as_before_also_after_failures_and_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1234)
    sources = [stored(gradient(100, 100), "PNG"), b"nonsense", png_header_only(10**6, 10**6)] * 20

    def size_or_none(source: bytes) -> tuple[int, int] | None:
        try:
            return load_image(source).size
        except ImageError:
            return None

    with ThreadPoolExecutor(4) as threads:
        sizes = list(threads.map(size_or_none, sources))
    assert sizes == [(100, 100), None, None] * 20
    assert Image.MAX_IMAGE_PIXELS == 1234


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


# --- folders --------------------------------------------------------------------------------------


def test_folders_are_searched_in_a_fixed_order(tmp_path: Path):
    names = ["b/2.PNG", "b/10.jpg", "a.webp", "b/c/x.tiff", "notes.txt", ".hidden.png", ".thumbs/t.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in find_images([tmp_path])]
    assert found == ["a.webp", "b/10.jpg", "b/2.PNG", "b/c/x.tiff"]


def test_named_files_come_first_once_and_whatever_their_suffix(tmp_path: Path):
    for name in ("z.dat", "a.png"):
        (tmp_path / name).touch()
    named = tmp_path / "z.dat"
    assert find_images([named, str(tmp_path), named]) == [named, tmp_path / "a.png"]


def test_nothing_to_find_is_said(tmp_path: Path):
    with pytest.raises(ImageError, match="No picture found"):
        find_images([tmp_path])
    with pytest.raises(ImageError, match="No picture found"):
        find_images([])
    with pytest.raises(ImageError, match=r"no file or folder.*missing"):
        find_images([tmp_path / "missing"])
    with pytest.raises(ImageError, match=r"cannot be accessed|no file or folder"):
        find_images(["x" * 5000])


# --- tensors --------------------------------------------------------------------------------------

PIXELS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)))


@settings(max_examples=40, deadline=None)
@given(PIXELS)
def test_tensor_round_trip_is_exact(pixels: np.ndarray):
    image = Image.fromarray(pixels)
    tensor = to_tensor(image)
    assert tensor.shape == (3, image.height, image.width)
    assert tensor.dtype == torch.uint8
    assert tensor[:, -1, 0].tolist() == pixels[-1, 0].tolist()
    assert_close(to_pil(tensor), image)
    assert_close(to_pil(tensor / 255), image)


def test_to_tensor_wants_rgb():
    with pytest.raises(ValueError, match="'L'"):
        to_tensor(Image.new("L", (2, 2)))


def test_to_pil_clamps_floats():
    assert to_pil(torch.tensor([-1.0, 0.5, 2.0])[:, None, None]).getpixel((0, 0)) == (0, 128, 255)


@settings(max_examples=40, deadline=None)
@given(PIXELS, st.integers(1, 20), st.integers(1, 20))
def test_resize_keeps_range_and_commutes_with_batching(pixels: np.ndarray, height: int, width: int):
    tensor = to_tensor(Image.fromarray(pixels))
    one = resize(tensor, (height, width))
    assert one.shape == (3, height, width)
    assert one.min() >= 0
    assert one.max() <= 1
    batch = resize(torch.stack([tensor, 255 - tensor])[None], (height, width))
    assert batch.shape == (1, 2, 3, height, width)
    torch.testing.assert_close(batch[0, 0], one)
    torch.testing.assert_close(resize(tensor / 255, (height, width)), one)


def test_resize_agrees_with_pillow():
    """Pillow's antialiased bicubic is the oracle, on values that stay clear of its clipping between passes."""
    picture = Image.fromarray(np.random.default_rng(0).integers(64, 192, (90, 70, 3), dtype=np.uint8))
    for height, width in ((31, 20), (120, 200), (90, 7)):
        expected = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC), np.float32) / 255
        resized = resize(to_tensor(picture), (height, width)).permute(1, 2, 0).numpy()
        assert np.abs(resized - expected).max() <= 1.5 / 255


def test_resize_to_its_own_size_changes_nothing():
    tensor = to_tensor(gradient())
    torch.testing.assert_close(resize(tensor, (16, 24)) * 255, tensor.float())
    assert resize(tensor.double() / 255, (8, 8)).dtype == torch.float64


# --- pictures whose numbers are labels -------------------------------------------------------------


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

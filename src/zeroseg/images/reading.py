"""Files and arrays as upright 8-bit RGB pictures.

Shapes: H, W height and width in pixels.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from jaxtyping import Integer
from PIL import ExifTags, Image

from zeroseg.errors import ImageError
from zeroseg.images.conversion import to_rgb
from zeroseg.images.opening import opened, pillow_limit_lifted, recognised, said, webp_canvas
from zeroseg.images.repair import is_repairable, repaired

T = TypeVar("T")
BinaryFile = BytesIO | BufferedReader | IO[bytes]
ImageSource = str | os.PathLike[str] | bytes | BinaryFile | Image.Image | np.ndarray

MAX_PIXELS = 500_000_000  # decoded they need 2 GB: the largest cameras have a third of it, satellite scenes less
WEBP_PIXELS = 16_383 * 16_383  # the largest WebP; only animations, which need four times the memory, can claim more
DOUBTFUL_PIXELS = 50_000_000  # a larger picture must have a byte for every `MOST_PIXELS_A_BYTE`
MOST_PIXELS_A_BYTE = 10_000  # an all-white PNG of 1 bit has 8,256
ONE_CHANNEL = frozenset({"1", "L", "P", "I;16"})  # modes of PNGs that hold one number for every pixel

UPRIGHT = {  # EXIF orientation -> the transposition that undoes it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_image(source: ImageSource, name: str = "The given data") -> Image.Image:
    """Read one picture as upright 8-bit RGB, whatever its stored form.

    `source` is a path, the bytes of a file, a binary file object, a Pillow image (which is not
    changed) or an array of uint8, [H W] or [H W 3], or with transparency [H W 4]. Formats: JPEG, PNG,
    WebP, TIFF, BMP, GIF, AVIF, and with the extra `heif` HEIC; the first frame of an animation. EXIF
    rotation is applied, transparent pixels are blended with white, CMYK and palettes are converted,
    16-bit values are scaled by 255/65535. Colours of an embedded profile (ICC) become sRGB, the space
    that nearly all photos have; a profile that is damaged or does not fit the picture is ignored, and
    so are PNG's gAMA and cHRM, as in browsers. Integer ("I") and float ("F") pictures do not state their
    range: it is the smallest of 0..1 (floats only), 0..255 and 0..65535 that holds all values, else
    the picture's own minimum and maximum; values that are not finite become black. The result is a
    new picture without metadata, so loading it again changes nothing. What is damaged beside the pixels
    (EXIF, texts, profiles, a missing end marker) does not matter. `name`: how messages call bytes and
    file objects.

    Raises:
        ImageError: if there is no such file, or it is a folder, empty, not a picture, truncated, or
            over `MAX_PIXELS` (checked before decoding), or another array; the sentence says what to do.
    """
    with pillow_limit_lifted():
        if isinstance(source, Image.Image):
            return _loaded(source, "The given picture", _turned_rgb)
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            with opened(path) as file:
                return _read(file, repr(str(path)), _rgb_of_file)
        if isinstance(source, np.ndarray):
            return _loaded(_of_array(source), "The given array", _turned_rgb)
        if not isinstance(source, bytes) and not hasattr(source, "read"):
            kind = type(source).__name__
            if isinstance(source, list | tuple):
                raise ImageError(f"a {kind} is no picture: give one picture after the other.")
            raise ImageError(f"a {kind} is no picture: give a path, bytes, a Pillow image or an array of uint8.")
        data = source if isinstance(source, bytes) else source.read()
        return _read(BytesIO(data), name, _rgb_of_file)


def borrow_image(source: ImageSource) -> Image.Image:
    """As `load_image`, for those who only look: a plain RGB picture in memory is returned as it is, and not copied."""
    if isinstance(source, Image.Image) and source.mode == "RGB" and not source.info and _orientation(source) == 1:
        return _loaded(source, "The given picture", lambda loaded: loaded)
    return load_image(source)


def _of_array(pixels: np.ndarray) -> Image.Image:
    if pixels.dtype == np.uint8 and pixels.size and (pixels.ndim == 2 or pixels.shape[2:] in ((3,), (4,))):
        return Image.fromarray(np.ascontiguousarray(pixels))
    raise ImageError(f"an array of {pixels.dtype}, {list(pixels.shape)}, is no picture: give uint8, [H W 3] or [H W].")


def load_label_map(path: str | os.PathLike[str]) -> Integer[np.ndarray, "H W"]:
    """Read the stored numbers of a PNG with one channel; with a palette, the indices and not the colours.

    Nothing is rotated, scaled or converted. Raises `ImageError` as `load_image` does, and for several channels.
    """
    name = repr(str(path))
    with pillow_limit_lifted(), opened(Path(path)) as file:
        return _read(file, name, lambda image, name: _loaded(image, name, lambda loaded: _numbers(loaded, name)))


def upright_turn(path: str | os.PathLike[str]) -> Image.Transpose | None:
    """How `load_image` transposes a file's stored pixels, by its EXIF block; None if not. Raises `ImageError`."""
    with pillow_limit_lifted(), opened(Path(path)) as file:
        return _read(file, repr(str(path)), lambda image, _: UPRIGHT.get(_orientation(image)))


def pixel_count(source: str | os.PathLike[str] | bytes, name: str = "The given data") -> int:
    """The number of pixels of a picture by its header, which is fast; raises `ImageError` if it cannot be read.

    `source`: a path, or the bytes of a file, which messages call `name`.
    """
    with pillow_limit_lifted():
        if isinstance(source, bytes):
            return _read(BytesIO(source), name, _pixels)
        with opened(Path(source)) as file:
            return _read(file, repr(str(source)), _pixels)


def _read(file: BytesIO | BufferedReader, name: str, use: Callable[[Image.Image, str], T]) -> T:
    """What `use` makes of a file's picture and of its name in messages.

    If that fails, the file is read again without what is damaged beside the pixels; if that fails too, the first
    `ImageError` is raised.
    """
    head, length = file.read(30), file.seek(0, os.SEEK_END)
    if not head:
        raise ImageError(f"{name} is empty (0 bytes); save or download it again.")
    _check_claim(webp_canvas(head), length, name, WEBP_PIXELS)  # to recognise a WebP is to reserve memory for it
    try:
        image = recognised(file, name)
        _check_claim(image.size, length, name)
        return use(image, name)
    except ImageError as error:
        if not _is_damage(error) or not is_repairable(head):
            raise
        file.seek(0)
        for data in repaired(file.read()):
            try:
                return use(recognised(BytesIO(data), name), name)
            except ImageError as another:
                if not _is_damage(another):
                    raise
        raise


def has_more_frames(path: str | os.PathLike[str]) -> bool:
    """Whether a file has further frames or pages, of which `load_image` reads the first one. Raises `ImageError`.

    The further pictures of MPO are previews and the like, and do not count.
    """
    with pillow_limit_lifted(), opened(Path(path)) as file:
        return _read(file, repr(str(path)), _is_animated)


def _is_animated(image: Image.Image, _name: str) -> bool:
    with contextlib.suppress(Exception):  # a decoder that looks for the second frame may fail in many ways
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    return False


def _pixels(image: Image.Image, _name: str) -> int:
    return image.width * image.height


def _check_claim(size: tuple[int, int], length: int, name: str, most: int = MAX_PIXELS) -> None:
    """Raise `ImageError` for too many pixels, or many in a small file: memory for all of them would be reserved."""
    width, height = size
    if width * height > most:
        raise ImageError(
            f"{name} has {width} x {height} = {width * height:,} pixels, more than the {most:,} allowed; "
            "make it smaller."
        )
    if width * height > max(DOUBTFUL_PIXELS, MOST_PIXELS_A_BYTE * length):
        raise ImageError(
            f"{name} claims {width} x {height} pixels in only {length:,} bytes, so it is damaged or empty; "
            "save or download it again."
        )


def _is_damage(error: ImageError) -> bool:
    """Whether a decoder failed: not a limit, a missing library, or too little memory."""
    return error.__cause__ is not None and not isinstance(error.__cause__, ImportError | MemoryError)


def _loaded(image: Image.Image, name: str, use: Callable[[Image.Image], T]) -> T:
    """What `use` makes of a picture, once its pixels are decoded; they are not if there are too many."""
    width, height = image.size
    if width * height == 0:
        raise ImageError(f"{name} has no pixels ({width} x {height}); give another picture.")
    _check_claim(image.size, width * height, name, MAX_PIXELS)
    try:
        image.load()
        return use(image)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(f"{name} ({width} x {height}) needs more memory than there is.") from error
    except Exception as error:  # decoders raise many kinds of errors for malformed bytes
        raise ImageError(f"{name} is truncated or damaged ({said(error)}); save or download it again.") from error


def _rgb_of_file(image: Image.Image, name: str) -> Image.Image:
    return _loaded(image, name, lambda loaded: _turned_rgb(loaded, ours=True))


def _turned_rgb(image: Image.Image, ours: bool = False) -> Image.Image:
    """`ours`: the picture was read from a file, and is not used afterwards."""
    undo = UPRIGHT.get(_orientation(image))
    rgb = to_rgb(image, ours)
    rgb.info.clear()  # with its EXIF block the picture would be rotated again when it is loaded again
    return rgb if undo is None else rgb.transpose(undo)


def _numbers(image: Image.Image, name: str) -> Integer[np.ndarray, "H W"]:
    if image.mode not in ONE_CHANNEL:
        raise ImageError(
            f"{name} has several channels ({image.mode}), not one number for every pixel; "
            "save it as a grey or palette PNG."
        )
    values = np.array(image)
    return values.astype(np.uint8) if values.dtype == np.bool_ else values


def _orientation(image: Image.Image) -> int:
    """EXIF orientation; 1 (upright) if the EXIF block is missing or damaged: the pixels can still be used."""
    with contextlib.suppress(Exception):
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1

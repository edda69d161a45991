"""Files and arrays as upright 8-bit RGB pictures.

Shapes: H, W height and width in pixels.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from jaxtyping import Integer
from PIL import ExifTags, Image, UnidentifiedImageError

from zeroseg.errors import ImageError
from zeroseg.images.conversion import to_rgb
from zeroseg.images.file_formats import FORMATS

T = TypeVar("T")
BinaryFile = BytesIO | BufferedReader | IO[bytes]
ImageSource = str | os.PathLike[str] | bytes | BinaryFile | Image.Image | np.ndarray

MAX_PIXELS = 200_000_000
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
    WebP, TIFF, BMP, GIF; the first frame of an animation. EXIF
    rotation is applied, transparent pixels are blended with white, CMYK and palettes are converted,
    16-bit values are scaled by 255/65535. Colours of an embedded profile (ICC) become sRGB, the space
    that nearly all photos have; a profile that is damaged or does not fit the picture is ignored, and
    so are PNG's gAMA and cHRM, as in browsers. Integer ("I") and float ("F") pictures do not state their
    range: it is the smallest of 0..1 (floats only), 0..255 and 0..65535 that holds all values, else
    the picture's own minimum and maximum; values that are not finite become black. The result is a
    new picture without metadata, so loading it again changes nothing. `name`: how messages call bytes
    and file objects.

    Raises:
        ImageError: if there is no such file, or it is a folder, empty, not a picture, truncated, or
            over `MAX_PIXELS` (checked before decoding), or another array; the sentence says what to do.
    """
    with _pillow_limit_lifted():
        if isinstance(source, Image.Image):
            return _upright_rgb(source, "The given picture", ours=False)
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            with _opened(path) as file:
                return _upright_rgb(_recognised(file, repr(str(path))), repr(str(path)))
        if isinstance(source, np.ndarray):
            return _upright_rgb(_of_array(source), "The given array")
        if not isinstance(source, bytes) and not hasattr(source, "read"):
            kind = type(source).__name__
            raise ImageError(f"a {kind} is no picture: give a path, bytes, a Pillow image or an array of uint8.")
        data = source if isinstance(source, bytes) else source.read()
        return _upright_rgb(_recognised(BytesIO(data), name), name)


def _of_array(pixels: np.ndarray) -> Image.Image:
    if pixels.dtype == np.uint8 and pixels.size and (pixels.ndim == 2 or pixels.shape[2:] in ((3,), (4,))):
        return Image.fromarray(np.ascontiguousarray(pixels))
    raise ImageError(f"an array of {pixels.dtype}, {list(pixels.shape)}, is no picture: give uint8, [H W 3] or [H W].")


def load_label_map(path: str | os.PathLike[str]) -> Integer[np.ndarray, "H W"]:
    """Read the stored numbers of a PNG with one channel; with a palette, the indices and not the colours.

    Nothing is rotated, scaled or converted. Raises `ImageError` as `load_image` does, and for several channels.
    """
    name = repr(str(path))
    with _pillow_limit_lifted(), _opened(Path(path)) as file:
        image = _recognised(file, name)
        if image.mode not in ONE_CHANNEL:
            raise ImageError(
                f"{name} has several channels ({image.mode}), not one number for every pixel; "
                "save it as a grey or palette PNG."
            )
        return _loaded(image, name, _numbers)


def upright_turn(path: str | os.PathLike[str]) -> Image.Transpose | None:
    """How `load_image` transposes a file's stored pixels, by its EXIF block; None if not. Raises `ImageError`."""
    with _pillow_limit_lifted(), _opened(Path(path)) as file:
        return UPRIGHT.get(_orientation(_recognised(file, repr(str(path)))))


# --- from files to pictures ---------------------------------------------------------------------

_lifting = threading.Lock()
_lifted_by = 0
_pillow_limit: int | None = None


@contextlib.contextmanager
def _pillow_limit_lifted() -> Generator[None]:
    """Switch Pillow's own size limit off while ours is checked.

    Pillow keeps its limit in a module variable, so this holds for the whole process while any
    thread loads a picture; the last thread restores the caller's value.
    """
    global _lifted_by, _pillow_limit
    with _lifting:
        if _lifted_by == 0:
            _pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _lifted_by += 1
    try:
        yield
    finally:
        with _lifting:
            _lifted_by -= 1
            if _lifted_by == 0:
                Image.MAX_IMAGE_PIXELS = _pillow_limit


def _opened(path: Path) -> BufferedReader:
    try:
        if path.is_dir():
            raise ImageError(f"{str(path)!r} is a folder, not a picture; name a file in it.")
        if path.exists() and not path.is_file():  # opening a pipe would block forever
            raise ImageError(f"{str(path)!r} is not a regular file; save the picture to one first.")
        return path.open("rb")
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {str(path)!r}; check the path.") from error
    except PermissionError as error:
        raise ImageError(f"{str(path)!r} may not be read; change its permissions.") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise ImageError(f"{str(path)!r} cannot be opened ({error}); check the path.") from error


def _recognised(file: BytesIO | BufferedReader, name: str) -> Image.Image:
    if not file.read(1):
        raise ImageError(f"{name} is empty (0 bytes); save or download it again.")
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{name} is not a picture that can be read, or its beginning is damaged; give one of {', '.join(FORMATS)}."
        ) from error
    except Exception as error:  # decoders raise many kinds of errors for malformed bytes
        raise ImageError(f"{name} is damaged ({error}); save or download it again.") from error


def _upright_rgb(image: Image.Image, name: str, ours: bool = True) -> Image.Image:
    """`ours`: the picture was read from a file, and is not used afterwards."""
    return _loaded(image, name, lambda loaded: _turned_rgb(loaded, ours))


def _loaded(image: Image.Image, name: str, convert: Callable[[Image.Image], T]) -> T:
    """Decode the pixels, if there are not too many, and convert them."""
    width, height = image.size
    if width * height == 0:
        raise ImageError(f"{name} has no pixels ({width} x {height}); give another picture.")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} has {width} x {height} = {width * height:,} pixels, more than the "
            f"{MAX_PIXELS:,} allowed; make it smaller."
        )
    try:
        image.load()
        return convert(image)
    except MemoryError as error:
        raise ImageError(f"{name} ({width} x {height}) needs more memory than there is.") from error
    except Exception as error:  # decoders raise many kinds of errors for malformed bytes
        raise ImageError(f"{name} is truncated or damaged ({error}); save or download it again.") from error


def _turned_rgb(image: Image.Image, ours: bool) -> Image.Image:
    undo = UPRIGHT.get(_orientation(image))
    rgb = to_rgb(image, ours)
    rgb.info.clear()  # with its EXIF block the picture would be rotated again when it is loaded again
    return rgb if undo is None else rgb.transpose(undo)


def _numbers(image: Image.Image) -> Integer[np.ndarray, "H W"]:
    values = np.array(image)
    return values.astype(np.uint8) if values.dtype == np.bool_ else values


def _orientation(image: Image.Image) -> int:
    """EXIF orientation; 1 (upright) if the EXIF block is missing or damaged: the pixels can still be used."""
    with contextlib.suppress(Exception):
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1

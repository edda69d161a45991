"""Files that are opened and recognised; nothing is decoded yet."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from importlib.util import find_spec
from io import BufferedReader, BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError, features

from zeroseg.archives import is_member, read_bytes
from zeroseg.errors import ImageError
from zeroseg.images.file_formats import AVIF_BRANDS, FORMATS, HEIC_BRANDS, OF_PILLOW, brands

_lifting = threading.Lock()
_lifted_by = 0
_pillow_limit: int | None = None


@contextlib.contextmanager
def pillow_limit_lifted() -> Generator[None]:
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


def opened(path: Path) -> BufferedReader | BytesIO:
    """A file, also one in an archive, open for reading.

    Raises `ImageError` for what is no regular file, or cannot be read.
    """
    try:
        if is_member(path):
            return BytesIO(read_bytes(path))
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


def recognised(file: BytesIO | BufferedReader, name: str) -> Image.Image:
    """A picture whose header is read, and no more. Raises `ImageError`; its cause is the decoder's error."""
    file.seek(0)
    found = brands(file.read(64))
    file.seek(0)
    try:
        if found & HEIC_BRANDS and not found & AVIF_BRANDS:
            return _heic(file)
        return Image.open(file, formats=OF_PILLOW)
    except ImportError as error:
        raise ImageError(f'{name} is a HEIC picture, which needs pillow-heif: pip install "zeroseg[heif]".') from error
    except UnidentifiedImageError as error:
        if found & AVIF_BRANDS and not features.check("avif"):
            raise ImageError(
                f"{name} is an AVIF picture, and this Pillow was built without AVIF: pip install --upgrade pillow."
            ) from error
        raise ImageError(
            f"{name} is not a picture that can be read, or its beginning is damaged; give one of {_formats()}."
        ) from error
    except Exception as error:  # decoders raise many kinds of errors for malformed bytes
        raise ImageError(f"{name} is damaged ({said(error)}); save or download it again.") from error


def webp_canvas(head: bytes) -> tuple[int, int]:
    """Width and height that the first 30 bytes of an extended WebP claim; (0, 0) for other files."""
    if head[:4] != b"RIFF" or head[8:16] != b"WEBPVP8X" or len(head) < 30:
        return 0, 0
    return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1


def said(error: Exception) -> str:
    """What a decoder said, on one line and not too long."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _formats() -> str:
    """The formats that can be read here."""
    return ", ".join(FORMATS if find_spec("pillow_heif") else OF_PILLOW)


def _heic(file: BytesIO | BufferedReader) -> Image.Image:
    """libheif rotates the picture itself; then its EXIF orientation says that it is upright."""
    from pillow_heif import HeifImageFile

    return HeifImageFile(file)

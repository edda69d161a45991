"""Masks of one photo as a file in the format of another tool; a ZIP archive where a format has several files."""

from __future__ import annotations

import mimetypes
import tempfile
import unicodedata
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import get_args

from zeroseg.formats import DATASET_FORMATS, PICTURE_FORMATS, AnnotatedPhoto, Classes
from zeroseg.formats.geotiff import GeoTiff
from zeroseg.method_names import FormatName
from zeroseg.segmentation import Segmentation

UNNAMED = "image.jpg"
LONGEST, LONGEST_SUFFIX = 200, 20  # bytes of a name; file systems have 255, and formats add to it


@dataclass(frozen=True)
class File:
    """A file to send."""

    name: str
    content: bytes
    media_type: str


def possible_formats() -> list[FormatName]:
    """The formats whose libraries are here: only GeoTIFF needs one."""
    return [name for name in get_args(FormatName) if name != GeoTiff.name or find_spec("rasterio") is not None]


def exported(found: Segmentation, name: str, photo: str) -> File:
    """The masks in the format `name`; `photo`: how the file calls the photo, see `_possible`."""
    photo = _possible(photo)
    stem = PurePosixPath(photo).stem
    files = _files(AnnotatedPhoto(photo, found), name, stem)
    if len(files) == 1:
        ((path, content),) = files.items()
        last = PurePosixPath(path).name
        called = last if name in PICTURE_FORMATS else f"{stem}-{name}{PurePosixPath(path).suffix}"
        return File(_plain(called), content, mimetypes.guess_type(last)[0] or "application/octet-stream")
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return File(_plain(f"{stem}-{name}.zip"), buffer.getvalue(), "application/zip")


def _files(one: AnnotatedPhoto, name: str, stem: str) -> dict[str, bytes]:
    classes = Classes.of(one.segmentation)
    if name in PICTURE_FORMATS:
        kind = PICTURE_FORMATS[name]
        own = str(PurePosixPath(kind.folder) / f"{stem}{kind.suffix}")
        return {own: kind.encode(one), **kind.companions(classes)}
    with tempfile.TemporaryDirectory() as folder:
        DATASET_FORMATS[name].write(Path(folder), classes, [one])
        paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _possible(photo: str) -> str:
    """The last part of a photo's path, as far as a file can have that name: without control characters, and short."""
    name = PurePosixPath(photo.replace("\\", "/")).name
    name = "".join("_" if unicodedata.category(letter) == "Cc" else letter for letter in name)
    if not name.strip("."):
        return UNNAMED
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    if len(suffix.encode()) > LONGEST_SUFFIX:
        stem, suffix = name, ""
    return stem.encode()[: LONGEST - len(suffix.encode())].decode(errors="ignore") + suffix


def _plain(name: str) -> str:
    """A file name that can stand in a header."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)

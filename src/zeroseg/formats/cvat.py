"""CVAT's "Segmentation mask 1.1": one zip with masks in colours, by class and by object, and the list of colours.

CVAT adds annotations to the photos of a task by their names without the suffix. It refuses colours that `labelmap.txt`
does not declare, so every label has its own. Suffixes of photos are kept in the comments of the zip's entries.

Format: https://docs.cvat.ai/docs/dataset_management/formats/format-smask/
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, unquote

import numpy as np
from jaxtyping import Bool, Integer, UInt8
from PIL import Image

from zeroseg.drawing import palette
from zeroseg.drawing.palettes import RGB
from zeroseg.errors import DatasetError, ImageError
from zeroseg.files import atomic_path
from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Region, label_areas, regions
from zeroseg.formats.distinct_names import DistinctNames
from zeroseg.formats.format import DatasetFormat
from zeroseg.images import load_image
from zeroseg.segmentation import BACKGROUND, Segmentation

FILE = "cvat.zip"
LABELS, LISTS, LIST = "labelmap.txt", "ImageSets/Segmentation/", "default.txt"
BY_CLASS, BY_OBJECT, SUFFIX = "SegmentationClass/", "SegmentationObject/", ".png"
MOST_OBJECTS = 255  # that readers tell apart by colour
LARGEST_MASK = 1 << 30  # bytes of a PNG
BLACK: RGB = (0, 0, 0)
ESCAPED = re.compile(r"%(?=[0-9A-Fa-f]{2})|[:\r\n]|^#|^\s+|\s+$")


class Cvat(DatasetFormat):
    """`cvat.zip` ("cvat"), for "Upload annotations" of a task or "Import dataset" of a project."""

    name: ClassVar[str] = "cvat"

    def write(self, folder: Path, classes: Classes, pictures: Iterable[AnnotatedPhoto]) -> None:
        """See `DatasetFormat`.

        Every connected area is an object; a picture with more than `MOST_OBJECTS` of them has one object for each
        label, or only classes. Scores are not kept.
        """
        colours, names, listed = _colours(classes), DistinctNames(), list[str]()
        with atomic_path(folder / FILE) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            lines = [f"{_escaped(label)}:{_channels(colour)}::" for label, colour in colours.items()]
            archive.writestr(LABELS, "\n".join(["# label:color_rgb:parts:actions", *lines, ""]))
            for annotated in pictures:
                name, found = _escaped(names.of(annotated.photo)), annotated.segmentation
                listed.append(name)
                entry = zipfile.ZipInfo(f"{BY_CLASS}{name}{SUFFIX}")
                entry.comment = annotated.photo.encode()
                archive.writestr(entry, _png(np.array(list(colours.values()), np.uint8)[found.class_map]))
                objects = _objects(found)
                if objects is not None:
                    archive.writestr(f"{BY_OBJECT}{name}{SUFFIX}", _png(objects))
            archive.writestr(f"{LISTS}{LIST}", "".join(f"{name}\n" for name in listed))

    def read(self, folder: Path) -> Iterator[AnnotatedPhoto]:
        """See `DatasetFormat`; also exports of CVAT, of which only the classes are read."""
        path = folder / FILE
        try:
            with zipfile.ZipFile(path) as archive:
                colours = _declared(archive.read(LABELS).decode("utf-8-sig"))
                classes = Classes(tuple(colours), has_background=colours.get(BACKGROUND) == BLACK)
                for name in _listed(archive):
                    entry = archive.getinfo(f"{BY_CLASS}{name}{SUFFIX}")
                    if entry.file_size > LARGEST_MASK:
                        raise ValueError(f"the mask of {name!r} has {entry.file_size:,} bytes")
                    mask = np.asarray(load_image(archive.read(entry), f"the mask of {name!r}"))
                    photo = entry.comment.decode() or unquote(name)
                    yield AnnotatedPhoto(photo, classes.segmentation(_class_map(mask, colours, name)))
        except (OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, RuntimeError, ImageError) as error:
            said = str(error).rstrip(".")
            raise DatasetError(f"{str(path)!r} cannot be read as masks of CVAT ({said}): export it again.") from error


def _colours(classes: Classes) -> dict[str, RGB]:
    """The colour of each label in class maps; black is the background's."""
    first = 0 if classes.has_background else 1
    return dict(zip(classes.labels, palette(len(classes.labels) + first)[first:], strict=True))


def _escaped(text: str) -> str:
    """A label or a name as one field of a line: what would end the field or the line becomes %3A, %0A, ..."""
    return ESCAPED.sub(lambda found: quote(found[0], safe=""), text)


def _channels(colour: Iterable[int]) -> str:
    return ",".join(map(str, colour))


def _objects(segmentation: Segmentation) -> UInt8[np.ndarray, "H W 3"] | None:
    """A picture in which every object has its own colour; None if there are too many of them."""
    areas = list[Region]()
    for found in (regions, label_areas):
        areas = list(found(segmentation))
        if len(areas) <= MOST_OBJECTS:
            break
    else:
        return None
    numbers = np.zeros(segmentation.class_map.shape, np.uint8)
    for number, area in enumerate(areas, 1):
        left, top, width, height = area.box
        numbers[top : top + height, left : left + width][area.mask] = number
    return np.array(palette(MOST_OBJECTS + 1), np.uint8)[numbers]


def _png(pixels: UInt8[np.ndarray, "H W 3"]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _declared(text: str) -> dict[str, RGB]:
    """The colour of each label, in the order of the lines, but black "background" first. Raises `ValueError`."""
    lines = [line for line in map(str.strip, text.split("\n")) if line and line[0] != "#"]
    colours = dict[str, RGB]()
    for line in lines:
        name, written, *_ = [*line.split(":"), ""]
        channels = [int(channel) for channel in written.split(",")]
        if len(channels) != 3 or not all(0 <= channel <= 255 for channel in channels) or unquote(name) in colours:
            raise ValueError(f"{LABELS} has the line {line!r}, which is no label with a colour of its own")
        colours[unquote(name)] = (channels[0], channels[1], channels[2])
    if not colours or len(set(colours.values())) < len(colours):
        raise ValueError(f"{LABELS} does not give every label a colour of its own")
    return {BACKGROUND: BLACK, **colours} if colours.get(BACKGROUND) == BLACK else colours


def _listed(archive: zipfile.ZipFile) -> list[str]:
    """The names in all lists of pictures."""
    lists = [name for name in archive.namelist() if name.startswith(LISTS) and name.endswith(".txt")]
    if not lists:
        raise ValueError(f"there is no list of pictures, {LISTS}{LIST}")
    lines = [line.strip() for name in lists for line in archive.read(name).decode("utf-8-sig").split("\n")]
    return list(dict.fromkeys(line for line in lines if line and line[0] != "#"))


def _class_map(mask: UInt8[np.ndarray, "H W 3"], colours: Mapping[str, RGB], name: str) -> Integer[np.ndarray, "H W"]:
    """The index of the label of every pixel. Raises `ValueError` for a colour that is not declared."""
    known = _numbers(np.array(list(colours.values()), np.uint8)[None])[0]
    found, order = _numbers(mask), np.argsort(known)
    place = np.minimum(np.searchsorted(known[order], found), len(known) - 1)
    declared: Bool[np.ndarray, "H W"] = known[order][place] == found
    if not declared.all():
        y, x = np.argwhere(~declared)[0]
        raise ValueError(f"the mask of {name!r} has the colour {_channels(mask[y, x].tolist())}, which is not declared")
    return order[place].astype(np.uint16)


def _numbers(pixels: UInt8[np.ndarray, "H W 3"]) -> Integer[np.ndarray, "H W"]:
    """One number for each colour."""
    red, green, blue = np.moveaxis(pixels.astype(np.int32), -1, 0)
    return red << 16 | green << 8 | blue

"""Ultralytics YOLO: a text file for each picture with a line for every connected area of a label.

A line is the number of the class, then x and y of each corner as fractions of the picture's width and height
(https://docs.ultralytics.com/datasets/segment/). Polygons have no holes: a hole is reached on a line there and back
(`outlines.Outline.keyholed`). The background has no number: the classes are numbered 0, 1, 2, ... without it.

`data.yaml` names the classes. Ultralytics looks for the text files in `labels/` and for the photos in `images/`, both
beside `data.yaml` and with the same tree of folders.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from zeroseg.errors import DatasetError
from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Region, Size, regions
from zeroseg.formats.canvas import Canvas
from zeroseg.formats.format import PictureFormat
from zeroseg.formats.outlines import filled, outline

DIGITS = 6  # a corner is then within 0.05 pixels of its place on sides of 100,000 pixels: centres stay on their side
FEWEST = 6  # numbers of a polygon: three corners
SHOWN = 40  # letters of a line that is refused
NOT_IN_YAML = re.compile("[^\t -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

HEAD = """\
# Photos in images/, these text files in labels/, both with the same tree of folders; `path` is this file's own folder.
# "val" names the same photos as "train": split them before you trust a figure.
train: images
val: images
"""


class Yolo(PictureFormat):
    """Text files with polygons ("yolo"), and `data.yaml` with the labels."""

    name: ClassVar[str] = "yolo"
    suffix: ClassVar[str] = ".txt"
    folder: ClassVar[str] = "labels"

    def encode(self, annotated: AnnotatedPhoto) -> bytes:
        """See `PictureFormat`. A picture without labels has an empty file."""
        segmentation, lines = annotated.segmentation, list[str]()
        across, down = map(_fractions, segmentation.size)
        for region in regions(segmentation):
            ring = outline(region.mask).moved(region.left, region.top).keyholed
            corners = " ".join(f"{across[x]} {down[y]}" for x, y in ring.tolist())
            lines.append(f"{region.index - segmentation.has_background} {corners}\n")
        return "".join(lines).encode()

    def decode(self, content: bytes, classes: Classes, size: Size) -> AnnotatedPhoto:
        """See `PictureFormat`; also with a score at the end of a line, as Ultralytics writes what it has found."""
        canvas = Canvas(classes, size)
        try:
            for line in filter(str.strip, content.decode("utf-8-sig").splitlines()):
                number, *values = map(float, line.split())
                score = values.pop() if len(values) % 2 else 1.0
                if len(values) < FEWEST or number < 0 or number != int(number):
                    raise ValueError(f"{line[:SHOWN]!r} is no class and polygon")
                ring = np.array(values).reshape(-1, 2) * size
                canvas.place(Region(int(number) + classes.has_background, *filled([ring], size)), score)
            return canvas.annotated("")
        except (ValueError, OverflowError) as error:
            raise DatasetError(f"a file of YOLO is malformed or of other classes ({error}): write it again.") from error

    def companions(self, classes: Classes) -> Mapping[str, bytes]:
        """`data.yaml`, valid for all labels."""
        names = "".join(f"  {number}: {_quoted(label)}\n" for number, label in enumerate(classes.named.values()))
        return {"data.yaml": f"{HEAD}names:\n{names}".encode()}


def _fractions(side: int) -> list[str]:
    """The text of each corner's place on a side of so many pixels."""
    return [f"{place / side:.{DIGITS}f}".rstrip("0").rstrip(".") for place in range(side + 1)]


def _quoted(text: str) -> str:
    """As YAML in double quotes, which knows JSON's escapes; letters that YAML does not allow as their numbers."""
    return NOT_IN_YAML.sub(lambda found: f"\\U{ord(found[0]):08x}", json.dumps(text, ensure_ascii=False))

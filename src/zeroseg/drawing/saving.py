"""Pictures and masks as files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from zeroseg.drawing.colours import label_colours
from zeroseg.drawing.palettes import RGB
from zeroseg.errors import OutputError
from zeroseg.files import write_bytes_atomically
from zeroseg.segmentation import Segmentation

SAVED_AS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def save_image(image: Image.Image, path: str | os.PathLike[str]) -> None:
    """Write a picture as PNG or JPEG by its suffix, completely or not at all.

    Raises:
        OutputError: for another suffix, or if it cannot be written.
    """
    file_format = SAVED_AS.get(Path(path).suffix.lower())
    if file_format is None:
        raise OutputError(f"Cannot write {str(path)!r}: its name must end in {', '.join(SAVED_AS)}.")
    buffer = BytesIO()
    drawn = image.convert("RGB") if file_format == "JPEG" else image
    drawn.save(buffer, format=file_format, quality=92)
    write_bytes_atomically(path, buffer.getvalue())


def save_palette_png(
    segmentation: Segmentation, path: str | os.PathLike[str], colours: Sequence[RGB] | None = None
) -> None:
    """Write the class map as a PNG whose pixel values are the label indices.

    Up to 256 labels: an indexed PNG (mode "P") with the colours of overlay and legend
    (`label_colours`), or with `colours`, one for each label; `palette(256)` gives PASCAL VOC's, which
    some tools need. More labels: a 16-bit greyscale PNG (mode "I;16"), which looks nearly black but
    has every index.

    Raises:
        OutputError: if `path` does not end in .png or cannot be written.
    """
    if Path(path).suffix.lower() != ".png":
        raise OutputError(f"Cannot write {str(path)!r}: a mask's name must end in .png.")
    save_image(mask_image(segmentation, colours), path)


def mask_image(segmentation: Segmentation, colours: Sequence[RGB] | None = None) -> Image.Image:
    """The class map as a picture of mode "P" with a palette, or of mode "I;16" (see `save_palette_png`)."""
    if len(segmentation.labels) > 256:
        return Image.fromarray(segmentation.class_map)
    indices = segmentation.class_map.astype(np.uint8)
    picture = Image.frombuffer("P", segmentation.size, indices, "raw", "P", 0, 1)
    picture.putpalette(bytes(level for colour in colours or label_colours(segmentation) for level in colour))
    return picture

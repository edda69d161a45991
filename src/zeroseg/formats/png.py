"""Class maps as PNG: pixel values are indices of labels. `labels.txt` has the labels, the first is index 0."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from io import BytesIO
from typing import ClassVar

import numpy as np
from PIL import Image

from zeroseg.drawing import mask_image, palette
from zeroseg.errors import DatasetError
from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Size
from zeroseg.formats.format import PictureFormat
from zeroseg.images.opening import pillow_limit_lifted

IN_A_BYTE = 256  # labels


class PngFormat(PictureFormat):
    """What both forms have in common."""

    suffix: ClassVar[str] = ".png"

    @abstractmethod
    def picture(self, annotated: AnnotatedPhoto) -> Image.Image:
        """The mask as a picture with one channel."""

    def encode(self, annotated: AnnotatedPhoto) -> bytes:
        """See `PictureFormat`."""
        buffer = BytesIO()
        self.picture(annotated).save(buffer, format="PNG")
        return buffer.getvalue()

    def decode(self, content: bytes, classes: Classes, size: Size) -> AnnotatedPhoto:
        """See `PictureFormat`. Scores are not kept: they are 1."""
        try:
            with pillow_limit_lifted(), Image.open(BytesIO(content), formats=("PNG",)) as picture:
                numbers = np.asarray(picture) if picture.size == size else np.zeros((0, 0), np.uint8)
        except (OSError, ValueError, SyntaxError) as error:
            raise DatasetError(f"a mask is damaged ({error}): write it again.") from error
        if numbers.shape != size[::-1] or numbers.max() >= len(classes.labels) or numbers.min() < 0:
            raise DatasetError("a mask has another size than its picture, or numbers of no label: write it again.")
        return AnnotatedPhoto("", classes.segmentation(numbers.astype(np.uint16)))

    def companions(self, classes: Classes) -> Mapping[str, bytes]:
        """The labels, one a line."""
        return {"labels.txt": "".join(f"{label}\n" for label in classes.labels).encode()}


class VocPng(PngFormat):
    """PASCAL VOC's colours ("voc-png"), of eight bits; more than 256 labels: of 16 bits, without colours."""

    name: ClassVar[str] = "voc-png"

    def picture(self, annotated: AnnotatedPhoto) -> Image.Image:
        """See `PngFormat`."""
        return mask_image(annotated.segmentation, palette(len(annotated.segmentation.labels)))


class IndexPng(PngFormat):
    """Grey values ("index-png"), of eight bits; more than 256 labels: of 16 bits."""

    name: ClassVar[str] = "index-png"

    def picture(self, annotated: AnnotatedPhoto) -> Image.Image:
        """See `PngFormat`."""
        segmentation = annotated.segmentation
        kind = np.uint8 if len(segmentation.labels) <= IN_A_BYTE else np.uint16
        return Image.fromarray(segmentation.class_map.astype(kind))

"""A compressed NumPy file: `numpy.load` gives class_map, labels, scores and has_background."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import ClassVar

import numpy as np

from zeroseg.errors import DatasetError
from zeroseg.formats.annotated import AnnotatedPhoto, Classes, Size
from zeroseg.formats.format import PictureFormat
from zeroseg.segmentation import Segmentation


class NumpyFile(PictureFormat):
    """All that a segmentation has ("numpy"): class_map [H W] uint16, labels [C], scores [C], has_background, photo."""

    name: ClassVar[str] = "numpy"
    suffix: ClassVar[str] = ".npz"

    def encode(self, annotated: AnnotatedPhoto) -> bytes:
        """See `PictureFormat`."""
        found, buffer = annotated.segmentation, BytesIO()
        arrays = {
            "class_map": found.class_map,
            "labels": np.array(found.labels),
            "scores": found.scores.astype(np.float64).round(6).astype(np.float32),  # as records have them
            "has_background": np.array(found.has_background),
            "photo": np.array(annotated.photo),
        }
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as whole:  # as `savez_compressed`, but without the time
            for name, array in arrays.items():
                part = BytesIO()
                np.lib.format.write_array(part, array, allow_pickle=False)
                whole.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue(), zipfile.ZIP_DEFLATED)
        return buffer.getvalue()

    def decode(self, content: bytes, classes: Classes, size: Size) -> AnnotatedPhoto:
        """See `PictureFormat`; the labels are those of the file."""
        del classes, size
        try:
            with np.load(BytesIO(content), allow_pickle=False) as read:
                labels, has_background = tuple(map(str, read["labels"].tolist())), bool(read["has_background"])
                found = Segmentation(labels, read["class_map"], read["scores"], has_background)
                return AnnotatedPhoto(str(read["photo"]), found)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DatasetError(f"a NumPy file is damaged, or not of ZeroSeg ({error}): write it again.") from error

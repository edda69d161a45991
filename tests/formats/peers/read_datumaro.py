"""Datumaro's own format with Datumaro."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from answer import answer, painted
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset


def read(folder: Path) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """The items, by their ids; Datumaro must recognise the format by itself."""
    if "datumaro" not in Dataset.detect(str(folder)):
        raise ValueError("not recognised")
    found = Dataset.import_from(str(folder), "datumaro")
    labels = found.categories()[AnnotationType.label]
    for item in found:
        height, width = item.media.size
        areas = [(labels[one.label].name, np.asarray(one.image)) for one in item.annotations]
        yield f"{item.id}.jpg", *painted((width, height), areas)


answer(read)

"""COCO's instances with pycocotools and with faster-coco-eval, which must agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import faster_coco_eval
import numpy as np
from answer import answer, painted
from pycocotools.coco import COCO


def read(folder: Path) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """The pictures of `annotations.json`."""
    path = str(folder / "annotations.json")
    one, other = COCO(path), faster_coco_eval.COCO(path)
    for image in one.loadImgs(one.getImgIds()):
        areas = []
        for annotation in one.loadAnns(one.getAnnIds(imgIds=[image["id"]])):
            mask = one.annToMask(annotation)
            if not (mask == other.annToMask(other.loadAnns([annotation["id"]])[0])).all():
                raise ValueError("pycocotools and faster-coco-eval see other pixels")
            areas.append((one.loadCats([annotation["category_id"]])[0]["name"], mask))
        yield image["file_name"], *painted((image["width"], image["height"]), areas)


answer(read)

"""The demo's first part: pictures segmented by words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from zeroseg.demo.log import Log
from zeroseg.drawing import overlay, save_image
from zeroseg.images import load_image
from zeroseg.segmentation import Segmentation
from zeroseg.segmenter import Segmenter

PICTURES = Path(__file__).parents[1] / "pictures"


@dataclass(frozen=True)
class Shown:
    """A picture and its segmentation."""

    name: str
    alt: str
    labels: str
    image: Image.Image
    overlay: Image.Image
    segmentation: Segmentation


def segment_pictures(segmenter: Segmenter, out: Path, log: Log) -> list[Shown]:
    """Segment the pictures that ship with the package, each by its labels; overlays are written to `out`."""
    rows: list[dict[str, Any]] = json.loads((PICTURES / "pictures.json").read_text(encoding="utf-8"))
    shown: list[Shown] = []
    for row in rows:
        image = load_image(PICTURES / row["file"])
        segmentation = segmenter(image, row["labels"])
        painted = overlay(image, segmentation)
        save_image(painted, out / row["file"])
        log.say(f"{row['file']}: {found(segmentation)}")
        shown.append(Shown(row["file"], row["alt"], row["labels"], image, painted, segmentation))
    log.say(f"Overlays with legends are in {out}.")
    return shown


def found(segmentation: Segmentation) -> str:
    """The labels that occur with their fractions of the picture, the largest first."""
    shown = [f"{segmentation.labels[k]} {segmentation.fractions[k]:.0%}" for k in segmentation.present_indices]
    return ", ".join(shown)

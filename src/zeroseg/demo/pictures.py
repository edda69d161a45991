"""The demo's first part: pictures segmented by words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from zeroseg.demo.log import Log
from zeroseg.drawing import colours_by_name, overlay, save_image
from zeroseg.images import load_image
from zeroseg.segmentation import Segmentation, percentage
from zeroseg.segmenter import Segmenter
from zeroseg.vocabulary import parse_labels

PICTURES = Path(__file__).parents[1] / "pictures"
PHOTOS, SCENES = PICTURES / "photos", PICTURES / "picturebook"


@dataclass(frozen=True)
class Picture:
    """A picture that ships with the package. `labels` is one line of words, some of which it does not show."""

    path: Path
    labels: str
    alt: str


@dataclass(frozen=True)
class Shown:
    """A picture and its segmentation."""

    name: str
    alt: str
    labels: str
    image: Image.Image
    overlay: Image.Image
    segmentation: Segmentation


def pictures_in(folder: Path) -> list[Picture]:
    """The pictures of `PHOTOS` or `SCENES`, in the order of their list, `pictures.json`."""
    rows: list[dict[str, str]] = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
    return [Picture(folder / row["file"], row["labels"], row["alt"]) for row in rows]


def segment_pictures(segmenter: Segmenter, folder: Path, out: Path, log: Log) -> list[Shown]:
    """Segment the pictures of a folder, each by its labels; overlays are written to `out`.

    A label has one colour in all of them.
    """
    pictures = pictures_in(folder)
    colours = colours_by_name(parse_labels(picture.labels) for picture in pictures)
    read_out = segmenter.read_out.without_specks()
    shown: list[Shown] = []
    for picture in pictures:
        image, name = load_image(picture.path), picture.path.name
        segmentation = segmenter(image, picture.labels, read_out)
        painted = overlay(image, segmentation, colours=colours)
        save_image(painted, out / name)
        log.say(f"{name}: {found(segmentation)}")
        shown.append(Shown(name, picture.alt, picture.labels, image, painted, segmentation))
    log.say(f"Overlays with legends are in {out}.")
    return shown


def found(segmentation: Segmentation) -> str:
    """The labels that occur with their fractions of the picture, the largest first."""
    shown = [f"{segmentation.labels[k]} {percentage(segmentation.fractions[k])}" for k in segmentation.present_indices]
    return ", ".join(shown)

"""Label Studio's label config, the XML that says what a project asks for: https://labelstud.io/tags/."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from zeroseg.errors import DatasetError, OutputError

Kind = Literal["brushlabels", "polygonlabels", "rectanglelabels"]  # a result's type, and the key of its labels

KINDS: dict[str, Kind] = {
    "BrushLabels": "brushlabels",
    "PolygonLabels": "polygonlabels",
    "RectangleLabels": "rectanglelabels",
}
IMAGE_KEY = "image"
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class ConfigLabel:
    """A label of a control.

    Attributes:
        name: what results call it: its alias if it has one, as in Label Studio.
        word: its value, which people read.
        other_words: its hint, split at commas.
    """

    name: str
    word: str
    other_words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Control:
    """A tag with labels for an image.

    Attributes:
        kind: of its results.
        name, to_name: its own name, and that of its image.
        image_key: where a task's data has the image.
        labels: in their order.
    """

    kind: Kind
    name: str
    to_name: str
    labels: tuple[ConfigLabel, ...] = ()
    image_key: str = IMAGE_KEY


BRUSH = Control("brushlabels", "brush", "image")


def label_config(colours: Mapping[str, str]) -> str:
    """The XML of a project with brush labels; `colours`: the labels in their order, with colours such as "#4488ee".

    Raises `OutputError` for a label with letters that XML does not have.
    """
    for label in colours:
        if NOT_IN_XML.search(label):
            raise OutputError(
                f"the label {label!r} has a control character, which Label Studio cannot read: rename it."
            )
    lines = [
        f"    <Label value={quoteattr(label)} background={quoteattr(colour)}/>" for label, colour in colours.items()
    ]
    return "\n".join((
        "<View>",
        f'  <Image name="{BRUSH.to_name}" value="${IMAGE_KEY}" zoom="true"/>',
        f'  <BrushLabels name="{BRUSH.name}" toName="{BRUSH.to_name}">',
        *lines,
        "  </BrushLabels>",
        "</View>",
        "",
    ))  # fmt: skip


def controls(xml: str) -> list[Control]:
    """The tags of a config that ask for brush masks, polygons or rectangles on an image, in their order.

    Raises `DatasetError` if it is not XML, or if it declares entities, which may be used to fill the memory.
    """
    try:
        if "<!" in re.sub("<!--.*?-->", "", xml, flags=re.DOTALL):
            raise DatasetError("the label config has a document type (<!...), which is not allowed: leave it out.")
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError) as error:
        raise DatasetError(f"the label config is not XML ({error}): copy it from the project's settings.") from error
    keys = {tag.get("name"): tag.get("value", "").removeprefix("$") for tag in root.iter("Image")}
    return [
        Control(KINDS[tag.tag], tag.get("name", ""), to_name, _labels(tag), keys[to_name] or IMAGE_KEY)
        for tag in root.iter()
        if tag.tag in KINDS and (to_name := tag.get("toName", "").split(",")[0]) in keys
    ]


def _labels(control: ElementTree.Element) -> tuple[ConfigLabel, ...]:
    found = dict[str, ConfigLabel]()
    for tag in control.iter("Label"):
        word = tag.get("value") or tag.get("alias")
        if word:
            others = tuple(filter(None, map(str.strip, tag.get("hint", "").split(","))))
            name = tag.get("alias") or word
            found.setdefault(name, ConfigLabel(name, word, others))
    return tuple(found.values())

"""The colours of labels in the mask's palette, in the overlay with its legend, and in the JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zeroseg.drawing.palettes import OVERLAY_COLOURS, RGB, overlay_palette
from zeroseg.segmentation import Segmentation

BLACK: RGB = (0, 0, 0)  # the background of masks; overlays keep the photo's colours there


def label_colours(segmentation: Segmentation) -> tuple[RGB, ...]:
    """The colour of every label, in their order; the background is black.

    A label has the same colour in every picture of a vocabulary, unless two labels in the picture would have the same
    colour (with more than `OVERLAY_COLOURS` labels): then the later one gets the next free colour in this picture.
    """
    first = int(segmentation.has_background)
    choice = overlay_palette(OVERLAY_COLOURS)
    places = [(index - first) % OVERLAY_COLOURS for index in range(len(segmentation.labels))]
    taken: set[int] = set()
    for index in sorted(segmentation.present_indices):
        if index < first:
            continue
        while places[index] in taken:
            places[index] = (places[index] + 1) % OVERLAY_COLOURS
        taken.add(places[index])
        if len(taken) == OVERLAY_COLOURS:
            taken.clear()
    colours = [choice[place] for place in places]
    return (BLACK, *colours[1:]) if segmentation.has_background else tuple(colours)


def colours_by_name(vocabularies: Iterable[Sequence[str]]) -> dict[str, RGB]:
    """A colour for every name in the order of its first appearance, for `overlay`: pictures with different labels then
    show a name in one colour. After `OVERLAY_COLOURS` names the colours repeat.
    """
    names = list(dict.fromkeys(name for labels in vocabularies for name in labels))
    return dict(zip(names, overlay_palette(len(names)), strict=True))


def hexadecimal(colour: RGB) -> str:
    """A colour in the form of HTML: `#4488ee`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)

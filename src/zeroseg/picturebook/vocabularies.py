"""Three vocabularies for the picturebook, similar to the paper's benchmarks, and the words of captions.

| vocabulary | like | classes |
|---|---|---|
| voc | PASCAL VOC: 20 everyday objects, everything else is background | 20 + background |
| context | PASCAL Context: objects and stuff, every pixel has a class | 44 + 10 |
| coco | COCO-Object: all objects, everything else is background | 44 + background |
"""

from __future__ import annotations

from zeroseg.picturebook.nouns import NOUNS, Noun
from zeroseg.picturebook.stuff import STUFF

VOC_NOUNS = (
    "airplane", "apple", "ball", "bird", "boat", "bus", "car", "cat", "chair", "clock",
    "cup", "dog", "fish", "flower", "horse", "house", "rabbit", "train", "tree", "umbrella",
)  # fmt: skip
ALL_NOUNS = tuple(noun.name for noun in NOUNS)
STUFF_NAMES = tuple(stuff.name for stuff in STUFF)
COMPOUNDS: dict[str, tuple[str, ...]] = {
    "sunflower": ("sun", "flower"),
    "starfish": ("star", "fish"),
    "lighthouse": ("light", "house"),
    "snowman": ("snow",),
    "pineapple": ("apple",),
    "horseshoe": ("horse", "shoe"),
    "cupcake": ("cup", "cake"),
    "balloon": ("ball",),
    "night sky": ("sky",),
}


def nouns_named(names: tuple[str, ...]) -> tuple[Noun, ...]:
    """The nouns of these names, in the order of `NOUNS`."""
    return tuple(noun for noun in NOUNS if noun.name in names)

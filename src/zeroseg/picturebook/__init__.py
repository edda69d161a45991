"""The embedded world: procedural scenes with exact masks and captions, drawn from a seed."""

from zeroseg.picturebook.captions import PicturebookPairs, caption, caption_words
from zeroseg.picturebook.nouns import NOUNS, Noun
from zeroseg.picturebook.palette import COLOURS, Colour
from zeroseg.picturebook.scene import SIDE, SPLITS, Scene, Thing, draw_scene, is_reserved, name_of
from zeroseg.picturebook.stuff import STUFF, Stuff
from zeroseg.picturebook.vocabularies import ALL_NOUNS, COMPOUNDS, STUFF_NAMES, VOC_NOUNS, nouns_named

__all__ = [
    "ALL_NOUNS", "COLOURS", "COMPOUNDS", "NOUNS", "SIDE", "SPLITS", "STUFF", "STUFF_NAMES", "VOC_NOUNS",
    "Colour", "Noun", "PicturebookPairs", "Scene", "Stuff", "Thing",
    "caption", "caption_words", "draw_scene", "is_reserved", "name_of", "nouns_named",
]  # fmt: skip

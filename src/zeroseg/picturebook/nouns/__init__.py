"""The nouns of the picturebook: their words, and the function that draws each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zeroseg.picturebook.nouns import built, creatures, nature, things
from zeroseg.picturebook.pen import Pen


@dataclass(frozen=True)
class Noun:
    """A drawable noun: its name, other words that captions use, and its drawing."""

    name: str
    synonyms: tuple[str, ...]
    draw: Callable[[Pen], None]


NOUNS: tuple[Noun, ...] = (
    Noun("cat", ("kitten",), creatures.cat),
    Noun("dog", ("puppy",), creatures.dog),
    Noun("rabbit", ("bunny",), creatures.rabbit),
    Noun("horse", ("pony",), creatures.horse),
    Noun("elephant", (), creatures.elephant),
    Noun("bird", ("songbird",), creatures.bird),
    Noun("penguin", (), creatures.penguin),
    Noun("fish", (), creatures.fish),
    Noun("starfish", (), creatures.starfish),
    Noun("turtle", ("tortoise",), creatures.turtle),
    Noun("snail", (), creatures.snail),
    Noun("butterfly", (), creatures.butterfly),
    Noun("tree", (), nature.tree),
    Noun("flower", ("blossom",), nature.flower),
    Noun("sunflower", (), nature.sunflower),
    Noun("cactus", (), nature.cactus),
    Noun("mushroom", ("toadstool",), nature.mushroom),
    Noun("sun", (), nature.sun),
    Noun("moon", ("crescent",), nature.moon),
    Noun("star", (), nature.star),
    Noun("apple", (), nature.apple),
    Noun("pineapple", (), nature.pineapple),
    Noun("banana", (), nature.banana),
    Noun("car", ("automobile",), built.car),
    Noun("bus", (), built.bus),
    Noun("train", ("locomotive",), built.train),
    Noun("boat", ("sailboat",), built.boat),
    Noun("rocket", ("spaceship",), built.rocket),
    Noun("airplane", ("plane",), built.airplane),
    Noun("house", ("cottage",), built.house),
    Noun("lighthouse", (), built.lighthouse),
    Noun("chair", ("seat",), built.chair),
    Noun("clock", (), built.clock),
    Noun("umbrella", ("parasol",), built.umbrella),
    Noun("balloon", (), built.balloon),
    Noun("snowman", (), things.snowman),
    Noun("light", ("lamp",), things.light),
    Noun("ball", (), things.ball),
    Noun("shoe", ("boot",), things.shoe),
    Noun("horseshoe", (), things.horseshoe),
    Noun("hat", (), things.hat),
    Noun("cake", (), things.cake),
    Noun("cup", ("mug",), things.cup),
    Noun("cupcake", ("muffin",), things.cupcake),
)

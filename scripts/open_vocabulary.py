"""How well the student recognises pairs of noun and colour that no teacher caption contains.

python scripts/open_vocabulary.py [MODEL] [SPLIT] [SCENES]

For every thing with at least 40 visible pixels: the fraction of them to which the student gives its noun, with all
nouns as labels. And for its colour: the fraction with the right one of the ten phrases "red cat", "blue cat" ...
"""

import sys
from collections import defaultdict

import numpy as np

from zeroseg import Segmenter
from zeroseg.picturebook import ALL_NOUNS, COLOURS, STUFF_NAMES, Thing, draw_scene, is_reserved
from zeroseg.vocabulary import Vocabulary

SMALLEST = 40  # pixels of a thing that counts


def main() -> None:
    """Print the results for nouns and colours, of seen and of reserved pairs."""
    model, split, scenes = [*sys.argv[1:], *("picturebook", "held-out", "300")[len(sys.argv) - 1 :]]
    segmenter = Segmenter.from_pretrained(model)
    nouns = Vocabulary(ALL_NOUNS, background=STUFF_NAMES)
    named: dict[bool, list[float]] = defaultdict(list)
    coloured: dict[bool, list[float]] = defaultdict(list)
    for number in range(int(scenes)):
        scene = draw_scene(split, number)
        encoded = segmenter.encode(scene.image)
        segmentation = segmenter.name(encoded, nouns)
        for k, content in enumerate(scene.contents):
            pixels = scene.instances == k
            if isinstance(content, Thing) and pixels.sum() >= SMALLEST:
                reserved = is_reserved(content.noun, content.colour)
                named[reserved].append(float(segmentation.mask(content.noun.name)[pixels].mean()))
                phrases = tuple(f"{colour.name} {content.noun.name}" for colour in COLOURS)
                rule = segmenter.reading(background="none").read_out
                in_colours = segmenter.name(encoded, Vocabulary(phrases, background=()), rule)
                phrase = f"{content.colour.name} {content.noun.name}"
                coloured[reserved].append(float(in_colours.mask(phrase)[pixels].mean()))
    for what, found in (("nouns", named), ("colours", coloured)):
        seen, reserved = np.mean(found[False]), np.mean(found[True])
        print(
            f"{what}: {seen:.3f} of a thing's pixels where the pair was seen ({len(found[False])} things), "
            f"{reserved:.3f} where it was reserved ({len(found[True])}): {100 * reserved / seen:.0f} %"
        )


if __name__ == "__main__":
    main()

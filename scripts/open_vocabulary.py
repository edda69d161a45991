"""Whether the student knows nouns in colours that no teacher caption ever joined them with.

python scripts/open_vocabulary.py [MODEL] [SPLIT] [SCENES]

For every thing of which at least 40 pixels are seen: the share of them that the student gives its noun, all nouns as
labels. And its colour: the share that takes the right one of the ten phrases "red cat", "blue cat" ... over its pixels.
"""

import sys
from collections import defaultdict

import numpy as np

from zeroseg import Segmenter
from zeroseg.picturebook import ALL_NOUNS, COLOURS, STUFF_NAMES, Thing, draw_scene, is_reserved
from zeroseg.student.weights import BUNDLED
from zeroseg.vocabulary import Vocabulary

SMALLEST = 40  # pixels of a thing that counts


def main() -> None:
    """Print nouns and colours, for seen and for reserved pairs."""
    model, split, scenes = [*sys.argv[1:], *(str(BUNDLED), "held-out", "300")[len(sys.argv) - 1 :]]
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

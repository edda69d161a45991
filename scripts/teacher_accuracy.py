"""How often a teacher names the thing in a crop of a validation scene, by the size of the crop.

python scripts/teacher_accuracy.py [TEACHER]

A crop counts if it is around a thing that fills at least 15 % of it, and if all other things together fill at most a
quarter of that: so it has one answer. The name is the best of all 44 nouns, with the mean over the prompt templates.
"""

import sys

import numpy as np
import torch
import torch.nn.functional as F

from zeroseg.images import resize, to_tensor
from zeroseg.picturebook import ALL_NOUNS, SIDE, Scene, Thing, draw_scene
from zeroseg.teacher import Teacher
from zeroseg.vocabulary import TEMPLATES

SIDES = (96, 48, 32, 24)  # of the crops: pixels of a scene of 96
CROPS = 500  # of every side
FILLED, OTHERS = 0.15, 0.25


def main() -> None:
    """Print one line for every size."""
    teacher = Teacher.from_pretrained(sys.argv[1] if len(sys.argv) > 1 else "picturebook")
    prompts = [template.format(noun) for noun in ALL_NOUNS for template in TEMPLATES]
    words = F.normalize(teacher.embed_texts(prompts).unflatten(0, (len(ALL_NOUNS), -1)).mean(dim=1), dim=-1)
    for side in SIDES:
        crops, truth = crops_of(side, teacher.size)
        right = (teacher.embed_images(crops) @ words.T).argmax(dim=1) == truth
        print(f"{side} px: {100 * float(right.float().mean()):.1f} % of {len(truth)} crops", flush=True)


def crops_of(side: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first `CROPS` crops that count, resized to `size` pixels, and the places of their nouns."""
    crops: list[torch.Tensor] = []
    truth: list[int] = []
    number = 0
    while len(crops) < CROPS:
        scene = draw_scene("validation", number)
        number += 1
        for left, top, noun in _clear_views(scene, side):
            crop = to_tensor(scene.image)[:, top : top + side, left : left + side]
            crops.append(resize(crop, (size, size)))
            truth.append(ALL_NOUNS.index(noun))
    return torch.stack(crops[:CROPS]), torch.tensor(truth[:CROPS])


def _clear_views(scene: Scene, side: int) -> list[tuple[int, int, str]]:
    """Left and top of each crop that counts, and its noun."""
    found: list[tuple[int, int, str]] = []
    for k, content in enumerate(scene.contents):
        rows, columns = np.nonzero(scene.instances == k)
        if isinstance(content, Thing) and len(rows):
            left, top = (
                min(max(round((int(p.min()) + int(p.max()) - side) / 2), 0), SIDE - side) for p in (columns, rows)
            )
            shown = np.bincount(
                scene.instances[top : top + side, left : left + side].ravel(), minlength=len(scene.contents)
            )
            things = sum(int(n) for n, c in zip(shown, scene.contents, strict=True) if isinstance(c, Thing))
            if shown[k] >= FILLED * side**2 and things - shown[k] <= OTHERS * shown[k]:
                found.append((left, top, content.noun.name))
    return found


if __name__ == "__main__":
    main()

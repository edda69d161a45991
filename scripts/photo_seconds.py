"""Seconds for one photo from pixels to class map, beside CLIPSeg of `transformers` with random weights, in one run.

python scripts/photo_seconds.py [PHOTO] [--side 448] [--labels "dog, grass, cat, water, sky"] [--rounds 9] [--threads 2]

Both get the same decoded photo and the same words, and turn them into a class map of the photo's own size; each round
times one after the other. Words are embedded before, and by CLIPSeg, whose decoder needs them for every photo, in every
round. CLIPSeg has the form of `CIDAS/clipseg-rd64-refined` (patches of 16 pixels, 352 x 352 pixels): weights do not
change its speed. Run it on a quiet machine: beside other work several threads are slower than one.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

import zeroseg
from zeroseg.errors import ZeroSegError
from zeroseg.images import load_image, resize, to_tensor
from zeroseg.vocabulary import parse_labels

PHOTO = Path(zeroseg.__file__).parent / "pictures/photos/dog.jpg"
SIDE, TOKENS = 352, 8  # of CLIPSeg: pixels, and tokens of a prompt
START, END = 49406, 49407


def main() -> None:
    """Time both, and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photo", nargs="?", type=Path, default=PHOTO)
    parser.add_argument("--side", type=int, default=448, help="the photo's shorter side, pixels")
    parser.add_argument("--labels", default="dog, grass, cat, water, sky")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, help="default: torch's own choice")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    photo, labels = load_image(given.photo), parse_labels(given.labels)
    scale = given.side / min(photo.size)
    photo = photo.resize((round(photo.width * scale), round(photo.height * scale)))
    segmenter = zeroseg.Segmenter.from_pretrained()
    plain = segmenter.reading(refinement=0)
    methods: dict[str, Callable[[], object]] = {
        "zeroseg, refined": lambda: segmenter(photo, labels),
        "zeroseg, plain": lambda: plain(photo, labels),
        "CLIPSeg": clipseg(photo, len(labels)),
    }
    took: dict[str, list[float]] = {name: [] for name in methods}
    for number in range(given.rounds + 1):
        for name, method in methods.items():
            start = time.perf_counter()
            method()
            if number:  # the first round warms up
                took[name].append(time.perf_counter() - start)
    print(f"{photo.width} x {photo.height} pixels, {len(labels)} labels, {torch.get_num_threads()} threads")
    for name, seconds in took.items():
        rounds = [beside / own for own, beside in zip(seconds, took["CLIPSeg"], strict=True)]
        print(f"{name}: {median(seconds):.3f} s; CLIPSeg takes {median(rounds):.2f} times as long")


def clipseg(photo: Image.Image, words: int) -> Callable[[], Tensor]:
    """A class map of the photo by a CLIPSeg with random weights, for random prompts."""
    torch.manual_seed(0)
    model = CLIPSegForImageSegmentation(CLIPSegConfig(vision_config={"patch_size": 16})).eval()
    prompts = torch.randint(1, START, (words, TOKENS))
    prompts[:, 0], prompts[:, -1] = START, END

    @torch.inference_mode()
    def segment() -> Tensor:
        pixels = resize(to_tensor(photo), (SIDE, SIDE)) * 2 - 1
        logits = model(pixel_values=pixels.expand(words, -1, -1, -1), input_ids=prompts).logits
        full = F.interpolate(logits[None].reshape(1, words, SIDE, SIDE), (photo.height, photo.width), mode="bilinear")
        return full[0].argmax(dim=0)

    return segment


if __name__ == "__main__":
    try:
        main()
    except ZeroSegError as error:
        sys.exit(f"photo_seconds.py: {error}")

"""Masks and speed of exported models beside the student that they were made of, in one run.

python -m scripts.export_parity MODEL FOLDER... [--photos FOLDER] [--count 200] [--rounds 15] [--threads 1]

MODEL is a student (or "vitb16": a random ViT-B/16), each FOLDER an export of it (`zeroseg export`). What the command
line cannot export is written here: a FOLDER of vitb16 that is not there yet and is named RUNTIME-PRECISION, such as
out/onnx-int8; int8 is calibrated on the first pictures, as many as --calibrate says. The pictures are
`--photos`, with the labels of MSRC-21, or by default held-out scenes of the picturebook with the 20 nouns of
picturebook-voc. A row has the size of its files; the fraction of equal pixels in masks as users get them (the model's
own read-out, with refinement): of all pixels, and of the worst picture; and the median time of the image encoder for
one picture, where all rows take turns in each round. Masks are compared with torch in float32; where the CPU has
bfloat16, torch itself uses it for convolutions, which is a row of its own. Figures: docs/export.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zeroseg.bench.setting import RANDOM, random_vitb16
from zeroseg.evaluation import open_dataset
from zeroseg.evaluation.class_names import read_table
from zeroseg.export import Form, export
from zeroseg.images import load_image, resize_picture, search_images
from zeroseg.precision import unrounded
from zeroseg.segmenter import Segmenter, working_size
from zeroseg.vocabulary import Vocabulary

REFERENCE, ROUNDED = "torch, float32", "torch, as it runs here"


def main() -> None:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--photos", type=Path, help="default: scenes of the picturebook")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calibrate", type=int, default=10)
    parser.add_argument("--threads", type=int, help="default: torch's own choice")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    student = random_vitb16(torch.device("cpu")) if given.model == RANDOM else Segmenter.from_pretrained(given.model)
    pictures, vocabulary = pictures_of(given.photos, given.count)
    for folder in given.folders:
        if given.model == RANDOM and not folder.exists():
            runtime, precision = folder.name.split("-")
            seen = (seen_by(student, picture) for picture in pictures[: given.calibrate])
            export(random_vitb16(torch.device("cpu")), folder, Form(runtime, precision), seen)
    rows = {REFERENCE: student, ROUNDED: student}
    rows |= {folder.name: Segmenter.from_pretrained(folder) for folder in given.folders}
    equal = {name: [0.0] for name in rows}
    for picture in pictures:
        masks = {name: mask(segmenter, picture, vocabulary, name) for name, segmenter in rows.items()}
        for name, found in masks.items():
            equal[name].append(float(np.mean(found == masks[REFERENCE])))
    times = seconds(rows, pictures[: given.rounds + 1])
    print(f"{len(pictures)} pictures, {torch.get_num_threads()} threads\n")
    print("| | MB | equal pixels | worst picture | ms | beside torch here |\n|---|---:|---:|---:|---:|---:|")
    for name in rows:
        one, took = equal[name][1:], median(times[name])
        ratio = median(mine / theirs for mine, theirs in zip(times[name], times[ROUNDED], strict=True))
        size = megabytes(next((folder for folder in given.folders if folder.name == name), None))
        print(f"| {name} | {size} | {np.mean(one):.3%} | {min(one):.2%} | {1000 * took:.1f} | {ratio:.2f} |")


def pictures_of(photos: Path | None, count: int) -> tuple[list[Image.Image], Vocabulary]:
    """The pictures, and the labels to look for in them."""
    if photos is None:
        scenes = open_dataset("picturebook-voc", "held-out", count)
        return [load_image(scenes.sample(number).image) for number in range(len(scenes))], scenes.vocabulary
    found = search_images([photos]).pictures
    chosen = found[:: max(1, len(found) // count)][:count]
    return [load_image(one.path) for one in chosen], read_table("msrc21").vocabulary(has_background=True)


def mask(segmenter: Segmenter, picture: Image.Image, vocabulary: Vocabulary, name: str) -> np.ndarray:
    """The labels of all pixels."""
    with unrounded() if name == REFERENCE else nullcontext():
        return segmenter.name(segmenter.encode(picture), vocabulary).class_map


def seconds(rows: Mapping[str, Segmenter], pictures: Sequence[Image.Image]) -> dict[str, list[float]]:
    """The seconds of the image encoder for each picture; all take turns. The first picture warms up."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for number, picture in enumerate(pictures):
        for name, segmenter in rows.items():
            pixels = seen_by(segmenter, picture)
            took = timed(lambda one=segmenter, seen=pixels: one.encoder.encode(seen, [(1, 1)]), name)
            if number:
                times[name].append(took)
    return times


def seen_by(segmenter: Segmenter, picture: Image.Image) -> Tensor:
    """The pixels of a picture as the image encoder sees them."""
    encoder = segmenter.encoder
    size = working_size(picture.height, picture.width, encoder.shorter_side, encoder.multiple)
    return resize_picture(picture, size)[None]


@torch.inference_mode()
def timed(work: Callable[[], object], name: str) -> float:
    """The seconds of some work."""
    with unrounded() if name == REFERENCE else nullcontext():
        start = time.perf_counter()
        work()
        return time.perf_counter() - start


def megabytes(folder: Path | None) -> str:
    """The size of an export's files."""
    return "" if folder is None else f"{sum(path.stat().st_size for path in folder.iterdir()) / 1e6:.1f}"


if __name__ == "__main__":
    main()

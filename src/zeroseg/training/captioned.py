"""A folder of images with captions, from which a teacher is trained.

The captions are in one of two files in the folder; if both are there, the first one is read:

- `metadata.jsonl`, one JSON object a line: `{"file_name": "cats/1.jpg", "text": "a cat on a sofa"}`; other keys are
  ignored (the convention of `datasets`' ImageFolder), except that `read_described` also reads further texts in the key
  `captions`, a list;
- `captions.tsv`, one pair a line: file name, tab, caption.

File names are relative to the folder. An image may have several lines. Blank lines are skipped.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import TypeVar

from PIL import Image

from zeroseg.errors import DatasetError
from zeroseg.images import load_image
from zeroseg.squares import center_square
from zeroseg.training.labels import words_of

GRAMMAR = Path(__file__).with_name("grammar.txt")  # function words ("the", "with"), one a line
MOST_WORDS = 10_000
CAPTION_FILES = METADATA, TABLE = "metadata.jsonl", "captions.tsv"
T = TypeVar("T")

SMALLEST_FRACTION = 0.5  # of the centre square's area that a crop shows: with less, captions would often be wrong


class CaptionedFolder:
    """Captioned images of a folder, by number: a source of `Pairs` for `training.teach`.

    Every line of the caption file is one number, and one pair in `captioned`: an image's path and its caption. Whether
    all images exist is checked at once. Their contents are read when they are first used: an image that cannot be read
    then stops the run with its name. It is not skipped, because the pairs of a run would then depend on which files are
    damaged, and the run could not be repeated.
    """

    def __init__(self, folder: Path, size: int) -> None:
        """`size`: side of the images that `pairs` returns, pixels.

        Raises `DatasetError` if the folder, the caption file or an image is missing, if a line is malformed (with its
        number), or if there is no caption.
        """
        self._size = size
        self.captioned = _read_lines(folder, {METADATA: _parse_json, TABLE: _parse_table})

    def __len__(self) -> int:
        return len(self.captioned)

    def captions(self) -> list[str]:
        """All captions, to train a tokenizer on."""
        return [caption for _, caption in self.captioned]

    def words(self) -> set[str]:
        """All words of the captions, in lower case."""
        return words_of(self.captions())

    def pairs(self, index: int, random: Random) -> list[tuple[Image.Image, str]]:
        """One pair: a random crop of image `index`, `size` x `size`, RGB, and its caption, unchanged.

        The crop is a square of half to all of the centre square's area. Raises `ImageError` with the image's name
        if it cannot be read.
        """
        path, caption = self.captioned[index]
        return [(random_crop(center_square(load_image(path)), self._size, random), caption)]


def frequent_words(captions: Iterable[str]) -> list[str]:
    """The words for multi-label contrast in captions of photos: frequent words of three letters or more.

    Function words (`GRAMMAR`) are left out. GroupViT takes nouns, which needs a part-of-speech tagger; most of the
    frequent words are nouns, colours and places.
    """
    grammar = set(GRAMMAR.read_text(encoding="utf-8").split())
    counts = Counter(word for caption in captions for word in set(re.findall(r"[a-z]{3,}", caption.lower())))
    return [word for word, _ in counts.most_common() if word not in grammar][:MOST_WORDS]


def read_described(folder: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """The images of a folder, each once, with all its different texts, in the order of the caption file.

    Raises `DatasetError` as `CaptionedFolder` does, and if `captions` is no list of texts.
    """
    described: dict[Path, dict[str, None]] = {}
    for path, texts in _read_lines(folder, {METADATA: _parse_several, TABLE: _parse_one}):
        described.setdefault(path, {}).update(dict.fromkeys(texts))
    return [(path, tuple(texts)) for path, texts in described.items()]


def random_crop(square: Image.Image, size: int, random: Random, smallest: float = SMALLEST_FRACTION) -> Image.Image:
    """A random square part of a square image, `size` x `size` pixels.

    It shows at least the fraction `smallest` of the area.
    """
    return crop_of(square, size, smallest + (1 - smallest) * random.random(), random)


def crop_of(square: Image.Image, size: int, fraction: float, random: Random) -> Image.Image:
    """A square part of a square image at a random place, with this fraction of its area, `size` x `size` pixels."""
    side = max(1, round(square.width * math.sqrt(fraction)))
    room = square.width - side + 1
    left, top = int(random.random() * room), int(random.random() * room)
    box = (left, top, left + side, top + side)
    return square.resize((size, size), Image.Resampling.BICUBIC, box=box)


def _read_lines(folder: Path, parsers: dict[str, Callable[[str], tuple[str, T]]]) -> list[tuple[Path, T]]:
    """Images with what a parser makes of their line. `parsers`: by the name of a caption file."""
    if not folder.is_dir():
        raise DatasetError(f"there is no folder {str(folder)!r}: name a folder of images with {METADATA} or {TABLE}.")
    found = [name for name in parsers if (folder / name).is_file()]
    if not found:
        raise DatasetError(f"{str(folder)!r} holds no captions: put {METADATA} or {TABLE} beside the images.")
    path = folder / found[0]
    pairs: list[tuple[Path, T]] = []
    for number, line in enumerate(_lines(path), 1):
        if line.strip():
            try:
                name, parsed = parsers[path.name](line)
            except ValueError as error:
                raise DatasetError(f"line {number} of {str(path)!r} {error}: correct or remove it.") from error
            if not (folder / name).is_file():
                raise DatasetError(
                    f"line {number} of {str(path)!r} names the image {name!r}, which is not in the folder: "
                    "add it or remove the line."
                )
            pairs.append((folder / name, parsed))
    if not pairs:
        raise DatasetError(f"{str(path)!r} holds no captions: write one line for every image.")
    return pairs


def _lines(path: Path) -> list[str]:
    """Lines as editors count them: `str.splitlines` would also split at separators that a caption may contain."""
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{str(path)!r} is not UTF-8 text: save it as UTF-8.") from error
    except OSError as error:
        raise DatasetError(f"{str(path)!r} cannot be read ({error.strerror}): check its permissions.") from error


def _parse_json(line: str) -> tuple[str, str]:
    try:
        row: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("is not JSON") from error
    name, caption = (row.get("file_name"), row.get("text")) if isinstance(row, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(caption, str):
        raise ValueError('is not an object with the texts "file_name" and "text"')
    return _complete(name, caption)


def _parse_several(line: str) -> tuple[str, list[str]]:
    name, caption = _parse_json(line)
    others: object = json.loads(line).get("captions", [])
    if not isinstance(others, list) or not all(isinstance(text, str) and text.strip() for text in others):
        raise ValueError('has "captions" that are not a list of texts')
    return name, [caption, *(text.strip() for text in others)]


def _parse_one(line: str) -> tuple[str, list[str]]:
    name, caption = _parse_table(line)
    return name, [caption]


def _parse_table(line: str) -> tuple[str, str]:
    name, tab, caption = line.partition("\t")
    if not tab:
        raise ValueError("has no tab between file name and caption")
    return _complete(name, caption)


def _complete(name: str, caption: str) -> tuple[str, str]:
    """File name and caption without surrounding blanks. Raises `ValueError` if one is empty."""
    name, caption = name.strip(), caption.strip()
    if not name:
        raise ValueError("names no image")
    if not caption:
        raise ValueError("has an empty caption")
    if "\0" in name:
        raise ValueError("names an image with an impossible file name")
    return name, caption

"""Images on disk with the true class of every pixel: what all data sets but the picturebook are.

Some photos are stored lying on their side or mirrored, and EXIF says how to show them (orientation 2 to 8); they are
always read upright. A truth may belong to the stored pixels or to the upright picture (`fit`):

- Official benchmarks were drawn on stored pixels: "stored".
- Of other files (`fit` None) the mask's own EXIF tells first, since every program shows both files upright; then the
  size, where the truth fits one of the two forms alone (quarter turns of what is no square). Where neither tells, the
  truth belongs to the upright picture, which is what annotation tools show; `check` counts such images.
- Where somebody says which, that decides, but for a truth whose size fits the other form alone.

Letters: H W pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from PIL import Image

from zeroseg.errors import DatasetError, ImageError
from zeroseg.evaluation.class_names import ClassNames
from zeroseg.evaluation.dataset import Findings, Problem, Sample
from zeroseg.evaluation.masks import Fit, Numbering, read_mask
from zeroseg.images import load_image, upright_turn
from zeroseg.vocabulary import BACKGROUND

CHECKED_AT_ONCE = 32  # images that an interruption waits for
THREADS = 4


@dataclass(frozen=True)
class Item:
    """An image, the file that its truth comes from, and how that becomes class ids.

    `read` gives the truth's pixels as they are stored. `is_picture`: whether `source` is a picture of this item alone,
    which may carry EXIF of its own. `without_pixels`: how many objects the truth lists of which no pixel is drawn.
    """

    name: str
    image: Path
    source: Path
    read: Callable[[], UInt16[np.ndarray, "H W"]]
    is_picture: bool = False
    without_pixels: int = 0


class LabelledImages:
    """A data set of such items, read when they are asked for.

    `fit` says what truths belong to (see above). Iterating raises `ImageError` for an image, `DatasetError` for a truth
    that cannot be read or is of another size: `check` finds them beforehand, `without` leaves them out.
    """

    def __init__(
        self, name: str, names: ClassNames, has_background: bool, items: Sequence[Item], fit: Fit | None = "stored"
    ) -> None:
        self.name = name
        self.classes = (BACKGROUND, *names.names) if has_background else names.names
        self.has_background = has_background
        self.vocabulary = names.vocabulary(has_background)
        self._items = tuple(items)
        self._fit: Fit | None = fit

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Sample]:
        return map(self.sample, range(len(self)))

    def sample(self, number: int) -> Sample:
        """The image of a number from 0, with its truth."""
        return _sample(self._items[number], self._fit)[0]

    def check(self, progress: Callable[[int], None] = lambda _: None) -> Findings:
        """Open and decode every image and truth, as iterating will. `progress` is called with the images done."""
        problems: list[Problem] = []
        undecided, without_pixels = 0, 0
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(self._items), CHECKED_AT_ONCE):
                some = self._items[start : start + CHECKED_AT_ONCE]
                for item, found in zip(some, pool.map(partial(_tried, fit=self._fit), some), strict=True):
                    if isinstance(found, Problem):
                        problems.append(found)
                    else:
                        undecided += found
                        without_pixels += item.without_pixels
                    progress(1)
        notes = (_note_of_turns(undecided), _note_of_objects(without_pixels))
        return Findings(tuple(problems), tuple(note for note in notes if note))

    def without(self, names: Collection[str]) -> LabelledImages:
        """The same data set without the images of these names. Raises `DatasetError` where none is left."""
        rest = copy(self)
        rest._items = tuple(item for item in self._items if item.name not in names)
        if not rest._items:
            raise DatasetError(f"{self.name}: no image is left without the {len(self)} that are left out.")
        return rest

    def signature(self) -> str:
        """A digest of all names and files, these by their sizes and times."""
        digest = hashlib.sha256(f"{self.name} {self.classes} {self._fit}".encode())
        for item in self._items:
            stats = [path.stat() for path in (item.image, item.source)]
            digest.update(repr((item.name, [(stat.st_size, stat.st_mtime_ns) for stat in stats])).encode())
        return digest.hexdigest()


def masked_items(triples: Iterable[tuple[str, Path, Path]], numbering: Numbering) -> list[Item]:
    """Items from names, images and masks with one numbering."""
    return [Item(name, image, mask, partial(read_mask, mask, numbering), True) for name, image, mask in triples]


# --- one image and its truth --------------------------------------------------------------------


def _tried(item: Item, fit: Fit | None) -> Problem | bool:
    """What is wrong with an item; where nothing is, whether its files left open what the truth belongs to."""
    try:
        return _sample(item, fit)[1]
    except (ImageError, DatasetError) as error:
        return Problem(item.name, str(error))


def _sample(item: Item, fit: Fit | None) -> tuple[Sample, bool]:
    """The upright image with its truth, and whether its files left open what the truth belongs to."""
    image = load_image(item.image)
    truth, is_open = _turned(item, image.size, fit)
    if truth.shape != (image.height, image.width):
        raise DatasetError(
            f"{str(item.source)!r} has {truth.shape[1]} x {truth.shape[0]} pixels for {str(item.image)!r}, "
            f"which has {image.width} x {image.height}: image and truth must be of one size."
        )
    return Sample(item.name, image, truth), is_open


def _turned(item: Item, size: tuple[int, int], fit: Fit | None) -> tuple[UInt16[np.ndarray, "H W"], bool]:
    """The truth as it fits the upright image of `size` (width, height), and whether the files left open how."""
    truth = item.read()
    turn = upright_turn(item.image)
    own = upright_turn(item.source) if fit is None and item.is_picture else None
    if own is not None:
        shown = _transposed(truth, own)
        if shown.shape == size[::-1]:
            return shown, False
    if turn is None:
        return truth, False
    stored = _transposed(truth, turn)
    fits_stored, fits_upright = stored.shape == size[::-1], truth.shape == size[::-1]
    if fits_stored and fits_upright:
        return (stored if fit == "stored" else truth), fit is None
    return (stored if fits_stored else truth), False


def _transposed(truth: UInt16[np.ndarray, "H W"], turn: Image.Transpose) -> UInt16[np.ndarray, "h w"]:
    return np.array(Image.fromarray(truth).transpose(turn))


def _note_of_turns(count: int) -> str:
    if not count:
        return ""
    return (
        f"{count} {_plural(count, 'image')} turned or mirrored by EXIF in a way that the size of the mask does not "
        "tell: the mask is taken to fit the upright picture (--masks stored: the pixels as they are stored)."
    )


def _note_of_objects(count: int) -> str:
    if not count:
        return ""
    return f"{count} {_plural(count, 'object')} without any pixel (no polygon of three corners): nothing is drawn."


def _plural(count: int, noun: str) -> str:
    return f"{noun} is" if count == 1 else f"{noun}s are"

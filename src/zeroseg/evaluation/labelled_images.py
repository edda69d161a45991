"""Images on disk with the true class of every pixel: all data sets except the picturebook.

Some photos are stored rotated or flipped, and EXIF says how to show them (orientation 2 to 8); they are always read
upright. A truth may fit the stored pixels or the upright picture (`fit`):

- The truths of official benchmarks fit the stored pixels: "stored".
- For other files (`fit` None) the mask's own EXIF decides first, because all programs show both files upright; then the
  size, if the truth fits only one of the two forms (quarter turns of pictures that are not square). If neither decides,
  the truth fits the upright picture, because annotation tools show that; `check` counts such images.
- If the user names the form, it is used, except for a truth whose size fits only the other form.

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
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt16
from PIL import Image

from zeroseg.errors import DatasetError, ImageError
from zeroseg.evaluation.class_names import ClassNames
from zeroseg.evaluation.dataset import Findings, Problem, Sample
from zeroseg.evaluation.masks import Fit, Numbering, read_mask
from zeroseg.images import load_image, upright_turn
from zeroseg.segmentation import IGNORE
from zeroseg.vocabulary import BACKGROUND

CHECKED_AT_ONCE = 32  # images: an interruption waits for them
THREADS = 4


@dataclass(frozen=True)
class Item:
    """An image, the file of its truth (`source`), and a function that reads the truth as class ids.

    `read` returns the truth's pixels as they are stored. `numbering`: a text that says which classes `read` gives to
    the numbers of the truth; if it changes, an interrupted measurement is not continued. `is_picture`: whether `source`
    is a picture of only this item, which may have its own EXIF. `without_pixels`: the number of objects in the truth
    that have no pixel.
    """

    name: str
    image: Path
    source: Path
    read: Callable[[], UInt16[np.ndarray, "H W"]]
    numbering: str
    is_picture: bool = False
    without_pixels: int = 0


class LabelledImages:
    """A data set of items that are read when they are used.

    `fit`: the form that truths fit (see above). `note_of_void`: what `check` notes if pixels are ignored and all others
    are class 0. Iterating raises `ImageError` for an image, and `DatasetError` for a truth, that cannot be read or has
    another size. `check` finds them first, `without` leaves them out.
    """

    def __init__(
        self,
        name: str,
        names: ClassNames,
        has_background: bool,
        items: Sequence[Item],
        fit: Fit | None = "stored",
        note_of_void: str = "",
    ) -> None:
        self.name = name
        self.classes = (BACKGROUND, *names.names) if has_background else names.names
        self.has_background = has_background
        self.vocabulary = names.vocabulary(has_background)
        self._items = tuple(items)
        self._fit: Fit | None = fit
        self._note_of_void = note_of_void

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Sample]:
        return map(self.sample, range(len(self)))

    def sample(self, number: int) -> Sample:
        """The image with a number, 0 .. len - 1, and its truth. Raises `ImageError`, `DatasetError`."""
        return _sample(self._items[number], self._fit)[0]

    def check(self, progress: Callable[[int], None] = lambda _: None) -> Findings:
        """Open and decode every image and truth. `progress` is called with the number of images done."""
        problems: list[Problem] = []
        undecided, without_pixels, largest, has_void = 0, 0, 0, False
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(self._items), CHECKED_AT_ONCE):
                some = self._items[start : start + CHECKED_AT_ONCE]
                for item, found in zip(some, pool.map(partial(_tried, fit=self._fit), some), strict=True):
                    if isinstance(found, Problem):
                        problems.append(found)
                    else:
                        undecided += found.is_undecided
                        largest, has_void = max(largest, found.largest), has_void or found.has_void
                        without_pixels += item.without_pixels
                    progress(1)
        of_void = self._note_of_void if has_void and not largest else ""
        notes = (_note_of_turns(undecided), _note_of_objects(without_pixels), of_void)
        return Findings(tuple(problems), tuple(note for note in notes if note))

    def without(self, names: Collection[str]) -> LabelledImages:
        """The same data set without the images with these names. Raises `DatasetError` if none is left."""
        rest = copy(self)
        rest._items = tuple(item for item in self._items if item.name not in names)
        if not rest._items:
            raise DatasetError(f"{self.name}: no image is left without the {len(self)} that are left out.")
        return rest

    def signature(self) -> str:
        """A digest of all names, files and numberings; files count by size and time of change."""
        digest = hashlib.sha256(f"{self.name} {self.classes} {self._fit}".encode())
        for item in self._items:
            stats = [path.stat() for path in (item.image, item.source)]
            files = [(stat.st_size, stat.st_mtime_ns) for stat in stats]
            digest.update(repr((item.name, files, item.numbering)).encode())
        return digest.hexdigest()


def masked_items(triples: Iterable[tuple[str, Path, Path]], numbering: Numbering) -> list[Item]:
    """Items from names, images and masks with one numbering."""
    text = repr(numbering)
    return [Item(name, image, mask, partial(read_mask, mask, numbering), text, True) for name, image, mask in triples]


# --- one image and its truth --------------------------------------------------------------------


class _Tried(NamedTuple):
    """What is noted of a good item: if it is unclear which form its truth fits, its largest class, ignored pixels."""

    is_undecided: bool
    largest: int
    has_void: bool


def _tried(item: Item, fit: Fit | None) -> Problem | _Tried:
    """The problem of an item; if there is none, what is noted of it."""
    try:
        sample, is_undecided = _sample(item, fit)
    except (ImageError, DatasetError) as error:
        return Problem(item.name, str(error))
    counted = sample.truth[sample.truth != IGNORE]
    return _Tried(is_undecided, int(counted.max(initial=0)), counted.size < sample.truth.size)


def _sample(item: Item, fit: Fit | None) -> tuple[Sample, bool]:
    """The upright image with its truth, and whether it is unclear which form the truth fits."""
    image = load_image(item.image)
    truth, is_open = _turned(item, image.size, fit)
    if truth.shape != (image.height, image.width):
        raise DatasetError(
            f"{str(item.source)!r} has {truth.shape[1]} x {truth.shape[0]} pixels for {str(item.image)!r}, "
            f"which has {image.width} x {image.height}: image and truth must be of one size."
        )
    return Sample(item.name, image, truth), is_open


def _turned(item: Item, size: tuple[int, int], fit: Fit | None) -> tuple[UInt16[np.ndarray, "H W"], bool]:
    """The truth for the upright image of `size` (width, height), and whether it is unclear which form it fits."""
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
        f"{count} {_plural(count, 'image')} rotated or flipped by EXIF, and the size of the mask does not show which "
        "form it fits: it is taken to fit the upright picture (use --masks stored if it fits the stored pixels)."
    )


def _note_of_objects(count: int) -> str:
    if not count:
        return ""
    return f"{count} {_plural(count, 'object')} without any pixel (no polygon has three corners), so not drawn."


def _plural(count: int, noun: str) -> str:
    return f"{noun} is" if count == 1 else f"{noun}s are"

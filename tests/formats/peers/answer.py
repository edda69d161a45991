"""What the readers in this folder share. They run in .venv-peers (`make peers`), and know nothing of zeroseg.

A reader is called as `read_NAME.py FOLDER OUT.npz`. FOLDER has a folder for each data set; OUT.npz has for each picture
N: "set N" (name of that folder), "photo N", "map N" [H W], and "names N", in which the map's numbers are looked up.
Pixels that have no annotation get the name "background".
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pycocotools.mask

BACKGROUND = "background"
Read = Callable[[Path], Iterable[tuple[str, np.ndarray, list[str]]]]


def answer(read: Read) -> None:
    """Read every data set with `read`, which gives for each picture the photo's name, the map and the names."""
    folder, out = map(Path, sys.argv[1:])
    arrays: dict[str, np.ndarray] = {}
    for data_set in sorted(path for path in folder.iterdir() if path.is_dir()):
        for photo, numbers, names in read(data_set):
            count = len(arrays) // 4
            arrays[f"set {count}"], arrays[f"photo {count}"] = np.array(data_set.name), np.array(photo)
            arrays[f"map {count}"], arrays[f"names {count}"] = np.asarray(numbers, np.int64), np.array(names)
    np.savez(out, **arrays)


def painted(size: tuple[int, int], areas: Iterable[tuple[str, np.ndarray]]) -> tuple[np.ndarray, list[str]]:
    """The map and the names of areas that do not overlap: pairs of a name and a mask [H W]. `size`: width, height.

    Raises `ValueError` if they overlap.
    """
    numbers, names = np.zeros(size[::-1], np.int64), [BACKGROUND]
    for name, mask in areas:
        mask = mask.astype(bool)
        if (numbers[mask] > 0).any():
            raise ValueError(f"the area of {name!r} overlaps another one")
        numbers[mask] = len(names)
        names.append(name)
    return numbers, names


def polygon_mask(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The pixels [H W] in a polygon [N 2], as pycocotools fills it. `size`: width, height."""
    encoded = pycocotools.mask.frPyObjects([corners.ravel().tolist()], *size[::-1])
    return np.asarray(pycocotools.mask.decode(encoded))[..., 0] > 0

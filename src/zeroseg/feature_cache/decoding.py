"""Images are read and decoded ahead of the network, by threads or by processes.

Letters: N byte.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zeroseg.errors import ImageError
from zeroseg.image_index import Stamp


@dataclass(frozen=True)
class Read:
    """An image file's key; its square if the cache does not hold it; its stamp if the index does not hold it."""

    key: str
    square: UInt8[Tensor, "3 _ _"] | None = None
    stamp: Stamp | None = None


Result = tuple[Path, Read | ImageError]
Reads = list[Result]


def read_ahead(read: Callable[[Path], Result], parts: Sequence[Sequence[Path]], workers: int = 0) -> Iterator[Reads]:
    """The images of each part, read; the next part is read while this one is in use. `workers`: processes."""
    if workers:
        loader = DataLoader(
            _Parts(read, parts),
            batch_size=None,
            num_workers=workers,
            prefetch_factor=2,
            worker_init_fn=_calm,
            multiprocessing_context="fork",
        )
        yield from (_unpacked(packed) for packed in loader)
        return
    with ThreadPoolExecutor() as pool:
        following = pool.map(read, parts[0]) if parts else iter(())
        for number in range(len(parts)):
            current = following
            following = pool.map(read, parts[number + 1]) if number + 1 < len(parts) else iter(())
            yield list(current)


@dataclass(frozen=True)
class _Packed:
    """A part whose squares are in one tensor, so that a process passes one piece of memory."""

    reads: list[tuple[str, Read | str]]  # paths, and errors in words
    shapes: list[tuple[int, ...]]
    pixels: UInt8[Tensor, " N"]


class _Parts(Dataset[_Packed]):
    def __init__(self, read: Callable[[Path], Result], parts: Sequence[Sequence[Path]]) -> None:
        self._read, self._parts = read, parts

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, number: int) -> _Packed:
        results = [self._read(path) for path in self._parts[number]]
        squares = [read.square for _, read in results if isinstance(read, Read) and read.square is not None]
        plain = [(str(path), _without_square(read)) for path, read in results]
        pixels = torch.cat([torch.empty(0, dtype=torch.uint8), *(square.flatten() for square in squares)])
        return _Packed(plain, [tuple(square.shape) for square in squares], pixels)


def _without_square(read: Read | ImageError) -> Read | str:
    """What goes through a pipe; an empty square stands for one that is among the pixels."""
    if isinstance(read, ImageError):
        return str(read)
    return read if read.square is None else replace(read, square=torch.empty(3, 0, 0, dtype=torch.uint8))


def _unpacked(packed: _Packed) -> Reads:
    squares = iter(packed.pixels.split([math.prod(shape) for shape in packed.shapes]))
    shapes, reads = iter(packed.shapes), list[Result]()
    for path, read in packed.reads:
        if isinstance(read, str):
            reads.append((Path(path), ImageError(read)))
        elif read.square is None:
            reads.append((Path(path), read))
        else:
            reads.append((Path(path), replace(read, square=next(squares).view(next(shapes)))))
    return reads


def _calm(_worker: int) -> None:
    """Set up a process: the main process answers signals, and each of the others uses one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)

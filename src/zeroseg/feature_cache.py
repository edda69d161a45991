"""Teacher embeddings on disk: for every image the embeddings of its views, computed once.

A cache is a folder: `manifest.json` (teacher and views), shards of float16 features with their keys, and
`quarantine.jsonl` (images that could not be read). Keys are hashes of the images' bytes. A shard is valid once its
key file exists, so an interrupted run loses at most one shard and resumes there.

Letters: N image, V view, D embedding width.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache as once
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from zeroseg.errors import CacheError, ConfigError, ImageError
from zeroseg.files import atomic_path, held, write_text_atomically
from zeroseg.image_index import ImageIndex, Stamp, image_key, read_image_file
from zeroseg.squares import read_square
from zeroseg.teacher import Teacher
from zeroseg.views import ViewsConfig

FORMAT = 1
MANIFEST, QUARANTINE = "manifest.json", "quarantine.jsonl"
SHARD = 256  # images in a shard: the most that an interruption can lose
CHUNK = 32  # images whose views are embedded at once


@lru_cache(maxsize=64)  # many systems limit the number of open files
def _shard(path: Path) -> NDArray[np.float16]:
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> CacheError:
    return CacheError(f"{path.parent} is damaged at {path.name}: delete the folder and cache again.")


@dataclass(frozen=True)
class CacheReport:
    """What a run of `build_cache` did, in numbers of images."""

    embedded: int
    found: int  # were in the cache already
    unreadable: int


class FeatureCache:
    """Read access to a cache. Raises `CacheError` if there is no cache, or if it is damaged."""

    def __init__(self, folder: Path) -> None:
        manifest = _manifest(folder)
        if manifest is None:
            raise CacheError(f"{folder} is not a feature cache: make one with `zeroseg cache IMAGES --out {folder}`.")
        self.folder = folder
        self.index = ImageIndex(folder)
        """Keys of image files: with them, images can be looked up without being read again."""
        self.teacher: str = manifest["teacher"]
        self.views = _views(manifest)
        self._columns = np.arange(len(self.views.boxes()))  # positions of the views in a shard
        self._shards: list[Path] = []
        self._places: dict[str, tuple[int, int]] = {}
        for path in sorted(folder.glob("*.keys.json")):
            try:
                keys: list[str] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise _damaged(path) from error
            shard = path.with_name(path.name.replace(".keys.json", ".npy"))
            if len(_shard(shard)) != len(keys):
                raise _damaged(shard)
            self._places.update({key: (len(self._shards), row) for row, key in enumerate(keys)})
            self._shards.append(shard)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __getitem__(self, key: str) -> Float[Tensor, "V D"]:
        """The embeddings of an image's views, as the teacher gave them (not normalised). Raises `KeyError`."""
        shard, row = self._places[key]
        return torch.from_numpy(_shard(self._shards[shard])[row][self._columns].astype(np.float32))

    def check(self, teacher: Teacher, views: ViewsConfig) -> None:
        """Raise `CacheError` unless the cache was made with this teacher and holds these views."""
        _check_teacher(self.folder, self.teacher, teacher)
        self.only(views)

    def only(self, views: ViewsConfig) -> FeatureCache:
        """The same cache with some of its views: those of `views`. Raises `CacheError` if one of them is missing."""
        places = {box: place for place, box in enumerate(self.views.boxes())}
        boxes = views.boxes()
        if views.side != self.views.side or not places.keys() >= set(boxes):
            raise CacheError(
                f"the cache {self.folder} has the views {self.views.key}, not {views.key}: name another folder."
            )
        some = copy.copy(self)
        some.views, some._columns = views, self._columns[[places[box] for box in boxes]]
        return some

    def statistics(self, normalise: bool = True) -> tuple[Float[Tensor, " D"], float]:
        """The mean over all images and views, and the root mean square of the embeddings minus that mean.

        `normalise`: scale each embedding to length 1 first. Raises `CacheError` if the cache is empty.
        """
        total, square, count = 0.0, 0.0, 0
        for path in self._shards:
            shard = _shard(path)
            rows = shard[:, self._columns].astype(np.float64).reshape(-1, shard.shape[-1])
            if normalise:
                rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
            total, square, count = total + rows.sum(axis=0), square + (rows**2).mean(axis=1).sum(), count + len(rows)
        if not count:
            raise CacheError(f"the cache {self.folder} is empty: no image in it could be read.")
        mean = np.asarray(total) / count
        return torch.from_numpy(mean).float(), float(np.sqrt(square / count - (mean**2).mean()))


def build_cache(
    images: Sequence[Path],
    teacher: Teacher,
    views: ViewsConfig,
    folder: Path,
    progress: Callable[[int], None] = lambda _: None,
    *,
    shard: int = SHARD,
    chunk: int = CHUNK,
) -> CacheReport:
    """Embed the views of all images that the cache does not hold yet.

    `progress` is called with the number of images done since its last call. `shard`: images that are written at once,
    `chunk`: images that are embedded at once. From its first features on, this process holds the
    folder. Raises `CacheError` when it has a cache of another teacher or other views, `OutputError` when another
    process holds it.
    """
    unreadable: list[dict[str, str]] = []
    seen: set[str] = set()
    with ExitStack() as locks:
        hold = once(lambda: locks.enter_context(held(folder, inside=True)))
        cache = _open(folder, teacher, views, hold)
        for reads in _read_ahead(images, views.side, cache, shard):
            new: dict[str, UInt8[Tensor, "3 side side"]] = {}
            for path, read in reads:
                if isinstance(read, ImageError):
                    unreadable.append({"image": str(path), "reason": str(read)})
                    continue
                if read.stamp is not None:
                    cache.index.add(read.stamp, read.key)
                if read.square is not None and read.key not in seen:
                    new[read.key] = read.square
            cache.index.flush()
            progress(len(reads) - len(new))
            seen |= new.keys()
            if new:
                hold()
                features: list[NDArray[np.float16]] = []
                try:
                    for some in _embedded(list(new.values()), teacher, views, chunk):
                        features.append(some)
                        progress(len(some))
                finally:  # what is embedded is kept, also after an interruption
                    _write_shard(folder, list(new), features)
    if unreadable or (folder / QUARANTINE).exists():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in unreadable)
        write_text_atomically(folder / QUARANTINE, lines)
    return CacheReport(len(seen), len(images) - len(seen) - len(unreadable), len(unreadable))


def _open(folder: Path, teacher: Teacher, views: ViewsConfig, hold: Callable[[], None]) -> FeatureCache:
    """The cache in a folder; an empty one is made if there is none, after a call of `hold`."""
    manifest = _manifest(folder)
    if manifest is None:
        hold()
        manifest = _manifest(folder)  # another process may have made it in the meantime
    if manifest is None:
        values = {"format": FORMAT, "teacher": teacher.fingerprint, "width": teacher.width, "views": asdict(views)}
        write_text_atomically(folder / MANIFEST, json.dumps(values, indent=2) + "\n")
    else:
        _check(folder, manifest["teacher"], _views(manifest), teacher, views)
    return FeatureCache(folder)


def _embedded(
    squares: list[UInt8[Tensor, "3 side side"]], teacher: Teacher, views: ViewsConfig, chunk: int
) -> Iterator[NDArray[np.float16]]:
    """The embeddings of all views, of `chunk` images at once."""
    for start in range(0, len(squares), chunk):
        some = torch.stack(squares[start : start + chunk])
        yield embed_views(teacher, views, some.float() / 255).half().numpy()


def embed_views(
    teacher: Teacher, views: ViewsConfig, squares: Float[Tensor, "N 3 side side"]
) -> Float[Tensor, "N V D"]:
    """The teacher's embeddings of all views of square images (values 0..1)."""
    by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
    boxes = views.boxes()
    for number, (left, top, right, bottom) in enumerate(boxes):
        by_shape[bottom - top, right - left].append(number)
    out = torch.empty(len(squares), len(boxes), teacher.width)
    for numbers in by_shape.values():
        crops = torch.stack([squares[:, :, boxes[n][1] : boxes[n][3], boxes[n][0] : boxes[n][2]] for n in numbers], 1)
        embedded = teacher.embed_images(crops.flatten(0, 1).to(teacher.device))
        out[:, numbers] = embedded.view(len(squares), len(numbers), -1).cpu()
    return out


@dataclass(frozen=True)
class _Read:
    """An image file's key; its square if the cache does not hold it; its stamp if the index does not hold it."""

    key: str
    square: UInt8[Tensor, "3 side side"] | None = None
    stamp: Stamp | None = None


def _read_ahead(
    images: Sequence[Path], side: int, cache: FeatureCache, shard: int
) -> Iterator[list[tuple[Path, _Read | ImageError]]]:
    """Images that were read, one shard at a time; the next shard is read while this one is in use."""

    def read(path: Path) -> tuple[Path, _Read | ImageError]:
        try:
            stamp = Stamp.of(path)
            known = cache.index.find(stamp)
            if known is not None and known in cache:
                return path, _Read(known)
            data = read_image_file(path)
            key = image_key(data)
            square = None if key in cache else read_square(data, side, repr(str(path)))
            return path, _Read(key, square, stamp if known is None else None)
        except ImageError as error:
            return path, error
        except OSError as error:
            return path, ImageError(f"{path} cannot be read: {error.strerror}.")

    with ThreadPoolExecutor() as pool:
        shards = [images[start : start + shard] for start in range(0, len(images), shard)]
        following = pool.map(read, shards[0]) if shards else iter(())
        for number in range(len(shards)):
            current = following
            following = pool.map(read, shards[number + 1]) if number + 1 < len(shards) else iter(())
            yield list(current)


def _write_shard(folder: Path, keys: list[str], features: list[NDArray[np.float16]]) -> None:
    """Write the features of the first images, as many as there are, and their keys."""
    if not features:
        return
    written = np.concatenate(features)
    number = len(list(folder.glob("*.keys.json")))
    with atomic_path(folder / f"{number:06d}.npy") as path, path.open("wb") as file:
        np.save(file, written)
    write_text_atomically(folder / f"{number:06d}.keys.json", json.dumps(keys[: len(written)]))


def _manifest(folder: Path) -> dict[str, Any] | None:
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] == FORMAT and isinstance(values["teacher"], str) and _views(values):
            return values
    except (ValueError, KeyError, TypeError, ConfigError):
        pass
    raise CacheError(f"{path} is damaged or of another version: delete the folder and cache again.")


def _views(manifest: dict[str, Any]) -> ViewsConfig:
    values = manifest["views"]
    return ViewsConfig(values["side"], tuple(values["grids"]), values["overlapping"])


def _check(folder: Path, made_by: str, made_with: ViewsConfig, teacher: Teacher, views: ViewsConfig) -> None:
    _check_teacher(folder, made_by, teacher)
    if made_with != views:
        raise CacheError(f"the cache {folder} has the views {made_with.key}, not {views.key}: name another folder.")


def _check_teacher(folder: Path, made_by: str, teacher: Teacher) -> None:
    if made_by != teacher.fingerprint:
        raise CacheError(f"{folder} was made with another teacher: name it (--teacher, --recipe), or another folder.")

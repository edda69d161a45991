"""The features of a frozen image tower, computed once: of every image its whole square and a few random crops.

They are in a folder, in files of `IMAGES_A_FILE` images. A file's name has a hash of its images, and it is written
completely or not at all. So the same command continues where it stopped, and embeds again what has changed.

Letters: N image, R crop (the whole square first), E width of the tower, S side in pixels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from jaxtyping import Float16, UInt8
from torch import Tensor

from zeroseg.errors import TrainingError
from zeroseg.files import atomic_path, write_text_atomically
from zeroseg.image_index import ImageIndex, as_text
from zeroseg.images import load_image, to_tensor
from zeroseg.squares import center_square
from zeroseg.training.captioned import crop_of
from zeroseg.training.towers import Tower

IMAGES_A_FILE, AT_ONCE = 32, 128
NUMBERED = "[0-9]" * 6 + "-*.npy"
SETTINGS = "settings.json"


@dataclass(frozen=True)
class Crops:
    """What is embedded of an image: its central square, and `count` random squares in it, each `side` pixels wide.

    A crop shows at least the fraction `smallest` of the square's area; the logarithm of its side is uniform, so small
    crops are as frequent as large ones. It depends on the seed and the image's place.
    """

    side: int
    count: int
    smallest: float
    seed: int

    def of(self, path: Path, place: int) -> UInt8[Tensor, "R 3 S S"]:
        """The whole square, then the crops. Raises `ImageError` if the image cannot be read."""
        square, random = center_square(load_image(path)), Random(f"{self.seed}:{place}")
        fractions = [1.0, *(self.smallest ** random.random() for _ in range(self.count))]
        return torch.stack([to_tensor(crop_of(square, self.side, fraction, random)) for fraction in fractions])


def embed_crops(
    tower: Tower, images: Sequence[Path], crops: Crops, folder: Path, progress: Callable[[int], None]
) -> Float16[Tensor, "N R E"]:
    """Pooled features of the crops of `images`; those that `folder` does not hold yet are computed and written there.

    Files of images that have changed or are no longer asked for are deleted. `progress` is called with numbers of
    images. Raises `ImageError` for an image that cannot be read, `TrainingError` if the folder holds features of other
    crops or another tower.
    """
    _check(folder / SETTINGS, {"tower": tower.fingerprint} | asdict(crops))
    keys = [as_text(key) for key in ImageIndex(folder).keys(images)]
    parts: dict[Path, Tensor] = {}
    for first in range(0, len(images), IMAGES_A_FILE):
        chosen = slice(first, first + IMAGES_A_FILE)
        contents = hashlib.sha256(" ".join(keys[chosen]).encode()).hexdigest()[:16]
        path, some = folder / f"{first // IMAGES_A_FILE:06d}-{contents}.npy", images[chosen]
        shape = (len(some), 1 + crops.count, tower.width)
        if not path.exists():
            seen = torch.cat([crops.of(image, place) for place, image in enumerate(some, first)])
            features = torch.cat([tower.pooled(part.float() / 255).half().cpu() for part in seen.split(AT_ONCE)])
            with atomic_path(path) as temporary:
                np.save(temporary, features.view(shape).numpy())
        parts[path] = _read(path, shape)
        progress(len(some))
    for path in set(folder.glob(NUMBERED)) - parts.keys():
        path.unlink()
    return torch.cat([*parts.values()]) if parts else torch.zeros(0, 1 + crops.count, tower.width, dtype=torch.float16)


def _check(path: Path, settings: Mapping[str, object]) -> None:
    """Write the settings of a new folder, or compare them with those of an old one."""
    if not path.exists():
        write_text_atomically(path, json.dumps(dict(settings), indent=2) + "\n")
        return
    try:
        former: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
        former.pop("images", None)  # of an earlier version
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise TrainingError(f"{str(path)!r} is damaged: delete its folder and start again.") from error
    if former != settings:
        raise TrainingError(
            f"{str(path.parent)!r} holds features of another tower or of other crops: name another --out, or delete "
            "that folder."
        )


def _read(path: Path, shape: tuple[int, int, int]) -> Tensor:
    try:
        values = np.load(path)
        if values.shape != shape or values.dtype != np.float16:
            raise ValueError(f"an array {values.shape}, not {shape}")
    except (OSError, ValueError, EOFError) as error:
        raise TrainingError(f"{str(path)!r} is damaged: delete it and run again.") from error
    return torch.from_numpy(values)

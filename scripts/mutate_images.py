"""Damaged image files, thousands of them, through `load_image`: each gives a picture or an `ImageError`, nothing else.

    python scripts/mutate_images.py --files 10000

Small valid files of every format are made, then bits are flipped, bytes overwritten, parts cut, doubled, swapped and
mixed with those of other files. Prints how many were loaded and refused, the peak memory and the time; ends with 1
after another exception, whose file is saved. The same seed gives the same files.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from zeroseg.errors import ImageError
from zeroseg.images import load_image

EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80")


def valid_files() -> list[tuple[str, bytes]]:
    """A few small files of every format and storage, each with its format's name."""
    x, y = np.meshgrid(np.linspace(0, 255, 48), np.linspace(0, 255, 32))
    photo = Image.fromarray(np.stack([x, y, (x * y) % 256], axis=-1).astype(np.uint8))
    clear, palette = photo.convert("RGBA"), photo.convert("P")
    clear.putalpha(photo.getchannel("R"))
    deep = Image.fromarray(np.asarray(photo)[..., 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    known: dict[str, Any] = {
        "exif": exif.tobytes(),
        "icc_profile": profile[:24] + bytes(12) + profile[36:],  # without the time at which it was made
    }
    frames = {"save_all": True, "append_images": [photo.transpose(Image.Transpose.ROTATE_180)]}
    kept: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (photo, "JPEG", known),
        (photo, "JPEG", {"progressive": True, "restart_marker_blocks": 2}),
        (photo.convert("CMYK"), "JPEG", {}),
        (photo.convert("L"), "JPEG", {"comment": b"a comment"}),
        (photo, "PNG", known),
        (clear, "PNG", frames),
        (palette, "PNG", {"transparency": 3}),
        (deep, "PNG", {"transparency": 257}),
        (clear, "WEBP", {**known, "lossless": True}),
        (photo, "WEBP", frames),
        (photo, "TIFF", known),
        *((photo, "TIFF", {"compression": name}) for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")),
        (deep, "TIFF", {}),
        (photo.convert("1"), "TIFF", {"compression": "group4"}),
        (photo, "BMP", {}),
        (palette, "BMP", {}),
        (palette, "GIF", {**frames, "comment": b"a comment"}),
        (photo, "AVIF", known),
        (clear, "AVIF", {}),
    ]
    files = [(name, _stored(image, name, options)) for image, name, options in kept]
    heic = BytesIO()
    pillow_heif.from_pillow(photo).save(heic, quality=90, exif=exif.tobytes())
    return [*files, ("HEIC", heic.getvalue())]


def _stored(image: Image.Image, file_format: str, options: dict[str, Any]) -> bytes:
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random) -> None:
    """Extreme numbers where sizes and offsets may stand: mostly in the header."""
    for _ in range(chance.choice((1, 2, 4))):
        place = chance.randrange(min(len(data), chance.choice((64, 256, len(data)))))
        value = chance.choice(EXTREMES)[: chance.choice((1, 2, 4))]
        data[place : place + len(value)] = value


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(1, len(data) + 1) :]


def _remove(data: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(data))
    del data[place : place + chance.randrange(1, 64)]


def _double(data: bytearray, chance: random.Random) -> None:
    place, length = chance.randrange(len(data)), chance.randrange(1, 200)
    data[place:place] = data[place : place + length] * chance.choice((1, 1, 20))


def _swap(data: bytearray, chance: random.Random) -> None:
    """Two parts change places: chunks out of order."""
    one, two, three = sorted(chance.randrange(len(data)) for _ in range(3))
    data[one:three] = data[two:three] + data[one:two]


def _insert(data: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(data))
    data[place:place] = chance.randbytes(chance.randrange(1, 100))


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip_bits,
    _flip_bits,
    _overwrite,
    _overwrite,
    _cut,
    _remove,
    _double,
    _swap,
    _insert,
)


def mutated_files(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Damaged files, each with the name of the format that it was."""
    chance, files = random.Random(seed), valid_files()
    for _ in range(count):
        name, whole = chance.choice(files)
        data = bytearray(whole)
        if chance.random() < 0.1:  # the head of one file and the tail of another, mostly of the same format
            other = chance.choice([file for kind, file in files if kind == name or chance.random() < 0.05] or [whole])
            data[chance.randrange(len(data)) :] = other[chance.randrange(len(other)) :]
        for _ in range(chance.choice((0, 1, 1, 2, 3)) if len(data) > 1 else 0):
            chance.choice(MUTATIONS)(data, chance)
            if len(data) < 2:
                break
        yield name, bytes(data)


def main() -> int:
    """Load them all and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    start, slowest = time.perf_counter(), (0.0, "")
    loaded, refused, failed = Counter[str](), Counter[str](), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, (name, data) in enumerate(mutated_files(arguments.files, arguments.seed)):
        began = time.perf_counter()
        try:
            load_image(data)
            loaded[name] += 1
        except ImageError:
            refused[name] += 1
        except BaseException as error:
            failed += 1
            path = Path(f"mutated-{arguments.seed}-{number}.{name.lower()}")
            path.write_bytes(data)
            print(f"{path}: {error!r}", file=sys.stderr)
        slowest = max(slowest, (time.perf_counter() - began, f"file {number}, {name}"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in sorted({*loaded, *refused}):
        print(f"{name}: {loaded[name]} loaded, {refused[name]} refused")
    print(f"all: {loaded.total()} loaded, {refused.total()} refused, {failed} other exceptions")
    print(f"peak memory: {peak / 1024:.0f} MiB, {(peak - before) / 1024:.0f} MiB more than at the start")
    print(f"{time.perf_counter() - start:.0f} s; the slowest took {slowest[0]:.2f} s ({slowest[1]})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

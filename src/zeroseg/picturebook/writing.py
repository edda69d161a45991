"""Scenes as files: images with their captions, and masks in a separate folder.

Letters: H W pixels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random

from PIL import Image

from zeroseg.errors import DatasetError
from zeroseg.files import write_bytes_atomically, write_text_atomically
from zeroseg.picturebook.captions import caption
from zeroseg.picturebook.palette import RGB
from zeroseg.picturebook.scene import SIDE, Scene, draw_scene
from zeroseg.picturebook.vocabularies import ALL_NOUNS, STUFF_NAMES

MASK_NAMES = ("background", *ALL_NOUNS, *STUFF_NAMES)  # a mask's number k is MASK_NAMES[k]; no pixel is background
METADATA, LABELS = "metadata.jsonl", "labels.json"
DRAWN_AT_ONCE = 100  # scenes: an interruption waits for them
FORMATS = {".png": "PNG", ".jpg": "JPEG"}


@dataclass(frozen=True)
class ImageKind:
    """How scenes are stored: pixels of a side, and the suffix, .png or .jpg."""

    side: int = SIDE
    suffix: str = ".png"


@dataclass(frozen=True)
class Masks:
    """Where masks go, and the colours of their palette, one for each of `MASK_NAMES`."""

    folder: Path
    palette: Sequence[RGB]


def mask_picture(scene: Scene, palette: Sequence[RGB]) -> Image.Image:
    """The class of every pixel as an indexed picture: numbers of `MASK_NAMES` with the given colours."""
    picture = Image.fromarray(scene.class_map(MASK_NAMES, missing=0)).convert("P")
    picture.putpalette(bytes(level for colour in palette for level in colour))
    return picture


def write_scenes(
    folder: Path,
    split: str,
    numbers: range,
    kind: ImageKind | None = None,
    masks: Masks | None = None,
    captions: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Write scenes of a split as `SPLIT-NUMBER.png` (or .jpg); returns how many were new.

    With `captions`, `metadata.jsonl` in the same folder gets a line for every image; lines of other images stay. Files
    that exist are not changed, so an interrupted run can be started again. `progress` is called with the number of
    scenes done.

    Raises `OutputError`; `DatasetError` if there are pictures of another size, or if `metadata.jsonl` is damaged.
    """
    kind = kind or ImageKind()
    texts = _read_captions(folder / METADATA) if captions else {}
    if masks is not None:
        write_text_atomically(masks.folder / LABELS, json.dumps(MASK_NAMES, indent=1) + "\n")

    def write(number: int) -> bool:
        """Whether anything was missing."""
        stem = f"{split}-{number:06d}"
        image = folder / f"{stem}{kind.suffix}"
        mask = None if masks is None else masks.folder / f"{stem}.png"
        lacks_image, lacks_mask = not _is_there(image, kind.side), mask is not None and not _is_there(mask, kind.side)
        lacks_text = captions and image.name not in texts
        if not (lacks_image or lacks_mask or lacks_text):
            return False
        scene = draw_scene(split, number, side=kind.side)
        if lacks_image:
            write_bytes_atomically(image, _encoded(scene.image, kind.suffix))
        if masks is not None and mask is not None and lacks_mask:
            write_bytes_atomically(mask, _encoded(mask_picture(scene, masks.palette), ".png"))
        if lacks_text:
            texts[image.name] = caption(scene, (0, 0, *scene.image.size), Random(f"{split}:{number}:caption"))
        return True

    written = 0
    with ThreadPoolExecutor(4) as pool:  # writing takes longer than drawing, because every file is flushed
        for start in range(0, len(numbers), DRAWN_AT_ONCE):
            for is_new in pool.map(write, numbers[start : start + DRAWN_AT_ONCE]):
                written += is_new
                progress(1)
    if captions:
        rows = [{"file_name": name, "text": text} for name, text in sorted(texts.items())]
        write_text_atomically(folder / METADATA, "".join(json.dumps(row) + "\n" for row in rows))
    return written


def _is_there(path: Path, side: int) -> bool:
    """Whether the picture exists. Raises `DatasetError` if the file has another size, or is not a picture."""
    if not path.exists():
        return False
    try:
        with Image.open(path) as picture:
            size = picture.size
    except OSError as error:
        raise DatasetError(f"{str(path)!r} exists but is not a picture: move it away.") from error
    if size != (side, side):
        raise DatasetError(
            f"{str(path.parent)!r} holds pictures {size[0]} pixels wide, not {side}: name another folder."
        )
    return True


def _encoded(image: Image.Image, suffix: str) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format=FORMATS[suffix], quality=95)
    return buffer.getvalue()


def _read_captions(path: Path) -> dict[str, str]:
    """Captions by file name; none where there is no file."""
    if not path.exists():
        return {}
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {row["file_name"]: row["text"] for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{str(path)!r} cannot be read as captions: move it away, and write again.") from error

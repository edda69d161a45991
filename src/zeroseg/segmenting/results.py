"""The record of a result, `NAME.json` beside the mask `NAME.png`: whose result it is, and how it was made."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from zeroseg.archives import status_of
from zeroseg.drawing import hexadecimal, label_colours
from zeroseg.encoding import StudentEncoder, fingerprint
from zeroseg.formats import Classes
from zeroseg.segmentation import BACKGROUND, Segmentation
from zeroseg.segmenter import Segmenter
from zeroseg.versions import ZEROSEG
from zeroseg.vocabulary import Vocabulary

Record = dict[str, Any]
EARLIER = {"photo", "method", "model", "read_out", "labels"}  # what records of earlier versions have


@dataclass(frozen=True)
class Settings:
    """What all photos of a run have in common.

    `named`: method, model, teacher, and what becomes of absent labels, as the user named them. `digest`: a hash of all
    that a mask depends on besides the photo: networks, labels and read-out.
    """

    named: dict[str, str]
    read_out: Record
    background_words: tuple[str, ...]
    classes: Classes
    digest: str

    @classmethod
    def of(cls, segmenter: Segmenter, vocabulary: Vocabulary, named: dict[str, str]) -> Settings:
        """The settings of a segmenter with a vocabulary."""
        read_out, rule = segmenter.read_out, segmenter.read_out.background
        teacher = segmenter.teacher  # a student uses its text tower alone
        seen = (
            fingerprint(segmenter.encoder),
            teacher.text_fingerprint if isinstance(segmenter.encoder, StudentEncoder) else teacher.fingerprint,
            read_out,
            vocabulary,
            named.get("absent"),
        )
        labels = (BACKGROUND, *vocabulary.labels) if rule.has_background else vocabulary.labels
        return cls(
            named,
            read_out.to_json(),
            tuple(vocabulary.background_words(read_out.background_words)),
            Classes(labels, rule.has_background),
            hashlib.sha256(repr(seen).encode()).hexdigest()[:16],
        )


@dataclass(frozen=True)
class Source:
    """A photo as it is on the disk: its path from the root without links, bytes, and time of change."""

    path: str
    size: int
    changed: int

    @classmethod
    def of(cls, photo: Path) -> Source:
        """Raises `OSError` if the file is not there."""
        state = status_of(photo)
        return cls(source_path(photo), state.size, state.changed_ns)


def written_name(place: PurePath) -> str:
    """A photo's place with slashes, as text that can be written."""
    return os.fsencode(place.as_posix()).decode(errors="replace")


def source_path(photo: Path) -> str:
    """The path of a photo from the root, without links, as text that can be written."""
    return os.fsencode(os.path.realpath(photo)).decode(errors="replace")  # realpath: also for links in a circle


def label_rows(segmentation: Segmentation, sure: Float[np.ndarray, " C"]) -> list[Record]:
    """The rows of all labels in a record; `sure`: the presence of the labels without the background (`presence.py`)."""
    rows = segmentation.rows(list(map(hexadecimal, label_colours(segmentation))))
    first = int(segmentation.has_background)
    return rows[:first] + [row | {"presence": round(float(p), 4)} for row, p in zip(rows[first:], sure, strict=True)]


def record(
    photo: Path,
    source: Source,
    segmentation: Segmentation,
    rows: Sequence[Record],
    settings: Settings,
    formats: Sequence[str] = (),
) -> Record:
    """The record, with the rows of all labels, and the formats that the result was written in."""
    return {
        "made_by": f"zeroseg {ZEROSEG}",
        "photo": os.fsencode(photo).decode(errors="replace"),
        "source": source.path,
        "source_bytes": source.size,
        "source_changed": source.changed,
        "settings": settings.digest,
        **settings.named,
        "read_out": settings.read_out,
        "background_words": list(settings.background_words),
        "width": segmentation.size[0],
        "height": segmentation.size[1],
        "has_background": segmentation.has_background,
        "formats": list(formats),
        "labels": list(rows),
    }


def digest(content: bytes) -> str:
    """A hash of the content of a file."""
    return hashlib.sha256(content).hexdigest()[:16]


def encoded(values: Record) -> bytes:
    """A record as text."""
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def read_record(path: Path) -> Record | None:
    """The record at a path; None if there is none, or another file, or a damaged one."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(values, dict) or not isinstance(values.get("labels"), list):
        return None
    names = values.get("source"), values.get("photo")
    ours = "made_by" in values or values.keys() >= EARLIER
    return values if ours and any(isinstance(name, str) for name in names) else None


def owner(values: Record) -> str:
    """The path of the photo whose result a record belongs to."""
    return str(values["source"] if "source" in values else source_path(Path(values["photo"])))


def stands(values: Record, source: Source, settings: Settings) -> bool:
    """Whether a result is that of this file, as it is now, with these settings."""
    made_from = (values.get("source_bytes"), values.get("source_changed"), values.get("settings"))
    return made_from == (source.size, source.changed, settings.digest)


def read_result(mask: Path, values: Record) -> Segmentation:
    """A result as a segmentation. Raises `OSError`, `ValueError`, `KeyError` or `TypeError` if it is damaged."""
    rows = values["labels"]
    with Image.open(mask) as picture:
        class_map = np.asarray(picture).astype(np.uint16)
    scores = np.array([row["score"] for row in rows], np.float32)
    return Segmentation(tuple(row["label"] for row in rows), class_map, scores, values["has_background"])

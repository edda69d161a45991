"""Responses as values, and how they are made of segmentations.

Letters: C class, R patch, h w patches of the grid.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from io import BytesIO
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool
from pydantic import BaseModel, Field

from zeroseg import scoring
from zeroseg.drawing import hexadecimal, label_colours, mask_image
from zeroseg.method_names import FormatName
from zeroseg.presence import Judgement, judge
from zeroseg.rules import Margin
from zeroseg.segmentation import Segmentation
from zeroseg.segmenter import Segmenter
from zeroseg.vocabulary import Vocabulary
from zeroseg.web.engine import Embedded
from zeroseg.web.questions import Naming

MOST_MAPS = 64


class Fault(BaseModel):
    """Why a request is not answered: a short code for programs, a sentence for people."""

    code: str
    message: str


class Refusal(BaseModel):
    """The body of all responses from 400 on."""

    error: Fault


class LabelFound(BaseModel):
    """A label: its number in the mask, the fraction of the image it has, the mean probability of its regions,
    the colour in which it is shown; how sure it is that it is there at all; and whether it was dropped as absent."""

    index: int
    label: str
    fraction: float
    score: float
    colour: str
    presence: float | None = None
    absent: bool = False


class Mask(BaseModel):
    """`png`: with a palette, pixel values are numbers of labels, base64. `runs`: number and length of each run of equal
    pixels, row by row, one after the other in one list. `width`, `height`: the image's, or smaller (`longest`)."""

    width: int
    height: int
    png: str | None = None
    runs: list[int] | None = None


class Maps(BaseModel):
    """Scores on the grid of patches, little-endian float16, base64: of `labels` (their numbers), label by label and row
    by row, and of the best background word. Cosines x 100. A pixel is background where no label leads by `margin`;
    `stuff` labels get it added. A label that nowhere leads by `presence` more is absent.

    Labels that were dropped as absent have no maps. Of others those that win somewhere come first, then those with the
    highest scores, at most 64."""

    height: int
    width: int
    labels: list[int]
    stuff: list[bool]
    scores: str
    background: str
    margin: float
    presence: float
    softness: float = scoring.SOFTNESS


class Masks(BaseModel):
    """The labels of an image, pixel by pixel."""

    model: str
    width: int
    height: int
    has_background: bool
    labels: list[LabelFound]
    mask: Mask
    maps: Maps | None = None
    notes: list[str] = Field(default=[], description="Labels that the model has not learned, and the like.")


class Kept(BaseModel):
    """An image that was encoded. It is kept until many others were."""

    embedding: str
    model: str
    width: int
    height: int


class ModelServed(BaseModel):
    """A model, its background rule in words, and the margin if that is its threshold."""

    name: str
    default: bool
    background: str
    margin: float | None
    words: int | None = Field(description="How many words it has learned, if it says so.")


class Models(BaseModel):
    """The models that are served, and the formats of `POST /v1/export` that can be made here."""

    models: list[ModelServed]
    formats: list[FormatName]


class State(BaseModel):
    """Whether the server can answer."""

    status: Literal["ok", "ending"]


def reading(segmenter: Segmenter, naming: Naming) -> Segmenter:
    """The segmenter with the changes that a request asks for, and without specks, as `zeroseg segment` reads it."""
    read_out = segmenter.read_out.without_specks()
    if naming.margin is not None:
        read_out = replace(read_out, background=segmenter.rule(Margin.name).at(naming.margin))
    return Segmenter(
        segmenter.encoder,
        segmenter.teacher,
        read_out if naming.refine else replace(read_out, refinement=0),
        segmenter.words,
    )


def named(
    segmenter: Segmenter, embedded: Embedded, words: Vocabulary, naming: Naming
) -> tuple[Segmentation, Judgement]:
    """The masks, no larger than asked for, and what is known of each label. `segmenter`: from `reading`."""
    judged = judge(segmenter, embedded.encoded, words)
    kept = ~judged.doubtful if naming.absent == "drop" else None
    size = embedded.encoded.size
    longer = min(naming.longest or max(size), max(size))
    height, width = (max(1, round(side * longer / max(size))) for side in size)
    return segmenter.name(replace(embedded.encoded, size=(height, width)), words, kept=kept), judged


def maps(
    segmenter: Segmenter, embedded: Embedded, words: Vocabulary, kept: Bool[np.ndarray, " C"] | None
) -> Maps | None:
    """The scores of labels, at most `MOST_MAPS`; None for models and rules that have no such maps."""
    rule, encoded = segmenter.read_out.background, embedded.encoded
    if not isinstance(rule, Margin) or segmenter.read_out.naming != "patches":
        return None
    scores = segmenter.scores(encoded, words, kept=kept)
    offset = scoring.label_offsets(scores.is_stuff, rule.threshold)
    highest = scores.labels + offset
    wins: list[int] = torch.bincount(highest.argmax(dim=1), minlength=highest.shape[1]).tolist()
    peaks: list[float] = highest.amax(dim=0).tolist()
    candidates = [number for number in range(len(wins)) if kept is None or kept[number]]
    chosen = sorted(sorted(candidates, key=lambda number: (-wins[number], -peaks[number]))[:MOST_MAPS])
    background = torch.where(scores.background.isinf(), 0.0, scores.background)
    return Maps(
        height=encoded.grid[0],
        width=encoded.grid[1],
        labels=[number + 1 for number in chosen],
        stuff=[bool(scores.is_stuff[number]) for number in chosen],
        scores=_halves(scores.labels[:, chosen].T),
        background=_halves(background),
        margin=rule.threshold,
        presence=rule.presence,
    )


def labels_found(found: Segmentation, judged: Judgement, dropped: bool) -> list[LabelFound]:
    """All labels in their order; `dropped`: whether doubtful ones were."""
    rows = found.rows(list(map(hexadecimal, label_colours(found))))
    first = int(found.has_background)
    answers = [LabelFound.model_validate(row) for row in rows]
    for answer, sure, doubtful in zip(answers[first:], judged.sure, judged.doubtful, strict=True):
        answer.presence, answer.absent = round(float(sure), 4), bool(dropped and doubtful)
    return answers


def mask(found: Segmentation, kind: Literal["png", "runs"]) -> Mask:
    """The mask in one of its two forms."""
    width, height = found.size
    if kind == "png":
        buffer = BytesIO()
        mask_image(found).save(buffer, format="PNG")
        return Mask(width=width, height=height, png=base64.b64encode(buffer.getvalue()).decode())
    flat = found.class_map.ravel()
    starts = np.flatnonzero(np.append(True, flat[1:] != flat[:-1]))
    lengths = np.diff(np.append(starts, flat.size))
    runs = np.stack([flat[starts].astype(np.int64), lengths], axis=1)
    return Mask(width=width, height=height, runs=runs.ravel().tolist())


def _halves(values: torch.Tensor) -> str:
    return base64.b64encode(values.cpu().numpy().astype("<f2").tobytes()).decode()

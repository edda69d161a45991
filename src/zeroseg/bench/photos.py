"""One photo and folders of photos: encoding, naming, refinement, reading and writing, beside the bare encoder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from zeroseg.bench.measuring import Pair
from zeroseg.bench.setting import Setting, pixels_of, words
from zeroseg.encoding import Encoded, StudentEncoder
from zeroseg.evaluation.cost import encoding_flops
from zeroseg.images import Found, search_images
from zeroseg.segmenter import Segmenter, working_size
from zeroseg.segmenting import Run, Settings, Wanted
from zeroseg.vocabulary import Vocabulary

LABELS = 20
COUNTS = (1, 20, 150, 1000)
SIDES = (224, 448, 896, 1792, 3584)
BARE = "bare encoder, tensors in memory"
WHOLE, REFINED, AGAIN, MANY = 1.1, 1.25, 0.02, 1.3  # targets
FOLDER = 1 / 0.95


def encoding(setting: Setting) -> Iterator[Pair]:
    """A photo in memory to its class map, without and with refinement, beside the bare encoder."""
    for model in setting.models:
        segmenter, vocabulary = setting.segmenter(model), Vocabulary(tuple(words(LABELS)))
        flops = encoding_flops(segmenter, setting.photo)
        for refinement, most in ((0, WHOLE), (10, REFINED)):
            what = f"{model}: segment, {LABELS} labels, {'refined' if refinement else 'not refined'}"
            one = segmenter.reading(refinement=refinement)
            ours = _call(one, setting, vocabulary)
            yield Pair("encode", what, BARE, ours, bare(segmenter, setting), most=most, flops=flops, images=1)


def naming(setting: Setting) -> Iterator[Pair]:
    """A second vocabulary for the same photo beside the first pass; many labels beside twenty."""
    for model in setting.models:
        segmenter = setting.segmenter(model).reading(refinement=0)
        encoded, few = segmenter.encode(setting.photo), Vocabulary(tuple(words(LABELS)))
        first = _call(segmenter, setting, few)
        for count in COUNTS:
            vocabulary = Vocabulary(tuple(words(count)))
            segmenter.embed(vocabulary)
            what = f"{model}: name again, {count:,} label{'s' * (count > 1)}"
            most = AGAIN if count == LABELS else None
            yield Pair(
                "name", what, "segment, 20 labels", _again(segmenter, encoded, vocabulary), first,
                most=most, curve=(model, count),
            )  # fmt: skip
        many = Vocabulary(tuple(words(COUNTS[-1])))
        segmenter.embed(many)
        what = f"{model}: segment, {COUNTS[-1]:,} labels"
        yield Pair("name", what, "segment, 20 labels", _call(segmenter, setting, many), first, most=MANY)


def refining(setting: Setting) -> Iterator[Pair]:
    """Refinement alone, beside the bare encoder."""
    for model in setting.models:
        segmenter, vocabulary = setting.segmenter(model), Vocabulary(tuple(words(LABELS)))
        encoded = segmenter.encode(setting.photo)
        refined = segmenter.reading(refinement=10)
        ours = _again(refined, encoded, vocabulary)
        yield Pair("refine", f"{model}: name again, refined", BARE, ours, bare(segmenter, setting))


def sizes(setting: Setting) -> Iterator[Pair]:
    """Photos of several sizes, refined, beside the bare encoder; larger ones are seen at one size."""
    vocabulary = Vocabulary(tuple(words(LABELS)))
    for model in setting.models:
        segmenter = setting.segmenter(model)
        for side in SIDES:
            one = replace(setting, side=side)
            ours = _call(segmenter.reading(refinement=10), one, vocabulary)
            what = f"{model}: segment {one.photo.width} x {one.photo.height} pixels, refined"
            pixels = one.photo.width * one.photo.height / 1e6
            yield Pair("sizes", what, BARE, ours, bare(segmenter, one), curve=(model, pixels))


def folders(setting: Setting) -> Iterator[Pair]:
    """Photos of a folder to files of masks, beside the bare encoder as often."""
    photos = search_images([setting.folder_of_photos]).pictures
    vocabulary = Vocabulary(tuple(words(LABELS)))
    for model in setting.models:
        segmenter = setting.segmenter(model)
        yield Pair(
            "segment", f"{model}: {len(photos)} photos of a folder to masks", BARE,
            _segmented(segmenter.reading(refinement=0), setting, photos, vocabulary), bare(segmenter, setting),
            scale=len(photos), most=FOLDER, images=len(photos),
        )  # fmt: skip


def _segmented(
    segmenter: Segmenter, setting: Setting, photos: Sequence[Found], vocabulary: Vocabulary
) -> Callable[[], object]:
    """Segments all photos, and writes their masks, as `zeroseg segment` does."""
    out, settings = setting.folder / "out", Settings.of(segmenter, vocabulary, {"absent": "keep"})
    batch, threads = (1, 2) if setting.on.type == "cpu" else (8, 4)

    def run() -> None:
        shutil.rmtree(out, ignore_errors=True)
        wanted = Wanted((), overlays=False, overwrite=True, batch=batch, threads=threads, absent="keep")
        for outcome in Run(segmenter, vocabulary, out, settings, wanted).outcomes(photos):
            assert not outcome.error

    return run


def bare(segmenter: Segmenter, setting: Setting, count: int = 1) -> Callable[[], object]:
    """One forward pass of the student, for the photo's pixels at the size at which it sees them."""
    encoder = segmenter.encoder
    assert isinstance(encoder, StudentEncoder)
    width, height = setting.photo.size
    size = working_size(height, width, encoder.shorter_side, encoder.multiple)
    pixels = pixels_of(setting.photo, size, setting.on).expand(count, -1, -1, -1)

    def forward() -> None:
        with torch.inference_mode():
            encoder.student(pixels)

    return forward


def _call(segmenter: Segmenter, setting: Setting, vocabulary: Vocabulary) -> Callable[[], object]:
    segmenter.embed(vocabulary)  # words are embedded once for all photos
    return lambda: segmenter.name(segmenter.encode(setting.photo), vocabulary)


def _again(segmenter: Segmenter, encoded: Encoded, vocabulary: Vocabulary) -> Callable[[], object]:
    return lambda: segmenter.name(encoded, vocabulary)

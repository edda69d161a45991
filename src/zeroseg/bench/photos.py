"""One photo and folders of photos: encoding, naming, refinement, reading and writing, beside the bare encoder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from PIL import Image

from zeroseg.bench.measuring import Pair
from zeroseg.bench.setting import RANDOM, Setting, pixels_of, words
from zeroseg.bench.targets import AGAIN, FOLDER, KEPT, MANY, REFINED, WHOLE
from zeroseg.encoding import Encoded, StudentEncoder, WordEmbedder
from zeroseg.evaluation.cost import encoding_flops
from zeroseg.images import Found, load_image, search_images
from zeroseg.segmenter import Segmenter, working_size
from zeroseg.segmenting import Run, Settings, Wanted
from zeroseg.teacher import TextTower
from zeroseg.vocabulary import Vocabulary

LABELS = 20
COUNTS = (1, 20, 150, 1000)
SIDES = (224, 448, 896, 1792, 3584)
FORMS = 8  # photos of a folder that have all of its sizes
BARE = "bare encoder, tensors in memory"
PRODUCT = 2048  # rows and columns of a large matrix


def encoding(setting: Setting) -> Iterator[Pair]:
    """A photo to its class map, refined or not, beside the bare encoder; that beside a matrix product."""
    for model in setting.models:
        segmenter, vocabulary = setting.segmenter(model), Vocabulary(tuple(words(LABELS)))
        flops = encoding_flops(segmenter, setting.photo)
        for refinement, target in ((0, WHOLE), (10, REFINED)):
            what = f"{model}: segment, {LABELS} labels, {'refined' if refinement else 'not refined'}"
            one = segmenter.reading(refinement=refinement)
            ours = called(one, setting.photo, vocabulary)
            yield Pair("encode", what, BARE, ours, bare(segmenter, setting), target=target, flops=flops, images=1)
        yield Pair(
            "encode", f"{model}: bare encoder", "a large matrix product, as many operations", bare(segmenter, setting),
            _product(setting), scale=flops / (2 * PRODUCT**3), flops=flops, images=1,
        )  # fmt: skip


def naming(setting: Setting) -> Iterator[Pair]:
    """A second vocabulary for the same photo beside the first pass; many labels beside twenty."""
    for model in setting.models:
        segmenter = setting.segmenter(model).reading(refinement=0)
        encoded, few = segmenter.encode(setting.photo), Vocabulary(tuple(words(LABELS)))
        first = called(segmenter, setting.photo, few)
        for count in COUNTS:
            vocabulary = Vocabulary(tuple(words(count)))
            segmenter.embed(vocabulary)
            what = f"{model}: name again, {count:,} label{'s' * (count > 1)}"
            target = AGAIN if count == LABELS else None
            yield Pair(
                "name", what, "segment, 20 labels", _again(segmenter, encoded, vocabulary), first,
                target=target, curve=(model, count),
            )  # fmt: skip
        many = Vocabulary(tuple(words(COUNTS[-1])))
        segmenter.embed(many)
        what = f"{model}: segment, {COUNTS[-1]:,} labels"
        yield Pair("name", what, "segment, 20 labels", called(segmenter, setting.photo, many), first, target=MANY)


def keeping(setting: Setting) -> Iterator[Pair]:
    """Embeddings of many labels that an earlier run kept, beside the text encoder."""
    for model in (name for name in setting.models if name != RANDOM):  # which has that of `photos`
        teacher, labels = setting.segmenter(model).teacher, Vocabulary(tuple(words(COUNTS[-1])))
        prompts = [template.format(teacher.reading(word)) for word in labels.labels for template in labels.templates]
        what = f"{model}: embeddings of {COUNTS[-1]:,} labels, kept by an earlier run"
        ours = _read(teacher, labels)
        yield Pair("words", what, "the text encoder", ours, lambda t=teacher, p=prompts: t.embed_texts(p), target=KEPT)


def _read(teacher: TextTower, labels: Vocabulary) -> Callable[[], object]:
    """As a new process does, which has none in memory."""
    return lambda: WordEmbedder(teacher)(labels.labels, labels.templates)


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
            ours = called(segmenter.reading(refinement=10), one.photo, vocabulary)
            what = f"{model}: segment {one.photo.width} x {one.photo.height} pixels, refined"
            pixels = one.photo.width * one.photo.height / 1e6
            yield Pair("sizes", what, BARE, ours, bare(segmenter, one), curve=(model, pixels))


def folders(setting: Setting) -> Iterator[Pair]:
    """Photos of a folder to files of masks, beside the bare encoder as often."""
    photos = search_images([setting.folder_of_photos]).pictures
    vocabulary = Vocabulary(tuple(words(LABELS)))
    forms = [load_image(found.path) for found in photos[:FORMS]]
    for model in setting.models:
        segmenter = setting.segmenter(model)
        yield Pair(
            "segment", f"{model}: {len(photos)} photos of a folder to masks", f"{BARE}, of the same sizes",
            _segmented(segmenter.reading(refinement=0), setting, photos, vocabulary), bare(segmenter, setting, forms),
            scale=len(photos) / len(forms), target=FOLDER, images=len(photos),
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


def bare(segmenter: Segmenter, setting: Setting, photos: Sequence[Image.Image] = ()) -> Callable[[], object]:
    """A forward pass of the student for each photo's pixels at the size at which it sees them; by default the one."""
    encoder = segmenter.encoder
    assert isinstance(encoder, StudentEncoder)
    every = [
        pixels_of(photo, working_size(photo.height, photo.width, encoder.shorter_side, encoder.multiple), setting.on)
        for photo in photos or [setting.photo]
    ]

    def forward() -> None:
        with torch.inference_mode():
            for pixels in every:
                encoder.student(pixels)

    return forward


def called(segmenter: Segmenter, photo: Image.Image, vocabulary: Vocabulary) -> Callable[[], object]:
    """A photo in memory to its class map. Words were embedded before, once for all photos."""
    segmenter.embed(vocabulary)
    return lambda: segmenter.name(segmenter.encode(photo), vocabulary)


def _product(setting: Setting) -> Callable[[], object]:
    """A product of two large matrices in the numbers of the networks."""
    one, other = torch.rand(2, PRODUCT, PRODUCT, device=setting.on)
    return lambda: one @ other


def _again(segmenter: Segmenter, encoded: Encoded, vocabulary: Vocabulary) -> Callable[[], object]:
    return lambda: segmenter.name(encoded, vocabulary)

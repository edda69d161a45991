"""Protocols: what they lay down, and that windows are averaged as the field does it."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from tests.evaluation.test_benchmark import Blots
from tests.tiny import PATCH_STUDENT, photo, student, teacher
from zeroseg.baselines import READ_OUT, BaselineName, DenseReadOut, baseline_segmenter
from zeroseg.encoding import StudentEncoder
from zeroseg.errors import ConfigError
from zeroseg.evaluation import evaluate
from zeroseg.evaluation.protocols import PROTOCOLS, protocol_for
from zeroseg.evaluation.templates import CLIP_TEMPLATES, TCL_TEMPLATES
from zeroseg.evaluation.windowed import Windowed
from zeroseg.images import resize, to_tensor
from zeroseg.rules import Margin, NoBackground, Product, Sigmoid, Softmax
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.vocabulary import Vocabulary

WORDS = Vocabulary(("dog", "cat", "house"), background=("grass",), templates=("{}",))


def dense() -> DenseReadOut:
    return DenseReadOut(teacher(), 32, "naclip")


def test_the_papers_thresholds_are_those_of_its_protocol():
    found = {name: protocol_for("paper", name).background for name in ("voc21", "context60", "coco-object")}
    assert found == {"voc21": Product(0.95), "context60": Product(0.05), "coco-object": Product(0.35)}
    read = protocol_for("paper", "voc21").adapt_read_out(ReadOut(refinement=10, smallest_region=0.001))
    assert (read.background, read.refinement, read.smallest_region) == (Product(0.95), 0, 0.0)
    assert protocol_for("paper", "voc21").shorter_side == 448


def test_the_fields_two_protocols_number_by_number():
    tcl, plain = protocol_for("tcl", "voc21"), protocol_for("tcl", "voc21", refined=False)
    assert (tcl.shorter_side, tcl.window, tcl.stride) == (448, 448, 224)
    assert (tcl.background, tcl.refinement) == (Sigmoid(0.4), 10)
    assert (plain.background, plain.refinement) == (Sigmoid(0.5), 0)
    assert tcl.adapt_read_out(ReadOut()).background == Sigmoid(0.4, slope=10.0, middle=0.25)
    assert len(TCL_TEMPLATES) == 9
    assert set(TCL_TEMPLATES) - set(CLIP_TEMPLATES) == {"a photo of {}s."}
    sides = {name: protocol_for("scliplike", name).shorter_side for name in ("voc21", "coco-stuff", "cityscapes")}
    assert sides == {"voc21": 336, "coco-stuff": 448, "cityscapes": 560}
    assert len(set(CLIP_TEMPLATES)) == 80
    assert protocol_for("scliplike", "context60").background_words == ("background",)
    rules = [protocol_for("scliplike", name).background for name in ("voc21", "coco-object", "ade20k")]
    assert rules == [Softmax(0.1, 65.0), Softmax(0.1, 50.0), Softmax(0.1, 40.0)]


def test_words_stand_in_for_a_class_and_its_place_stays():
    spoken = protocol_for("scliplike", "voc21").adapt_vocabulary(Vocabulary(("boat", "person", "dog"), background=()))
    assert spoken.labels == ("ship", "person", "dog")
    assert spoken.aliases[0] == spoken.aliases[2] == ()
    assert "person in jeans" in spoken.aliases[1]
    assert spoken.templates == CLIP_TEMPLATES
    assert spoken.background is not None
    assert "sky" in spoken.background


def test_tcl_asks_in_the_names_of_the_data_set():
    phrases = Vocabulary(("dining table", "dog"), background=())
    assert protocol_for("tcl", "voc21").adapt_vocabulary(phrases).labels == ("diningtable", "dog")
    assert protocol_for("paper", "voc21").adapt_vocabulary(phrases).labels == ("dining table", "dog")


@pytest.mark.parametrize("name", ["paper", "tcl", "scliplike"])
def test_without_a_background_every_pixel_gets_the_best_class_and_the_record_says_so(name: str):
    """No threshold, no words for it, and no lead that a student's own read-out gives to words for stuff."""
    protocol = protocol_for(name, "ade20k", has_background=False)
    assert protocol.adapt_read_out(ReadOut(background=Margin(7.0))).background == NoBackground(0.0)
    assert protocol.settings()["background"] == "none"
    assert not {"threshold", "softmax_scale", "sigmoid_threshold", "product_threshold"} & protocol.settings().keys()
    assert protocol.adapt_vocabulary(Vocabulary(("dog",), background=("sky",))).background == ()


def test_a_models_own_words_stand_for_its_background_in_real_data_sets():
    own, words = protocol_for("own", "voc21"), ("grass", "snow")
    assert own.adapt_vocabulary(Vocabulary(("dog",))).background_words(words) == words
    assert own.adapt_vocabulary(Vocabulary(("dog",), background=())).background_words(words) == ()
    scenes = protocol_for("own", "picturebook-voc")
    assert scenes.adapt_vocabulary(WORDS).background_words(words) == WORDS.background
    assert "sky" in protocol_for("scliplike", "voc21").adapt_vocabulary(Vocabulary(("dog",))).background_words(words)


def test_the_models_own_protocol_changes_nothing():
    own, read_out = protocol_for("own", "voc21"), ReadOut(refinement=7)
    encoder = dense()
    assert own.adapt_encoder(encoder) is encoder
    assert own.adapt_read_out(read_out) == read_out
    assert own.adapt_vocabulary(WORDS) == WORDS


@pytest.mark.parametrize("name", PROTOCOLS)
def test_scenes_of_the_picturebook_are_seen_as_the_model_sees_them(name: str):
    encoder = dense()
    assert protocol_for(name, "picturebook-voc").adapt_encoder(encoder) is encoder


def test_a_protocol_that_there_is_not():
    with pytest.raises(ConfigError, match=r"there is no protocol 'mine': choose one of own, paper, tcl, scliplike\."):
        protocol_for("mine", "voc21")


def test_windows_are_averaged_cosine_by_cosine_like_a_loop_over_the_grid():
    """56 x 32 pixels in windows of 32 every 16: at 0, 16 and 24, where the last one ends with the picture."""
    inner, picture = dense(), photo(56, 32)
    segmenter = Segmenter(
        Windowed(inner, 32, 32, 16), teacher(), replace(READ_OUT, background=NoBackground(), refinement=0)
    )
    encoded = segmenter.encode(picture)
    assert [(window.top, window.left) for window in encoded.windows] == [(0, 0), (0, 2), (0, 3)]
    words, _ = segmenter.embed(WORDS)
    unit = torch.nn.functional.normalize(words, dim=-1)
    pixels = resize(to_tensor(picture), (32, 56))
    total, times = np.zeros((4, 7, len(words))), np.zeros((4, 7, 1))
    for left in (0, 16, 24):
        patches = inner.patches(pixels[None, :, :, left : left + 32])[0]
        for number, patch in enumerate(patches):
            row, column = number // 4, number % 4 + left // 8
            total[row, column] += 100 * (patch / patch.norm() @ unit.T).numpy()
            times[row, column] += 1
    best = (total / times)[..., :3].argmax(axis=2)
    on_the_grid = segmenter.name(replace(encoded, size=encoded.grid), WORDS).class_map
    assert (on_the_grid == best).all()


def test_one_window_over_all_is_no_window():
    picture = photo(40, 40)
    plain = Segmenter(dense(), teacher(), READ_OUT)(picture, WORDS)
    seen = Segmenter(Windowed(dense(), 32, 32, 32), teacher(), READ_OUT)(picture, WORDS)
    assert (plain.class_map == seen.class_map).all()


@pytest.mark.parametrize(("window", "stride"), [(30, 8), (32, 12), (16, 24)])
def test_windows_that_do_not_fit_the_patches_are_refused(window: int, stride: int):
    with pytest.raises(ConfigError, match="do not fit cells of 8"):
        Windowed(dense(), 32, window, stride)


def test_segments_in_windows_are_averaged_like_patches_that_all_say_what_their_segment_does():
    """Two windows of 32 pixels every 16 over 48: in the middle, the mean of both."""
    encoder, picture = StudentEncoder(student(PATCH_STUDENT)), photo(48, 32)
    read_out = ReadOut("segments", NoBackground())
    segmenter = Segmenter(Windowed(encoder, 32, 32, 16), teacher(), read_out)
    encoded = segmenter.encode(picture)
    words, _ = segmenter.embed(WORDS)
    unit = torch.nn.functional.normalize(words, dim=-1)
    total, times = np.zeros((4, 6, len(words))), np.zeros((4, 6, 1))
    for window in encoded.windows:
        masks, segments = window.encoded.masks, window.encoded.segments
        assert masks is not None
        assert segments is not None
        for row, column in np.ndindex(4, 4):
            segment = segments[int(masks[:, row, column].argmax())]
            total[row, window.left + column] += (segment / segment.norm() @ unit.T).numpy()
            times[row, window.left + column] += 1
    assert times.max() == 2
    best = (total / times)[..., :3].argmax(axis=2)
    assert (segmenter.name(replace(encoded, size=encoded.grid), WORDS).class_map == best).all()
    assert segmenter.region_map(encoded).max() < encoded.count("segments") == 4 * 6


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("has_background", [True, False], ids=["background", "no-background"])
@pytest.mark.parametrize("method", get_args(BaselineName))
def test_every_baseline_is_measured_under_every_protocol(method: BaselineName, has_background: bool, name: str):
    """What cuts pictures itself has no patches for windows to fit; background everywhere is that under any rule."""
    blots = Blots(has_background=has_background)
    protocol = protocol_for(name, "voc21", has_background)
    small = replace(protocol, shorter_side=protocol.shorter_side and 64, window=protocol.window and 32)
    small = replace(small, stride=protocol.stride and 16)
    model = baseline_segmenter(method, teacher())
    segmenter = Segmenter(small.adapt_encoder(model.encoder), teacher(), small.adapt_read_out(model.read_out))
    result = evaluate(segmenter, blots, vocabulary=small.adapt_vocabulary(blots.vocabulary))
    assert 0 <= result.miou <= 1
    if method == "background" and has_background:
        assert result.confusion[:, 0].sum() == result.confusion.sum()
    if method in ("crops", "windows", "background", "true-regions"):
        assert small.for_encoder(model.encoder).settings().keys().isdisjoint(("shorter_side", "window", "stride"))


@pytest.mark.parametrize("name", ["paper", "tcl", "scliplike"])
def test_a_picture_of_any_shape_is_segmented_under_every_protocol(name: str):
    protocol = protocol_for(name, "voc21")
    small = replace(protocol, shorter_side=64, window=protocol.window and 32, stride=protocol.stride and 16)
    segmenter = Segmenter(small.adapt_encoder(dense()), teacher(), small.adapt_read_out(READ_OUT))
    for size in ((90, 50), (20, 70)):
        assert segmenter(photo(*size), small.adapt_vocabulary(WORDS)).size == size

"""Protocols: what they lay down, number by number and word by word, and that every method can be measured."""

import hashlib
from dataclasses import replace
from typing import get_args

import pytest

from tests.evaluation.test_benchmark import Blots
from tests.tiny import photo, teacher
from zeroseg.baselines import READ_OUT, BaselineName, DenseReadOut, baseline_segmenter
from zeroseg.errors import ConfigError
from zeroseg.evaluation import evaluate
from zeroseg.evaluation.class_names import read_table
from zeroseg.evaluation.protocols import PROTOCOLS, protocol_for
from zeroseg.evaluation.sliding import Sliding, SlidingSegmenter
from zeroseg.evaluation.templates import CLIP_TEMPLATES, TCL_TEMPLATES
from zeroseg.rules import Margin, NoBackground, Product, Sigmoid, Softmax, Top5
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
    sides = {name: protocol_for("sclip", name).shorter_side for name in ("voc21", "coco-stuff", "cityscapes")}
    assert sides == {"voc21": 336, "coco-stuff": 448, "cityscapes": 560}
    assert len(set(CLIP_TEMPLATES)) == 80
    assert protocol_for("sclip", "context60").background_words == ("background",)
    rules = [protocol_for("sclip", name).background for name in ("voc21", "context60", "coco-object", "ade20k")]
    assert rules == [Softmax(0.1, 65.0, area=0.1), Softmax(0.1, 50.0), Softmax(0.1, 50.0), Softmax(0.1, 40.0)]
    assert protocol_for("sclip", "voc21").sliding == Sliding(pads=False, position_offset=0.1)
    assert tcl.sliding == Sliding(scores=Sigmoid(0.4))


def test_naclips_protocol_number_by_number():
    """Its configs: VOC is seen whole; all at 336 but Cityscapes; scale 40; refined with (8, 16), ten times."""
    sizes = {
        name: (found.shorter_side, found.window, found.stride)
        for name in ("voc21", "voc20", "context60", "coco-object", "coco-stuff", "ade20k", "cityscapes")
        for found in [protocol_for("naclip", name)]
    }
    assert sizes.pop("voc21") == sizes.pop("voc20") == (336, None, None)
    assert sizes.pop("cityscapes") == (560, 224, 112)
    assert set(sizes.values()) == {(336, 224, 112)}
    for name in ("voc21", "context60", "coco-object"):
        found = protocol_for("naclip", name)
        assert (found.background, found.refinement) == (Softmax(0.1, 40.0), 10)
        assert found.sliding == Sliding(pads=False, dilations=(8, 16), position_offset=0.1)
        assert found.words == protocol_for("sclip", name).words
        assert found.background_words == protocol_for("sclip", name).background_words
    assert protocol_for("naclip", "voc21", refined=False).refinement == 0


def test_clearclips_protocol_number_by_number():
    """Its configs: windows of 448 every 224, of Cityscapes 224; scale 50; a word for the background, and thresholds."""
    found = {name: protocol_for("clearclip", name) for name in ("voc21", "context60", "coco-object", "cityscapes")}
    assert {p.shorter_side for p in found.values()} == {448}
    assert [(p.window, p.stride) for p in found.values()] == [(448, 224)] * 3 + [(224, 224)]
    assert [found[name].background for name in ("voc21", "context60", "coco-object")] == [
        Softmax(0.5, 50.0), Softmax(0.15, 50.0), Softmax(0.4, 50.0),
    ]  # fmt: skip
    assert {p.background_words for p in found.values()} == {("background",)}
    assert {p.sliding for p in found.values()} == {Sliding(position_offset=0.1)}
    assert {p.refinement for p in found.values()} == {0}


def spoken(protocol: str, dataset: str, table: str, count: int | None = None) -> list[str]:
    """What a protocol says for each class, with its aliases."""
    names = read_table(table)
    vocabulary = replace(names.vocabulary(has_background=False), templates=("{}",))
    found = protocol_for(protocol, dataset).adapt_vocabulary(vocabulary)
    aliases = found.aliases or ((),) * len(found.labels)
    return [", ".join((label, *also)) for label, also in zip(found.labels, aliases, strict=True)][:count]


def test_sclips_words_are_those_of_its_class_files():
    """Compound names are written together in COCO-Stuff, ADE20K, Cityscapes and Context, but not in COCO-Object."""
    stuff, names = spoken("sclip", "coco-stuff", "coco_stuff"), read_table("coco_stuff")
    assert stuff == [name.replace(" ", "") for name in names.names]
    assert sum(word != phrase for word, phrase in zip(stuff, names.words, strict=True)) == 46
    assert {"trafficlight", "teddybear", "wall-brick", "playingfield", "window-other"} <= set(stuff)
    ade = spoken("sclip", "ade20k", "ade20k")
    assert sum(word != phrase for word, phrase in zip(ade, read_table("ade20k").words, strict=True)) == 15
    assert {"swimmingpool", "crtscreen", "arcademachine"} <= set(ade)
    for dataset, table, joined in (
        ("cityscapes", "cityscapes", {"trafficlight", "trafficsign"}),
        ("context60", "context", {"pottedplant", "tvmonitor"}),
    ):
        words, phrases = spoken("sclip", dataset, table), read_table(table).words
        assert {word for word, phrase in zip(words, phrases, strict=True) if word != phrase} == joined
    objects = spoken("sclip", "coco-object", "coco_stuff", 80)
    assert objects[0].endswith("person in jacket, body")
    assert {"traffic light", "potted plant", "hot dog"} <= set(objects)
    voc = spoken("sclip", "voc21", "voc")
    assert [voc[k] for k in (3, 10, 15)] == ["ship", "table", "pottedplant"]
    assert voc[19] == "television monitor, tv monitor, monitor, television, screen"


TABLES = {
    "voc21": "voc", "voc20": "voc", "context60": "context", "context59": "context", "coco-object": "coco_stuff",
    "coco-stuff": "coco_stuff", "ade20k": "ade20k", "cityscapes": "cityscapes",
}  # fmt: skip
WITH_BACKGROUND = ("voc21", "context60", "coco-object")


def digest(protocol: str, dataset: str) -> str:
    """A short hash of all words of a protocol: those of the classes, and those for the background."""
    has_background = dataset in WITH_BACKGROUND
    classes = spoken(protocol, dataset, TABLES[dataset], 80 if dataset == "coco-object" else None)
    others = protocol_for(protocol, dataset, has_background).background_words
    lines = [*classes, "", *(("the model's",) if others is None else others)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]


DIGESTS = {  # in the order of TABLES
    "own": "e6d71b41 e6d71b41 6dd5a5f3 6dd5a5f3 94a3be50 84dc366e 2ce5d3f7 e8f9b05a",
    "paper": "1acddf00 1acddf00 bc838e37 bc838e37 bd17f1ee 2c928d3e e1f88232 48cab81b",
    "tcl": "f1486177 f1486177 6a45bee9 6a45bee9 bd17f1ee 183abbcf e1f88232 48cab81b",
    "sclip": "03960e12 3991e59b 46e90d7a 6a45bee9 79324908 30c967b5 ff67f87e 1e04fab2",
    "naclip": "03960e12 3991e59b 46e90d7a 6a45bee9 79324908 30c967b5 ff67f87e 1e04fab2",
    "clearclip": "e42d05f7 40b38125 46e90d7a 6a45bee9 d83ab68f 30c967b5 ff67f87e 1e04fab2",
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_word_changes_unseen(protocol: str):
    """Compared with the authors' files, word by word, when these hashes were written down."""
    assert {dataset: digest(protocol, dataset) for dataset in TABLES} == dict(
        zip(TABLES, DIGESTS[protocol].split(), strict=True)
    )


def test_clearclip_has_no_aliases():
    voc = spoken("clearclip", "voc21", "voc")
    assert [voc[k] for k in (3, 10, 14, 15, 19)] == ["ship", "table", "person", "pottedplant", "tvmonitor"]
    assert spoken("clearclip", "coco-stuff", "coco_stuff") == spoken("sclip", "coco-stuff", "coco_stuff")


def test_the_paper_asks_as_groupvit_does():
    voc, context = spoken("paper", "voc21", "voc"), spoken("paper", "context60", "context")
    assert [voc[k] for k in (0, 10, 15, 19)] == ["aeroplane", "table", "plant", "monitor"]
    assert {"airplane", "plant", "monitor", "table"} <= set(context)
    assert protocol_for("paper", "voc21").templates == ("a photo of the {}.",)
    without = protocol_for("paper", "ade20k", has_background=False)
    assert without.background == Top5()  # one of the five best, as with a background


def test_a_word_for_the_background_that_is_also_a_label_competes_with_it():
    """COCO-Object has the class "bed", and SCLIP's words for the background have it, too: the background wins ties."""
    protocol = protocol_for("sclip", "coco-object")
    vocabulary = protocol.adapt_vocabulary(Vocabulary(("bed", "dog"), background=()))
    assert ("bed", -1) in vocabulary.words()
    assert ("bed", 0) in vocabulary.words()


def test_words_stand_in_for_a_class_and_its_place_stays():
    spoken = protocol_for("sclip", "voc21").adapt_vocabulary(Vocabulary(("boat", "person", "dog"), background=()))
    assert spoken.labels == ("ship", "person", "dog")
    assert spoken.aliases[0] == spoken.aliases[2] == ()
    assert "person in jeans" in spoken.aliases[1]
    assert spoken.templates == CLIP_TEMPLATES
    assert spoken.background is not None
    assert "sky" in spoken.background


def test_tcl_asks_in_the_names_of_the_data_set():
    phrases = Vocabulary(("dining table", "dog"), background=())
    assert protocol_for("tcl", "voc21").adapt_vocabulary(phrases).labels == ("diningtable", "dog")
    assert protocol_for("paper", "voc21").adapt_vocabulary(phrases).labels == ("table", "dog")


@pytest.mark.parametrize("name", ["tcl", "sclip", "naclip", "clearclip"])
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
    assert "sky" in protocol_for("sclip", "voc21").adapt_vocabulary(Vocabulary(("dog",))).background_words(words)


def test_the_models_own_protocol_changes_nothing():
    own, read_out = protocol_for("own", "voc21"), ReadOut(refinement=7)
    encoder = dense()
    assert own.adapt(Segmenter(encoder, teacher(), read_out)).encoder is encoder
    assert own.adapt_read_out(read_out) == read_out
    assert own.adapt_vocabulary(WORDS) == WORDS


@pytest.mark.parametrize("name", PROTOCOLS)
def test_scenes_of_the_picturebook_are_seen_as_the_model_sees_them(name: str):
    model = protocol_for(name, "picturebook-voc").adapt(Segmenter(dense(), teacher(), READ_OUT))
    assert model.encoder.shorter_side == 32
    if isinstance(model, SlidingSegmenter):
        assert (model.sliding.shorter_side, model.sliding.window) == (None, None)


def test_a_protocol_that_there_is_not():
    with pytest.raises(
        ConfigError, match=r"there is no protocol 'mine': choose one of own, paper, tcl, sclip, naclip, "
    ):
        protocol_for("mine", "voc21")


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
    segmenter = small.adapt(model)
    result = evaluate(segmenter, blots, vocabulary=small.adapt_vocabulary(blots.vocabulary))
    assert 0 <= result.miou <= 1
    if method == "background" and has_background:
        assert result.confusion[:, 0].sum() == result.confusion.sum()
    if method in ("crops", "windows", "background", "true-regions"):
        assert small.for_encoder(model.encoder).settings().keys().isdisjoint(("shorter_side", "window", "stride"))


@pytest.mark.parametrize("name", ["paper", "tcl", "sclip", "naclip", "clearclip"])
def test_a_picture_of_any_shape_is_segmented_under_every_protocol(name: str):
    protocol = protocol_for(name, "voc21")
    small = replace(protocol, shorter_side=64, window=protocol.window and 32, stride=protocol.stride and 16)
    segmenter = small.adapt(Segmenter(dense(), teacher(), READ_OUT))
    for size in ((90, 50), (20, 70)):
        assert segmenter(photo(*size), small.adapt_vocabulary(WORDS)).size == size

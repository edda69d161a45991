"""Which labels are in a picture: against a naive loop, and what becomes of the others."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.tiny import PATCH_STUDENT, STUDENT, photo, student, teacher
from zeroseg.encoding import Encoded
from zeroseg.errors import ConfigError
from zeroseg.evaluation.thresholds import calibrate_presence
from zeroseg.known_words import KnownWords
from zeroseg.picturebook import VOC_NOUNS, draw_scene, name_of
from zeroseg.presence import (
    ALIKE,
    LEAD,
    MOST,
    TEMPLATES,
    distractors,
    doubtful,
    evidence,
    judge,
    presence,
    without_absent,
)
from zeroseg.rules import NoBackground
from zeroseg.segmenter import Segmenter
from zeroseg.vocabulary import Vocabulary

VOCABULARY = Vocabulary(("dog", "grass", "cat"), (("puppy", "hound"), (), ()))


@cache
def drawings() -> Segmenter:
    """The bundled model for drawings."""
    return Segmenter.from_pretrained("picturebook")


def naive(segmenter: Segmenter, encoded: Encoded, vocabulary: Vocabulary) -> list[float]:
    """The definition, word by word and region by region, in float64."""

    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        return 100 * float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    rows, class_ids = segmenter.embed(vocabulary)
    words = rows.double().numpy()
    names = distractors(segmenter.teacher.known_words)
    others = segmenter.words(names, TEMPLATES).double().numpy()
    mean = 0 if segmenter.read_out.keep_mean else encoded.mean
    regions = (encoded.regions(segmenter.read_out.naming) - mean).double().numpy()
    found = []
    for label in range(len(vocabulary.labels)):
        own = [word for word, number in zip(words, class_ids, strict=True) if number == label]
        background = [word for word, number in zip(words, class_ids, strict=True) if number == -1]
        near = [max(cosine(other, word) for word in own) for other in others]
        limit = sorted(near, reverse=True)[max(1, round(ALIKE * len(others))) - 1]
        counted = [other for other, closeness in zip(others, near, strict=True) if closeness < limit]
        stands = []
        for region in regions:
            score = max(cosine(region, word) for word in own)
            of_others = [cosine(region, other) for other in counted]
            lead = score - max((cosine(region, word) for word in background), default=score)
            stands.append((score - np.mean(of_others) + LEAD * lead) / np.std(of_others))
        found.append(max(stands))
    return found


@pytest.mark.parametrize("background", [None, (), ("sky", "grass")])
@pytest.mark.parametrize("config", [PATCH_STUDENT, STUDENT], ids=["patches", "segments"])
def test_evidence_is_that_of_the_definition(config: object, background: tuple[str, ...] | None) -> None:
    """With other words for a label, with and without background words, by patch and by segment."""
    segmenter = Segmenter.of(student(config), teacher())  # type: ignore[arg-type]
    encoded, vocabulary = segmenter.encode(photo(40, 32)), replace(VOCABULARY, background=background)
    expected = naive(segmenter, encoded, vocabulary)
    assert evidence(segmenter, encoded, vocabulary) == pytest.approx(expected, rel=1e-3)


def test_presence_is_one_half_at_the_point() -> None:
    """And grows with the evidence."""
    segmenter = Segmenter.of(student(PATCH_STUDENT), teacher())
    encoded = segmenter.encode(photo(40, 32))
    found = evidence(segmenter, encoded, VOCABULARY)
    at = segmenter.reading(present_above=float(found[1]))
    sure = presence(at, encoded, VOCABULARY)
    assert sure[1] == pytest.approx(0.5)
    assert (np.argsort(sure) == np.argsort(found)).all()


def test_distractors_are_spread_over_the_known_words() -> None:
    """At most `MOST`, the same each time; a teacher that does not say what it knows gets the bundled list."""
    many = distractors(KnownWords(frozenset(f"{number:05}" for number in range(3 * MOST + 1)), {}))
    assert MOST * 0.7 < len(many) <= MOST
    assert many[0] == "00000"
    assert distractors(KnownWords(frozenset({"b", "a"}), {})) == ("a", "b")
    assert len(distractors(None)) > 300


def test_absent_words_get_no_region() -> None:
    """On drawings: what is there keeps its pixels, what is not there loses them; without a background, too."""
    vocabulary = Vocabulary(VOC_NOUNS[:10])
    false, missed, before = 0, 0, 0
    for number in range(12):
        scene = draw_scene("validation", number)
        things = set(map(name_of, scene.contents))
        encoded = drawings().encode(scene.image)
        kept, dropped = drawings().name(encoded, vocabulary), without_absent(drawings(), encoded, vocabulary)
        before += len(set(kept.present) - things - {"background"})
        false += len(set(dropped.present) - things - {"background"})
        missed += len((things & set(kept.present)) - set(dropped.present))
        whole = drawings().reading(background=NoBackground())
        assert without_absent(whole, encoded, vocabulary).fractions.sum() == pytest.approx(1)
    assert false < 0.7 * before
    assert missed <= 1


def test_large_areas_need_less() -> None:
    """A third of the evidence; labels without pixels are doubtful like others, or they would take the free ones."""
    areas, evidences = np.array([0.4, 0.1, 0.0, 0.1]), np.array([2.1, 2.1, 0.0, 6.1])
    sure = 1 / (1 + np.exp(6 - evidences))
    assert doubtful(sure, areas, 6.0).tolist() == [False, True, True, False]
    assert doubtful(np.array([0.0, 1.0, 0.5, 1.0]), areas, 6.0).tolist() == [True, False, False, False]


def test_areas_are_those_of_the_masks_by_cells() -> None:
    """Nearly those of the finished masks, which interpolation and refinement change at edges."""
    vocabulary = Vocabulary(VOC_NOUNS[:6])
    for number in range(4):
        encoded = drawings().encode(draw_scene("validation", number).image)
        judged, found = judge(drawings(), encoded, vocabulary), drawings().name(encoded, vocabulary)
        assert judged.areas == pytest.approx(found.fractions[1:], abs=0.08)
        assert judged.areas.max() > 0.02
        cells = judged.areas * np.prod(encoded.grid)
        assert cells == pytest.approx(cells.round())


def test_all_absent_without_a_background_keeps_all() -> None:
    """Every pixel must have a label."""
    segmenter = Segmenter.of(student(PATCH_STUDENT), teacher()).reading(background=NoBackground())
    encoded = segmenter.encode(photo(40, 32))
    none = segmenter.name(encoded, VOCABULARY, kept=np.zeros(3, bool))
    assert (none.class_map == segmenter.name(encoded, VOCABULARY).class_map).all()
    one = segmenter.name(encoded, VOCABULARY, kept=np.array([False, True, False]))
    assert one.present == ("grass",)


def test_the_point_is_calibrated_without_masks() -> None:
    """So that a fraction of all words exceeds it."""
    images = [draw_scene("unlabelled", number).image for number in range(4)]
    known = drawings().teacher.known_words
    assert known is not None
    words = sorted(known.names)
    calibrated = calibrate_presence(drawings(), images, words, 0.2)
    found = [evidence(drawings(), drawings().encode(image), Vocabulary(tuple(words))) for image in images]
    assert np.mean(np.concatenate(found) > calibrated.read_out.present_above) == pytest.approx(0.2, abs=0.01)
    assert calibrated.read_out.to_json()["present_above"] == calibrated.read_out.present_above
    for some, chosen, rate in ((images, [], 0.2), (images, words, 1.0), ([], words, 0.2)):
        with pytest.raises(ConfigError, match="presence"):
            calibrate_presence(drawings(), some, chosen, rate)

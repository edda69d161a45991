"""Which labels are in a picture at all: each is compared with words that it has nothing to do with, the distractors.

A label's similarity to a region says little by itself: some words are similar to everything. So it is counted in
standard deviations of the distractors' similarities to the same region, of which a text tower has learned hundreds; and
background words must not fit better. A word that is in the picture stands out somewhere, others nowhere. No masks are
needed, also not for the point above which a label counts as present: few of the words that a teacher knows are in any
one picture, so it is the point above which few of them are found in unlabelled pictures
(`evaluation.thresholds.calibrate_presence`).

A label that fills much of the picture needs less: there the network has nothing better to say of so many places.

Letters: C class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from zeroseg import scoring
from zeroseg.encoding import Encoded
from zeroseg.known_words import KnownWords, plural, singulars
from zeroseg.models import BUNDLED, DEFAULT
from zeroseg.segmentation import Segmentation
from zeroseg.segmenter import Segmenter
from zeroseg.teacher.text_tower import KNOWN_WORDS
from zeroseg.vocabulary import Vocabulary, label_key

MOST = 400  # distractors: more of them hardly change anything (docs/log.md)
TEMPLATES = ("{}",)
ALIKE = 0.05  # fraction of the distractors that is left out for a label: those that are most like it
LARGE = 0.3  # fraction of the picture
NEGATIONS = ("no ", "not ", "non ", "non-", "never ", "without ", "anything but ", "everything but ", "absence of ")
NEGATED = ("-free", " free", "-less", " absent", " missing", " at all")  # what such labels end in
ARTICLES = ("a ", "an ", "the ", "any ", "one ", "single ")
LEAD = 0.5  # weight of the lead over background words beside the standard score


def distractors(known: KnownWords | None) -> tuple[str, ...]:
    """Words of all kinds that a teacher has learned; for a teacher that does not say which, names of common things."""
    names = sorted((known or _common()).names)
    return tuple(names[:: max(1, -(-len(names) // MOST))])


@torch.inference_mode()
def evidence(segmenter: Segmenter, encoded: Encoded, vocabulary: Vocabulary) -> Float[np.ndarray, " C"]:
    """How much each label stands out in the region where it does most, in standard deviations of the distractors.

    It is the label's standard score among the distractors, and half of its lead over the best background word. Of
    several words for a label the best counts. Regions are those that get names (`ReadOut.naming`).
    """
    words, class_ids = segmenter.embed(vocabulary)
    classes, embedder = len(vocabulary.labels), segmenter.words
    others = embedder(distractors(segmenter.teacher.known_words), TEMPLATES)
    both = encoded.similarities(torch.cat([words, others]), segmenter.read_out)[:-1]
    labels, background = scoring.best_words(both[:, : len(words)], class_ids, classes)
    alike = scoring.best_words(scoring.similarities(others, words), class_ids, classes)[0]
    most_alike = alike.topk(max(1, round(ALIKE * len(others))), dim=0).values[-1]
    mean, deviation = scoring.moments(both[:, len(words) :], (alike < most_alike).to(labels.dtype))
    lead = torch.where(background.isinf(), 0.0, labels.T - background).T
    return ((labels - mean + LEAD * lead) / deviation).amax(dim=0).cpu().numpy()


def presence(segmenter: Segmenter, encoded: Encoded, vocabulary: Vocabulary) -> Float[np.ndarray, " C"]:
    """How sure it is that each label is in the picture, 0..1: one half at `ReadOut.present_above`.

    0 for labels that are `negated`: text towers read "no dog" nearly as "dog".
    """
    above = evidence(segmenter, encoded, vocabulary) - segmenter.read_out.present_above
    above[_negated(segmenter, vocabulary)] = -np.inf
    return (1 + np.tanh(above.astype(np.float64) / 2)) / 2  # the logistic function, without overflow


def negated(label: str, labels: Sequence[str], known: KnownWords | None) -> bool:
    """Whether a label says what is not there: "no dogs", where "dog" is another label or a name that the teacher knows.

    Names such as "no parking sign" are things like others.
    """
    key = label_key(label)
    rest = key
    for start in NEGATIONS:
        rest = rest.removeprefix(start)
    for end in reversed(NEGATED):
        rest = rest.removesuffix(end)
    if rest == key:
        return False
    for article in ARTICLES:
        rest = rest.removeprefix(article)
    forms = {rest, plural(rest), *singulars(rest)}
    return not forms.isdisjoint(map(label_key, labels)) or (known is not None and not forms.isdisjoint(known.names))


def _negated(segmenter: Segmenter, vocabulary: Vocabulary) -> Bool[np.ndarray, " C"]:
    known = segmenter.teacher.known_words
    return np.array([negated(label, vocabulary.labels, known) for label in vocabulary.labels])


@dataclass(frozen=True)
class Judgement:
    """What is known of each label and a picture before its masks are made.

    `sure`: its `presence`. `areas`: the fraction of the picture that it would have. `doubtful`: whether it is not sure
    that it is there.
    """

    sure: Float[np.ndarray, " C"]
    areas: Float[np.ndarray, " C"]
    doubtful: Bool[np.ndarray, " C"]


def judge(segmenter: Segmenter, encoded: Encoded, vocabulary: Vocabulary) -> Judgement:
    """Judge all labels, with or without an area. Areas are those of the grid's cells, before refinement.

    Negated labels have none, so that they take nothing from others.
    """
    sure = presence(segmenter, encoded, vocabulary)
    cells, plain = replace(encoded, size=encoded.grid), replace(segmenter.read_out, refinement=0)
    found = segmenter.name(cells, vocabulary, plain, kept=~_negated(segmenter, vocabulary))
    areas = found.fractions[int(found.has_background) :]
    return Judgement(sure, areas, doubtful(sure, areas, segmenter.read_out.present_above))


def doubtful(sure: Float[np.ndarray, " C"], areas: Float[np.ndarray, " C"], above: float) -> Bool[np.ndarray, " C"]:
    """The labels whose evidence is less than `above` (`ReadOut.present_above`).

    A label that has `LARGE` of the picture needs only a third of it.
    """
    with np.errstate(divide="ignore"):
        shown = above + np.log(sure) - np.log1p(-sure)
    return shown < np.where(areas >= LARGE, above / 3, above)


def without_absent(segmenter: Segmenter, encoded: Encoded, vocabulary: Vocabulary) -> Segmentation:
    """As `Segmenter.name`, without the labels that are `doubtful`: their pixels go to what fits next best."""
    return segmenter.name(encoded, vocabulary, kept=~judge(segmenter, encoded, vocabulary).doubtful)


def _common() -> KnownWords:
    names = BUNDLED[DEFAULT].folder("teacher") / KNOWN_WORDS
    return KnownWords.parse(names.read_text(encoding="utf-8"))

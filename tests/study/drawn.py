"""Small studies to test with: two or three painters instead of models, and raters that are random numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.tiny import photo
from zeroseg.segmentation import Segmentation
from zeroseg.study import Answers, Photo, Segments, Sources, Vote, write_study
from zeroseg.study.questions import SIDES, Key, Side

NAMES = ("Xylographer", "Quillworks")  # words that occur nowhere by themselves
LABELS = ("dog", "grass", "</script>", "狗", "sky", "cup", "tree")


def painter(stripes: Sequence[int]) -> Segments:
    """A model that paints upright stripes, of these labels, over any picture."""

    def paint(_: Photo, image: Image.Image) -> Segmentation:
        columns = np.array(stripes)[np.arange(image.width) * len(stripes) // image.width]
        return Segmentation(LABELS, np.tile(columns, (image.height, 1)), np.zeros(len(LABELS)))

    return paint


PAINTERS: dict[str, Segments] = {NAMES[0]: painter([0, 1]), NAMES[1]: painter([1, 0, 2])}
THREE: dict[str, Segments] = {**PAINTERS, "Zymurgist": painter([4, 0, 4])}


def photos(count: int, width: int = 48, height: int = 40) -> list[Photo]:
    """Photos of random blots, `photo 0.jpg` and so on."""

    def one(number: int) -> Photo:
        return Photo(f"photo {number}.jpg", lambda: photo(width, height, seed=number))

    return [one(number) for number in range(count)]


def sources(count: int, models: Mapping[str, Segments] = PAINTERS) -> Sources:
    """Some photos, and who segments them."""
    return Sources(photos(count), models, len(LABELS))


def drawn_study(
    folder: Path,
    count: int = 6,
    seed: int = 0,
    votes: int = 5,
    check_every: int = 10,
    models: Mapping[str, Segments] = PAINTERS,
) -> Path:
    """A study with one photo more than it has questions."""
    return write_study(folder, sources(count + 1, models), count, votes, seed, check_every)


def side_of(key: Key, question: str, model: str | None) -> Side:
    """The side of a question on which a model is; of a check, the side that is right for any model."""
    secret = key.questions[question]
    return secret.right_answer or next(side for side in SIDES if secret.model(side) == model)


def simulated_votes(
    key: Key, raters: int, preference: float, draw: np.random.Generator, careless: Sequence[int] = ()
) -> list[Vote]:
    """Everybody answers everything: for the first model with a chance of `preference`, and checks rightly.

    The `careless` raters, by number, say left or right by chance.
    """
    votes: list[Vote] = []
    for rater in range(raters):
        for question in key.questions:
            prefers = key.models[0] if draw.random() < preference else key.models[1]
            side = SIDES[draw.integers(2)] if rater in careless else side_of(key, question, prefers)
            votes.append(Vote(f"rater {rater}", question, side, "2026-01-01T00:00:00+00:00"))
    return votes


def answered_study(
    folder: Path, preference: float = 0.677, careless: Sequence[int] = (), count: int = 6, check_every: int = 10
) -> Answers:
    """A study that five simulated raters have answered completely."""
    answers = Answers(drawn_study(folder, count, check_every=check_every))
    answers.add(simulated_votes(answers.key, 5, preference, np.random.default_rng(7), careless))
    return answers

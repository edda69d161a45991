"""Writing a study: its questions as pictures, what raters may see, and the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from zeroseg.drawing import save_image
from zeroseg.errors import DatasetError
from zeroseg.files import atomic_folder, write_text_atomically
from zeroseg.segmentation import Segmentation
from zeroseg.study.design import CHECK_EVERY, Planned, plan_questions
from zeroseg.study.questions import KEY, PICTURES, QUESTIONS, Key, Question, Questions, Secret, as_json
from zeroseg.study.rendering import Pair, draw_pair, legends, scrambled
from zeroseg.study.sources import Photo, Segments, Sources
from zeroseg.versions import ZEROSEG

PAPER_QUESTIONS, PAPER_VOTES = 200, 5  # arXiv 2306.00450, table 2: 677 of 1,000 votes for the proposed method


def write_study(
    folder: Path,
    sources: Sources,
    count: int = PAPER_QUESTIONS,
    votes: int = PAPER_VOTES,
    seed: int = 0,
    check_every: int = CHECK_EVERY,
    progress: Callable[[int], None] = lambda _: None,
) -> Path:
    """Write a study into `folder`, completely or not at all; returns `folder`.

    It has `questions.json` and the pictures, which raters may see, and `key.json`, which they may not: it says what
    each side is. Ids and names of files are random, both sides have one size and one colour for each label. Everything
    can be computed from `seed`: choose one that raters cannot guess.

    Args:
        count: questions that compare two models, each with a photo of its own (`plan_questions`).
        votes: raters that are wanted for each question.
        progress: called with the number of questions drawn.

    Raises:
        DatasetError: if there are too few photos, or if segmentations do not fit together.
        OutputError: if `folder` is not empty, or if writing fails; then nothing is left.
    """
    planned = plan_questions(len(sources.photos), tuple(sources.models), count, check_every, seed)
    names, secrets, questions = Random(f"names {seed}"), dict[str, Secret](), list[Question]()
    with atomic_folder(folder) as draft:
        for number, one in enumerate(planned):
            photo = sources.photos[one.photo]
            question = _write_question(draft / PICTURES, photo, one, sources.models, names, f"{seed} {number}")
            questions.append(question)
            secrets[question.id] = Secret(photo.name, one.left, one.right)
            progress(1)
        study = _id(names)
        by_id = tuple(sorted(questions, key=lambda question: question.id))
        public = Questions(study, votes, sources.labels, by_id)
        key = Key(study, tuple(sources.models), seed, dict(sorted(secrets.items())), f"zeroseg {ZEROSEG}")
        write_text_atomically(draft / KEY, as_json(key))
        write_text_atomically(draft / QUESTIONS, as_json(public))
    return Path(folder)


def _write_question(
    folder: Path, photo: Photo, planned: Planned, models: Mapping[str, Segments], names: Random, seed: str
) -> Question:
    """Segment a photo by the models of a question, and write its three pictures."""
    image = photo.load().convert("RGB")
    left, right = (None if name is None else models[name](photo, image) for name in (planned.left, planned.right))
    pair = _pair(left, right, Random(f"check {seed}").getrandbits(32))
    if any(one.size != image.size for one in pair):
        raise DatasetError(f"the segmentations of {photo.name!r} have another size than the picture.")
    shown, drawn = draw_pair(image, pair)
    question = Question(_id(names), _id(names), _id(names), _id(names), *legends(pair))
    for picture, name in zip((shown, *drawn), question.files, strict=True):
        save_image(picture, folder / f"{name}.jpg")
    return question


def _pair(left: Segmentation | None, right: Segmentation | None, seed: int) -> Pair:
    """Both sides; what is missing is a scrambled version of the other side."""
    if left is None:
        assert right is not None
        return scrambled(right, seed), right
    return left, scrambled(left, seed) if right is None else right


def _id(names: Random) -> str:
    return f"{names.getrandbits(64):016x}"

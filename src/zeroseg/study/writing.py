"""Writing a study: its questions as pictures, what raters may see, and the key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from random import Random

from PIL import Image

from zeroseg.drawing import save_image
from zeroseg.errors import DatasetError
from zeroseg.files import write_text_atomically
from zeroseg.segmentation import Segmentation
from zeroseg.study.design import CHECK_EVERY, Planned, plan_questions
from zeroseg.study.drafts import drafting
from zeroseg.study.plausibility import Plausibility, plausibility
from zeroseg.study.questions import KEY, PICTURES, QUESTIONS, Key, Question, Questions, Secret, as_json
from zeroseg.study.rendering import Pair, draw_pair, legends, scrambled
from zeroseg.study.sources import Photo, Sources
from zeroseg.versions import ZEROSEG

PAPER_QUESTIONS, PAPER_VOTES = 200, 5  # arXiv 2306.00450, table 2: 677 of 1,000 votes for the proposed method


def write_study(
    folder: Path,
    sources: Sources,
    count: int = PAPER_QUESTIONS,
    votes: int = PAPER_VOTES,
    seed: int | None = 0,
    check_every: int = CHECK_EVERY,
    progress: Callable[[int], None] = lambda _: None,
    resume: bool = False,
) -> Path:
    """Write a study into `folder`, completely or not at all; returns `folder`.

    It has `questions.json` and the pictures, which raters may see, and `key.json`, which they may not: it says what
    each side is. Ids and names of files are random, both sides have one size and one colour for each label. Everything
    can be computed from `seed`: choose one that raters cannot guess, or None for a random one.

    Args:
        count: questions that compare two models, each with a photo of its own (`plan_questions`).
        votes: raters that are wanted for each question.
        progress: called with the number of questions drawn.
        resume: if it is interrupted, keep what is drawn in a hidden folder beside `folder`, and go on with it the next
            time (`drafts`); with a seed of None, that is the former one.

    Raises:
        DatasetError: if there are too few photos, if segmentations do not fit together, or if an unfinished study has
            other settings.
        OutputError: if `folder` is not empty, or if writing fails; then nothing is left, unless `resume`.
    """
    models = tuple(sources.models)
    plan_questions(len(sources.photos), models, count, check_every)  # raises
    with drafting(folder, _settings(sources, count, check_every), seed, resume) as draft:
        planned = plan_questions(len(sources.photos), models, count, check_every, draft.seed)
        if draft.finished:
            progress(len(draft.finished))
        for number in range(len(draft.finished), len(planned)):
            draft.add(*_write_question(draft.folder / PICTURES, sources, planned[number], f"{draft.seed} {number}"))
            progress(1)
        study = _id(Random(f"study {draft.seed}"))
        questions = sorted((question for question, _ in draft.finished), key=lambda question: question.id)
        secrets = {question.id: secret for question, secret in draft.finished}
        key = Key(study, models, draft.seed, dict(sorted(secrets.items())), f"zeroseg {ZEROSEG}")
        public = Questions(study, votes, sources.labels, tuple(questions))
        write_text_atomically(draft.folder / KEY, as_json(key))
        write_text_atomically(draft.folder / QUESTIONS, as_json(public))
    return Path(folder)


def _settings(sources: Sources, count: int, check_every: int) -> dict[str, object]:
    """What the questions depend on besides the seed."""
    return {
        "version": ZEROSEG,
        "pictures": [[photo.name, *(astuple(photo.file) if photo.file else ())] for photo in sources.photos],
        "models": list(sources.models),
        "labels, background, networks or results": sources.digest,
        "count": count,
        "checks": check_every,
    }


def _write_question(folder: Path, sources: Sources, planned: Planned, seed: str) -> tuple[Question, Secret]:
    """Segment a photo by the models of a question, and write its three pictures."""
    names = Random(f"names {seed}")
    if planned.left is not None and planned.right is not None:
        photo = sources.photos[planned.photo]
        image = photo.load().convert("RGB")
        pair = _segmented(photo, image, sources, planned.left), _segmented(photo, image, sources, planned.right)
        secret = Secret(photo.name, planned.left, planned.right)
    else:
        image, pair, secret = _check(sources, planned, Random(f"check {seed}").getrandbits(32))
    shown, drawn = draw_pair(image, pair)
    question = Question(_id(names), _id(names), _id(names), _id(names), *legends(pair))
    for picture, name in zip((shown, *drawn), question.files, strict=True):
        save_image(picture, folder / f"{name}.jpg")
    return question, secret


def _check(sources: Sources, planned: Planned, seed: int) -> tuple[Image.Image, Pair, Secret]:
    """An attention check: of its photos and of all models, the most plausible segmentation beside a scrambled one."""
    dealt = planned.left or planned.right
    models = sorted(sources.models, key=lambda name: name != dealt)  # of equally plausible ones, the dealt one
    best: tuple[Plausibility, Photo, Image.Image, str, dict[str, Segmentation]] | None = None
    for photo in (sources.photos[number] for number in (planned.photo, *planned.others)):
        image = photo.load().convert("RGB")
        made = {name: _segmented(photo, image, sources, name) for name in models}
        name = max(models, key=lambda name: plausibility(made[name]))
        if best is None or plausibility(made[name]) > best[0]:
            best = plausibility(made[name]), photo, image, name, made
    assert best is not None
    (divided, _), photo, image, name, made = best
    wrong = scrambled(made[name], {label for one in made.values() for label in one.present}, seed)
    if planned.left is None:
        return image, (wrong, made[name]), Secret(photo.name, None, name, not divided)
    return image, (made[name], wrong), Secret(photo.name, name, None, not divided)


def _segmented(photo: Photo, image: Image.Image, sources: Sources, model: str) -> Segmentation:
    """A model's segmentation of a photo. Raises `DatasetError` if it has another size."""
    found = sources.models[model](photo, image)
    if found.size != image.size:
        raise DatasetError(f"the segmentations of {photo.name!r} have another size than the picture.")
    return found


def _id(names: Random) -> str:
    return f"{names.getrandbits(64):016x}"

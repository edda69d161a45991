"""The files of a study: `questions.json`, which raters may see, and `key.json`, which only its author may see."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

from zeroseg.errors import DatasetError

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
QUESTIONS, KEY, PICTURES, ANSWERS = "questions.json", "key.json", "pictures", "answers.sqlite"
UNTINTED, NO_LABEL = "none", "no name fits"  # a colour that pages take for none at all, and what stands beside it
ASKED = "Which segmentation shows better what is in the picture?"


@dataclass(frozen=True)
class LegendRow:
    """A label of a segmentation: its colour (`#4488ee`), and its fraction of the picture in words (`12%`).

    The colour is `UNTINTED` for what has no label, and the label says so.
    """

    label: str
    colour: str
    fraction: str


Legend = tuple[LegendRow, ...]


@dataclass(frozen=True)
class Question:
    """A picture and two segmentations of it, without anything that tells whose they are.

    `id`, `picture`, `left` and `right` are random; the last three name files, `pictures/ID.jpg`.
    """

    id: str
    picture: str
    left: str
    right: str
    left_legend: Legend
    right_legend: Legend

    @property
    def files(self) -> tuple[str, str, str]:
        """The names of its pictures."""
        return self.picture, self.left, self.right

    def legend(self, side: Side) -> Legend:
        """The labels of a side, largest first."""
        return self.left_legend if side == "left" else self.right_legend


@dataclass(frozen=True)
class Questions:
    """The public part of a study: `votes` raters are wanted for each question; `labels` could be chosen from."""

    study: str
    votes: int
    labels: int
    questions: tuple[Question, ...]
    asked: str = ASKED

    def by_id(self) -> dict[str, Question]:
        """The questions by their ids."""
        return {question.id: question for question in self.questions}


@dataclass(frozen=True)
class Secret:
    """What a question is: the photo, and the model of each side; None is the scrambled side of an attention check.

    A check is `doubtful` if its better side is no good one, so that people may fail it who have looked.
    """

    photo: str
    left: str | None
    right: str | None
    doubtful: bool = False

    @property
    def right_answer(self) -> Side | None:
        """The better side of an attention check; None for other questions."""
        return "right" if self.left is None else "left" if self.right is None else None

    def model(self, side: Side) -> str | None:
        """The model of a side."""
        return self.left if side == "left" else self.right


@dataclass(frozen=True)
class Key:
    """The private part of a study: its models, the seed that everything was drawn with, and what each question is."""

    study: str
    models: tuple[str, ...]
    seed: int
    questions: Mapping[str, Secret]
    made_with: str

    @property
    def checks(self) -> tuple[str, ...]:
        """The ids of the attention checks."""
        return tuple(name for name, secret in self.questions.items() if secret.right_answer is not None)

    @property
    def doubtful(self) -> tuple[str, ...]:
        """The ids of the attention checks that may be hard for people who look."""
        return tuple(name for name in self.checks if self.questions[name].doubtful)

    @property
    def real(self) -> tuple[str, ...]:
        """The ids of the questions that compare two models."""
        return tuple(name for name, secret in self.questions.items() if secret.right_answer is None)


def as_json(content: Questions | Key) -> str:
    """A file's text."""
    return json.dumps(asdict(content), indent=1, ensure_ascii=False) + "\n"


def read_questions(folder: Path) -> Questions:
    """The public part of the study in a folder. Raises `DatasetError`."""
    values = _read(folder / QUESTIONS)
    try:
        questions = tuple(question_of(one) for one in values["questions"])
        return Questions(str(values["study"]), int(values["votes"]), int(values["labels"]), questions, values["asked"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder / QUESTIONS, error) from error


def read_key(folder: Path) -> Key:
    """The private part of the study in a folder. Raises `DatasetError`."""
    values = _read(folder / KEY)
    try:
        secrets = {name: Secret(**one) for name, one in values["questions"].items()}
        return Key(str(values["study"]), tuple(values["models"]), int(values["seed"]), secrets, values["made_with"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(folder / KEY, error) from error


def question_of(values: Mapping[str, Any]) -> Question:
    """A question from the values that `asdict` gives. Raises `KeyError`, `TypeError` and `ValueError`."""
    legends = {side: _legend(values[f"{side}_legend"]) for side in SIDES}
    name, picture, left, right = (str(values[name]) for name in ("id", "picture", "left", "right"))
    if not all(given.isalnum() for given in (name, picture, left, right)):
        raise ValueError("the names of questions and pictures are letters and digits")
    return Question(name, picture, left, right, legends["left"], legends["right"])


def _legend(rows: Sequence[Mapping[str, str]]) -> Legend:
    return tuple(LegendRow(row["label"], row["colour"], row["fraction"]) for row in rows)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"{str(path.parent)!r} is no study, because {path.name} is missing.") from error
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if not isinstance(content, dict):
        raise _damaged(path, ValueError("it is no object"))
    return cast("dict[str, Any]", content)


def _damaged(path: Path, error: Exception) -> DatasetError:
    return DatasetError(f"{str(path)!r} cannot be read as part of a study ({error}): make the study again.")

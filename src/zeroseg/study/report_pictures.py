"""The pictures of a study's report: each with what the models made of it, the colours of the names, and its votes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from zeroseg.drawing import contact_sheet, save_image
from zeroseg.drawing.lettering import legible
from zeroseg.drawing.palettes import INK, PAPER
from zeroseg.errors import DatasetError, ImageError
from zeroseg.images import load_image
from zeroseg.study.answers import Answers, Vote
from zeroseg.study.questions import PICTURES, SIDES, UNTINTED, Key, Legend, Question, Side
from zeroseg.study.results import votes_by_question

MOST_PICTURES = 200
SHEET = "The picture, and the two segmentations of it"  # for those who cannot see it
MOST_NAMES = 6  # of a segmentation, below its picture
MARKS = re.compile(r"[\\`*_\[\]<>&|#~$@:!]")  # with a meaning inside a line of Markdown, unless a backslash is before
CELL = 340  # pixels of the longer side of a picture
TEXT_SIZE, PITCH, PAD = 14, 22, 4  # pixels, of the names below a picture


def pictures_section(folder: Path, out: Path, answers: Answers, votes: Sequence[Vote]) -> str:
    """Each picture beside what the models made of it, with its votes; the most one-sided for the first model first."""
    counts, key, by_id = votes_by_question(votes, answers.key), answers.key, answers.questions.by_id()
    if not counts:
        return "None of them has a vote that counts."
    ordered = sorted(counts, key=lambda name: -_lead(key, name, counts[name]))
    shown = (
        [ordered[k * len(ordered) // MOST_PICTURES] for k in range(MOST_PICTURES)]
        if len(ordered) > MOST_PICTURES
        else ordered
    )
    parts = ["All of them." if len(shown) == len(ordered) else f"{len(shown)} of {len(ordered):,}, evenly chosen."]
    for name in shown:
        sheet, words = _sheet(folder, key, by_id[name], counts[name])
        save_image(sheet, out / PICTURES / f"{name}.jpg")
        parts.append(f"{code(key.questions[name].photo)}: {words}\n\n![{SHEET}]({PICTURES}/{name}.jpg)")
    return "\n\n".join(parts)


def _sheet(folder: Path, key: Key, question: Question, counts: Counter[str]) -> tuple[Image.Image, str]:
    """The photo and both sides, the models in the order of the key; and their votes in words."""
    sides = sorted(SIDES, key=lambda side: key.models.index(key.questions[question.id].model(side) or ""))
    models = [key.questions[question.id].model(side) or "" for side in sides]
    files = [question.picture, *(question.left if side == "left" else question.right for side in sides)]
    try:
        pictures = [load_image(folder / PICTURES / f"{name}.jpg") for name in files]
    except ImageError as error:
        raise DatasetError(f"a picture of the study is missing or damaged: {error}") from error
    pictures = _with_names(pictures, [(), *(question.legend(side) for side in sides)])
    captions = ["the picture", *(f"{model}: {counts[model]} of {counts.total()}" for model in models)]
    said = [
        f"{code(model)} {counts[model]} of {counts.total()} votes ({_names(question, side)})"
        for model, side in zip(models, sides, strict=True)
    ]
    return contact_sheet(pictures, 3, captions, max(map(max, (one.size for one in pictures)))), "; ".join(said)


def _names(question: Question, side: Side) -> str:
    """The largest names of a side."""
    names = [f"{row.label} {row.fraction}" for row in question.legend(side)]
    more = len(names) - MOST_NAMES
    return _text(", ".join(names[:MOST_NAMES])) + (f" and {more} more" if more > 0 else "")


def _lead(key: Key, question: str, counts: Counter[str]) -> float:
    """By which fraction of the votes the model that the key has first leads."""
    secret = key.questions[question]
    first, second = sorted((secret.left or "", secret.right or ""), key=key.models.index)
    return (counts[first] - counts[second]) / counts.total()


def _with_names(pictures: Sequence[Image.Image], legends: Sequence[Legend]) -> list[Image.Image]:
    """Pictures of the width of a cell, each above the largest names of its legend with their colours."""
    names = [legend[:MOST_NAMES] for legend in legends]
    tall, made = PAD + PITCH * max(map(len, names)), list[Image.Image]()
    for picture, rows in zip(pictures, names, strict=True):
        scale = CELL / max(picture.size)
        small = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
        panel = Image.new("RGB", (CELL, small.height + tall), PAPER)
        panel.paste(small, ((CELL - small.width) // 2, 0))
        pen = ImageDraw.Draw(panel)
        for number, row in enumerate(rows):
            top = small.height + PAD + number * PITCH
            filled = None if row.colour == UNTINTED else row.colour
            pen.rounded_rectangle((0, top, TEXT_SIZE, top + TEXT_SIZE), 3, filled, INK)
            words, font = legible(f"{row.label} {row.fraction}", f"#{number + 1}", TEXT_SIZE, CELL - PITCH)
            pen.text((PITCH, top + TEXT_SIZE // 2), words, INK, font, anchor="lm")
        made.append(panel)
    return made


def _text(words: str) -> str:
    """Words in Markdown, whatever is in them."""
    return MARKS.sub(r"\\\g<0>", " ".join(words.split()))


def code(name: str) -> str:
    """A name in Markdown, whatever is in it."""
    return f"`{' '.join(name.split()).replace('`', chr(39)).replace('|', '/')}`"

"""The package of a human study (table 2 of the paper): people say which of two segmentations is better.

`write_study` makes a folder for workers: pictures, a page with questions, the form of an answers file. The key says
which side is which method; it is next to the folder, not in it. `tally` counts the answers.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from zeroseg import __version__
from zeroseg.drawing import display_size, overlay, overlay_palette, save_image
from zeroseg.drawing.palettes import PAPER, RGB
from zeroseg.errors import DatasetError, OutputError
from zeroseg.files import atomic_folder, write_text_atomically
from zeroseg.report.html import STYLE
from zeroseg.segmentation import Segmentation, percentage
from zeroseg.vocabulary import Vocabulary

Segments = Callable[[Image.Image, Vocabulary], Segmentation]  # a `Segmenter`, or anything else that does this

PAGE = Path(__file__).with_name("study.html")
PICTURES = "pictures"
SIDES = ("left", "right")
NAMED = 8  # labels of a segmentation in its description for screen readers
QUESTION = "Which segmentation shows better what is in the picture?"
PAPER_PROTOCOL = {
    "source": "arXiv 2306.00450, table 2",
    "images": 200,
    "classes": 1000,
    "answers_per_image": 5,
    "votes_for_the_proposed_method": 677,
    "votes_for_the_other_method": 323,
}
ANSWERS_FORM = {
    "file": "answers-NAME.json, one a worker, downloaded at the end of index.html",
    "keys": {
        "study": "the `study` of this file: to which study the answers belong",
        "worker": "the name that the worker gave",
        "answers": 'the number of each question ("000", ...): "left" or "right", the better side',
    },
}


@dataclass(frozen=True)
class _Question:
    number: str  # its name in all files
    picture: str
    methods: tuple[str, str]  # left, right: for the key alone
    words: tuple[str, str]  # descriptions of both sides


def write_study(
    folder: Path,
    first: Segments,
    second: Segments,
    names: tuple[str, str],
    images: Iterable[tuple[str, Image.Image]],
    vocabulary: Vocabulary,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> Path:
    """Write the study into `folder`, and its key to `key_path(folder)`; returns `folder`.

    For each image the folder has `pictures/NUMBER.png` and the overlays `NUMBER-left.png` and `NUMBER-right.png`, with
    one size and one colour for each label. `index.html` asks the questions, in any browser and without a network;
    `study.json` says how the study was made. The sides can be computed from `seed`, so it is only in the key: choose
    one that the workers cannot guess. Each method is on the left in half of the questions (or in one more or less).

    Args:
        first, second: the methods; `names` are their names in the key and in the result of `tally`.
        images: each with a name, which is also in `study.json`.
        progress: called with the number of images done.

    Raises:
        ValueError, DatasetError: if both methods have the same name; without images.
        OutputError: if `folder` is not empty, if there is already a key, or if writing fails; then no file is left.
    """
    if names[0] == names[1]:
        raise ValueError(f"the methods need two names, not {names[0]!r} twice")
    folder, named_images = Path(folder).resolve(), list(images)
    if not named_images:
        raise DatasetError("A study needs at least one picture.")
    key = key_path(folder)
    if key.exists():
        raise OutputError(f"Cannot write {str(key)!r}: it is the key of another study; name a new folder.")
    methods = dict(zip(names, (first, second), strict=True))
    try:
        with atomic_folder(folder) as draft:
            questions: list[_Question] = []
            for (name, image), is_turned in zip(named_images, _turns(len(named_images), seed), strict=True):
                questions.append(_ask(draft, f"{len(questions):03}", name, image, methods, is_turned, vocabulary))
                progress(1)
            study = _fingerprint(draft / PICTURES)
            _write_json(draft / "study.json", _description(study, questions, vocabulary))
            write_text_atomically(draft / "index.html", _page(study, questions, len(vocabulary.labels)))
            _write_json(key, _secret(study, questions, names, seed))
    except BaseException:
        if not folder.is_dir() or not any(folder.iterdir()):  # the answers of a study without its key cannot be counted
            key.unlink(missing_ok=True)
        raise
    return folder


def _ask(
    draft: Path,
    number: str,
    name: str,
    image: Image.Image,
    methods: Mapping[str, Segments],
    is_turned: bool,
    vocabulary: Vocabulary,
) -> _Question:
    """Segment an image by both methods, and write the pictures of its question."""
    left, right = reversed(tuple(methods)) if is_turned else tuple(methods)
    shown = image.convert("RGB")
    found = {method: segment(shown, vocabulary) for method, segment in methods.items()}
    words = _write_pictures(draft / PICTURES, number, shown, (found[left], found[right]))
    return _Question(number, name, (left, right), words)


def key_path(folder: Path) -> Path:
    """The path of the key of the study in `folder`: outside of the folder, which workers get."""
    return folder.with_name(f"{folder.name}-key.json")


def tally(key: Path, answers: Iterable[Path]) -> dict[str, int]:
    """The votes for each method, by the names in the key. Incomplete answers of a worker also count.

    Raises:
        DatasetError: for a file that cannot be read, belongs to another study or has an impossible answer, and for two
            files of one worker.
    """
    secret = _read(key, "key", {"study": str, "names": list, "questions": dict})
    votes: dict[str, int] = dict.fromkeys(secret["names"], 0)
    files: dict[str, Path] = {}
    for path in answers:
        given = _read(path, "answers file", {"study": str, "worker": str, "answers": dict})
        if given["study"] != secret["study"]:
            raise DatasetError(f"{str(path)!r} belongs to another study than {str(key)!r}: leave it out.")
        worker = given["worker"]
        if worker in files:
            raise DatasetError(f"{str(files[worker])!r} and {str(path)!r} are both from {worker!r}: leave one out.")
        files[worker] = path
        for number, side in given["answers"].items():
            if number not in secret["questions"] or side not in SIDES:
                raise DatasetError(f"{str(path)!r} answers {side!r} to question {number!r}, which is not possible.")
            votes[secret["questions"][number][side]] += 1
    return votes


def _turns(count: int, seed: int) -> list[bool]:
    """For each question, whether the methods change sides: in half of them, in random order."""
    coins = Random(seed)
    turns = [True] * (count // 2) + [False] * (count // 2) + [coins.random() < 0.5] * (count % 2)
    coins.shuffle(turns)
    return turns


def _write_pictures(
    folder: Path, number: str, image: Image.Image, pair: tuple[Segmentation, Segmentation]
) -> tuple[str, str]:
    """Write the three pictures of a question; returns a description of each side."""
    colours = _colours_of_both(pair)
    overlays = [overlay(image, segmentation, colours=colours) for segmentation in pair]
    size = (max(drawn.width for drawn in overlays), max(drawn.height for drawn in overlays))
    save_image(image.resize(display_size(image.size), Image.Resampling.LANCZOS), folder / f"{number}.png")
    for side, drawn in zip(SIDES, overlays, strict=True):
        sheet = Image.new("RGB", size, PAPER)  # of one size, so that the page shows both at the same scale
        sheet.paste(drawn, (0, 0))
        save_image(sheet, folder / f"{number}-{side}.png")
    return _in_words(pair[0]), _in_words(pair[1])


def _colours_of_both(pair: tuple[Segmentation, Segmentation]) -> dict[str, RGB]:
    """A colour for each label that occurs on a side; the first colours of the palette are for the largest areas."""
    areas: dict[str, float] = defaultdict(float)
    for segmentation in pair:
        for index in segmentation.present_indices:
            if index or not segmentation.has_background:
                areas[segmentation.labels[index]] += float(segmentation.fractions[index])
    largest_first = sorted(areas, key=lambda label: (-areas[label], label))
    return dict(zip(largest_first, overlay_palette(len(largest_first)), strict=True))


def _in_words(segmentation: Segmentation) -> str:
    some = segmentation.present_indices[:NAMED]
    return ", ".join(f"{segmentation.labels[index]} {percentage(segmentation.fractions[index])}" for index in some)


def _fingerprint(pictures: Path) -> str:
    """An identifier of this study: a digest of the pictures."""
    digest = hashlib.sha256()
    for path in sorted(pictures.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _description(study: str, questions: Sequence[_Question], vocabulary: Vocabulary) -> dict[str, object]:
    return {
        "study": study,
        "made_with": f"zeroseg {__version__}",
        "question": QUESTION,
        "questions": len(questions),
        "pictures": {question.number: question.picture for question in questions},
        "seed": "the sides were drawn with a seed that is in the key",
        "vocabulary": asdict(vocabulary),
        "answers": ANSWERS_FORM,
        "paper": PAPER_PROTOCOL,
    }


def _secret(study: str, questions: Sequence[_Question], names: tuple[str, str], seed: int) -> dict[str, object]:
    sides = {question.number: dict(zip(SIDES, question.methods, strict=True)) for question in questions}
    return {"study": study, "made_with": f"zeroseg {__version__}", "seed": seed, "names": names, "questions": sides}


def _page(study: str, questions: Sequence[_Question], classes: int) -> str:
    asked = [{"id": question.number, **dict(zip(SIDES, question.words, strict=True))} for question in questions]
    data = json.dumps({"study": study, "questions": asked}).replace("<", "\\u003c")  # no label can end the script
    page = PAGE.read_text(encoding="utf-8")
    parts = {
        "style": STYLE.read_text(encoding="utf-8"),
        "question": escape(QUESTION),
        "count": f"{len(questions):,}",
        "classes": f"{classes:,}",
        "data": data,  # last, because a label may look like one of these slots
    }
    for mark, text in parts.items():
        page = page.replace(f"[[{mark}]]", text)
    return page


def _write_json(path: Path, content: object) -> None:
    write_text_atomically(path, json.dumps(content, indent=1) + "\n")


def _read(path: Path, kind: str, form: Mapping[str, type]) -> dict[str, Any]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{str(path)!r} cannot be read as the {kind} of a study: {error}.") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(name), type_) for name, type_ in form.items()):
        raise DatasetError(f"{str(path)!r} is not the {kind} of a study: it needs {', '.join(form)}.")
    return content

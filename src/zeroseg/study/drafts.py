"""A study that is being drawn: a hidden folder beside its place, in which an interrupted one waits to be finished."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zeroseg.errors import DatasetError, OutputError
from zeroseg.files import REASONS, atomic_folder, check_folder, write_text_atomically
from zeroseg.locks import held
from zeroseg.study.questions import Question, Secret, question_of

RECORD = "unfinished.jsonl"  # a line for the settings and the seed, then one for each question that is drawn


@dataclass(frozen=True)
class Draft:
    """A folder in which a study is drawn from a seed, and the questions that are drawn, in the order of their plan.

    A question counts as drawn when its pictures are on the disk and `add` has written its line.
    """

    folder: Path
    seed: int
    finished: list[tuple[Question, Secret]] = field(default_factory=list[tuple[Question, Secret]])

    def add(self, question: Question, secret: Secret) -> None:
        """Record a question whose pictures are written."""
        line = json.dumps({"question": asdict(question), "secret": asdict(secret)}, ensure_ascii=False) + "\n"
        with (self.folder / RECORD).open("a", encoding="utf-8") as record:
            record.write(line)
            record.flush()
            os.fsync(record.fileno())
        self.finished.append((question, secret))


def unfinished(folder: Path) -> Path:
    """Where the study of a folder waits while it is not finished."""
    whole = Path(folder).resolve()
    return whole.with_name(f".{whole.name}.unfinished")


def count_unfinished(folder: Path) -> int:
    """How many questions of the study are drawn and wait; 0 if there is no unfinished one."""
    return max(0, len(_lines(unfinished(folder) / RECORD)) - 1)


def check_new(folder: Path) -> None:
    """Raise `OutputError` unless a study can be written there: a folder that is empty, or that does not exist."""
    check_folder(folder)
    with _said(folder):
        if folder.exists() and any(folder.iterdir()):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(folder))


@contextmanager
def drafting(folder: Path, settings: Mapping[str, Any], seed: int | None, resume: bool) -> Generator[Draft]:
    """Yield a draft to finish; it becomes `folder`, without its record, when the block succeeds.

    If the block raises anything, `folder` stays as it was. With `resume`, the questions that are drawn then wait in the
    folder `unfinished`, and the next draft with the same settings has them; else nothing is left.

    Args:
        settings: what the questions depend on besides the seed, as values of JSON.
        seed: None for that of the unfinished study, or a random one.

    Raises:
        DatasetError: if the unfinished study has other settings, or another seed.
        OutputError: if `folder` is not empty, if another process draws there, or if writing fails.
    """
    check_new(folder)
    if not resume:
        with atomic_folder(folder) as whole:
            yield _begun(whole, settings, seed)
            (whole / RECORD).unlink()
        return
    hidden, target = unfinished(folder), Path(folder).resolve()
    with held(hidden), _said(target):
        draft = _taken_up(hidden, settings, seed) or _begun(hidden, settings, seed)
        try:
            yield draft
        except BaseException:
            if not draft.finished:
                shutil.rmtree(hidden, ignore_errors=True)
            raise
        if target.exists():
            target.rmdir()  # Windows cannot rename to a path that exists
        hidden.rename(target)
        (target / RECORD).unlink()  # last: if the study cannot get its name, nothing that is drawn is lost


def _begun(folder: Path, settings: Mapping[str, Any], seed: int | None) -> Draft:
    """A draft without questions."""
    shutil.rmtree(folder, ignore_errors=True)
    seed = secrets.randbits(48) if seed is None else seed
    write_text_atomically(folder / RECORD, _first(settings, seed))
    return Draft(folder, seed)


def _taken_up(folder: Path, settings: Mapping[str, Any], seed: int | None) -> Draft | None:
    """The draft in a folder; None if there is none in which a question is drawn."""
    first, *drawn = _lines(folder / RECORD) or [{}]
    if not drawn:
        return None
    former, kept = first["settings"], int(first["seed"])
    others = [name for name in settings if settings[name] != former.get(name)]
    others += ["seed"] if seed not in (None, kept) else []
    if others:
        raise DatasetError(
            f"{str(folder)!r} has {len(drawn):,} questions of a study with other settings ({', '.join(others)}): "
            "finish it with the same ones, or delete that folder to begin anew."
        )
    finished = [(question_of(line["question"]), Secret(**line["secret"])) for line in drawn]
    known = {RECORD, *(f"{name}.jpg" for question, _ in finished for name in question.files)}
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in known:
            path.unlink()  # half a question, or half a file, of a process that was killed
    lines = [json.dumps(line, ensure_ascii=False) + "\n" for line in drawn]
    write_text_atomically(folder / RECORD, _first(settings, kept) + "".join(lines))  # without a torn line at its end
    return Draft(folder, kept, finished)


def _first(settings: Mapping[str, Any], seed: int) -> str:
    return json.dumps({"settings": settings, "seed": seed}, ensure_ascii=False) + "\n"


def _lines(record: Path) -> list[dict[str, Any]]:
    """The lines of a record up to one that was torn when the process ended."""
    lines: list[dict[str, Any]] = []
    try:
        for line in record.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]:
            lines.append(json.loads(line))
    except (OSError, ValueError):
        pass
    return lines


@contextmanager
def _said(target: Path) -> Generator[None]:
    """Raise `OutputError` for an `OSError` of the block."""
    try:
        yield
    except OSError as error:
        why = REASONS.get(error.errno or 0) or f"{error.strerror or error}; choose another place"
        raise OutputError(f"Cannot write {str(target)!r}: {why}.") from error

"""Tiny models on disk, and the command line called as a function."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image
from transformers import CLIPImageProcessorPil
from transformers.utils import logging

from tests.tiny import PATCH_STUDENT, TEACH, clip, student, tokenizer
from zeroseg.cli import main


@dataclass(frozen=True)
class Models:
    """Folders of an untrained student and of its teacher."""

    student: Path
    teacher: Path


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str


Call = Callable[..., Said]
PROGRESS = re.compile(r"[\w ]+ \d+/\d+  [\d.]+ \w+/s  .*\n")  # printed after ten seconds, so on slow machines only


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder = tmp_path_factory.mktemp("models")
    side = TEACH.image_size
    clip().save_pretrained(folder / "teacher")
    tokenizer().save_pretrained(folder / "teacher")
    processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    processor.save_pretrained(folder / "teacher")
    student(replace(PATCH_STUDENT, teacher=str(folder / "teacher"))).save_pretrained(folder / "student")
    return Models(folder / "student", folder / "teacher")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """`call("segment", photo, ...)` is `zeroseg segment PHOTO ...`."""
    logging.disable_progress_bar()  # in a process of its own, `main` says so before transformers is loaded

    def called(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return Said(code, printed.out, PROGRESS.sub("", printed.err))

    return called


def opened(path: Path) -> Image.Image:
    """A picture file, read to its end and closed."""
    with Image.open(path) as picture:
        picture.load()
        return picture


def assert_one_sentence(said: Said, code: int, *words: str) -> None:
    """The command failed with one line on stderr, in which the words occur: no traceback, no frames."""
    assert said.code == code, said
    assert said.err.startswith("zeroseg: "), said.err
    assert said.err.count("\n") == 1, said.err
    assert "Traceback" not in said.err
    assert "╭" not in said.err
    for word in words:
        assert word in said.err, said.err

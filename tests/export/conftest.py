"""One export to ONNX for all tests: it takes seconds."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tiny import PATCH_STUDENT, clip_folder, student
from zeroseg.export import Form, export
from zeroseg.known_words import KnownWords
from zeroseg.segmenter import Segmenter
from zeroseg.teacher import Teacher


@pytest.fixture(scope="package")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    """A student and its teacher, which knows a few words."""
    by = Teacher.from_pretrained(clip_folder(tmp_path_factory.mktemp("teachers") / "clip"))
    by.known_words = KnownWords(frozenset({"dog", "cat", "grass"}), {"kitten": "cat"})
    return Segmenter.of(student(replace(PATCH_STUDENT, text_fingerprint=by.text_fingerprint)), by)


@pytest.fixture(scope="package")
def folder(segmenter: Segmenter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export to ONNX."""
    place = tmp_path_factory.mktemp("exports") / "onnx"
    export(segmenter, place, Form("onnx", "fp32"))
    return place

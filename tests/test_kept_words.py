"""Embeddings of many words are computed once for all runs, and never taken for those of others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.tiny import teacher
from zeroseg import kept_words
from zeroseg.encoding import WordEmbedder

WORDS = [f"thing {number}" for number in range(70)]
TEMPLATES = ("a photo of a {}",)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where they are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "zeroseg/words"


def embedded(seed: int = 0, words: list[str] = WORDS, refuse: bool = False) -> torch.Tensor:
    """By a new embedder, as in a new run; `refuse`: it is wrong if the teacher is asked."""
    one = teacher(seed)
    with pytest.MonkeyPatch.context() as patch:
        if refuse:
            patch.setattr(one, "embed_texts", lambda _: pytest.fail("embedded again"))
        return WordEmbedder(one)(words, TEMPLATES)


def test_a_later_run_asks_the_teacher_nothing(folder: Path) -> None:
    """And has the same numbers, bit by bit."""
    first = embedded()
    assert len(list(folder.iterdir())) == 1
    assert torch.equal(embedded(refuse=True), first)


def test_other_words_and_other_teachers_have_their_own(folder: Path) -> None:
    """A hash of both is the name."""
    first = embedded()
    assert not torch.equal(embedded(1), first)
    torch.testing.assert_close(embedded(words=WORDS[::-1]), first.flip(0))
    assert len(list(folder.iterdir())) == 3


def test_few_words_are_not_kept(folder: Path) -> None:
    """They take no time."""
    embedded(words=WORDS[:10])
    assert not folder.exists()


@pytest.mark.parametrize("content", [b"", b"no safetensors"])
def test_a_damaged_file_is_written_anew(content: bytes, folder: Path) -> None:
    """Nobody notices."""
    first = embedded()
    (path,) = folder.iterdir()
    path.write_bytes(content)
    assert torch.equal(embedded(), first)
    assert torch.equal(embedded(refuse=True), first)


def test_a_folder_that_cannot_be_written_to_is_only_slower(folder: Path) -> None:
    """A file is in its place."""
    folder.parent.mkdir(parents=True)
    folder.touch()
    assert torch.equal(embedded(), embedded())


def test_the_oldest_files_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the folder does not grow for ever."""
    monkeypatch.setattr(kept_words, "MOST", 2)
    for count in range(66, 71):
        embedded(words=WORDS[:count])
    assert len(list(folder.iterdir())) == 2
    embedded(words=WORDS[:70], refuse=True)

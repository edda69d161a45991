"""A study that was stopped: what is drawn is kept and used, the study itself is there completely or not at all."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.study.drawn import NAMES, PAINTERS, sources
from tests.study.test_writing import files_in, stopping
from zeroseg.errors import DatasetError, OutputError
from zeroseg.locks import held
from zeroseg.segmenting.results import Source
from zeroseg.study import Sources, count_unfinished, read_key, unfinished, write_study


def stopped(folder: Path, at: int = 4, seed: int | None = 3) -> None:
    """Draw six questions and three checks from nine pictures, until a model segments its picture number `at`."""
    with pytest.raises(KeyboardInterrupt, match=f"at picture {at}"):
        write_study(folder, stopping(at), 6, seed=seed, resume=True)


def test_the_same_study_comes_of_it_as_without_the_stop(tmp_path: Path):
    """After two stops, and nothing is drawn twice."""
    heard: list[int] = []
    stopped(tmp_path / "study", 3)
    stopped(tmp_path / "study", 2)
    before = count_unfinished(tmp_path / "study")
    assert before >= 2
    assert [one.name for one in tmp_path.iterdir()] == [".study.unfinished"]
    kept = {name: content for name, content in files_in(unfinished(tmp_path / "study")).items() if "jpg" in name}
    write_study(tmp_path / "study", stopping(99), 6, seed=3, progress=heard.append, resume=True)
    assert heard == [before, *[1] * (9 - before)]
    whole = files_in(write_study(tmp_path / "whole", stopping(99), 6, seed=3))
    assert files_in(tmp_path / "study") == whole
    assert kept.items() <= whole.items()
    assert {one.name for one in tmp_path.iterdir()} == {"study", "whole"}


def test_a_random_seed_is_kept(tmp_path: Path):
    stopped(tmp_path / "study", seed=None)
    record = unfinished(tmp_path / "study") / "unfinished.jsonl"
    seed = json.loads(record.read_text().splitlines()[0])["seed"]
    write_study(tmp_path / "study", stopping(99), 6, seed=None, resume=True)
    assert read_key(tmp_path / "study").seed == seed
    write_study(tmp_path / "other", stopping(99), 6, seed=None, resume=True)
    assert read_key(tmp_path / "other").seed != seed


@pytest.mark.parametrize("torn", ['{"question": {"id', '{"question": {}, "secret": {"photo": "\\ud8'])
def test_a_line_that_was_torn_at_the_end_is_drawn_again(tmp_path: Path, torn: str):
    """As a process leaves it that is killed while it writes."""
    stopped(tmp_path / "study")
    record, before = unfinished(tmp_path / "study") / "unfinished.jsonl", count_unfinished(tmp_path / "study")
    with record.open("a") as file:
        file.write(torn)
    assert count_unfinished(tmp_path / "study") == before
    stopped(tmp_path / "study", 2)
    assert count_unfinished(tmp_path / "study") > before
    write_study(tmp_path / "study", stopping(99), 6, seed=3, resume=True)
    whole = write_study(tmp_path / "whole", stopping(99), 6, seed=3)
    assert files_in(tmp_path / "study") == files_in(whole)


def test_what_a_killed_process_left_does_not_get_into_the_study(tmp_path: Path):
    """Half a picture under a temporary name, pictures of a question that is not recorded, and a key."""
    stopped(tmp_path / "study")
    for name in (".zeroseg-012345.jpg", "0123456789abcdef.jpg", "../key.json"):
        (unfinished(tmp_path / "study") / "pictures" / name).write_bytes(b"half")
    write_study(tmp_path / "study", stopping(99), 6, seed=3, resume=True)
    whole = write_study(tmp_path / "whole", stopping(99), 6, seed=3)
    assert files_in(tmp_path / "study") == files_in(whole)


def test_other_settings_are_refused_and_nothing_is_lost(tmp_path: Path):
    stopped(tmp_path / "study")
    before = files_in(tmp_path)
    for other, count, seed, words in (
        (sources(9), 5, 3, r"\(count\): finish it"),
        (sources(10), 6, 4, r"\(pictures, seed\)"),
        (
            replace(sources(9), photos=[replace(one, file=Source("/a.jpg", 1, 1)) for one in sources(9).photos]),
            6,
            None,
            r"\(pictures\)",
        ),
        (replace(sources(9), digest="other labels"), 6, None, r"\(labels, background, networks or results\)"),
        (sources(9, {NAMES[1]: PAINTERS[NAMES[1]], NAMES[0]: PAINTERS[NAMES[0]]}), 6, None, r"\(models\)"),
    ):
        with pytest.raises(DatasetError, match=words):
            write_study(tmp_path / "study", other, count, seed=seed, resume=True)
        assert files_in(tmp_path) == before


def test_nothing_stays_if_nothing_is_drawn(tmp_path: Path):
    stopped(tmp_path / "study", 1)
    assert list(tmp_path.iterdir()) == []


def test_a_record_without_its_first_line_is_no_study(tmp_path: Path):
    """Then the study begins anew."""
    stopped(tmp_path / "study")
    (unfinished(tmp_path / "study") / "unfinished.jsonl").write_text("{")
    assert count_unfinished(tmp_path / "study") == 0
    write_study(tmp_path / "study", stopping(99), 6, seed=5, resume=True)
    assert read_key(tmp_path / "study").seed == 5


def test_only_line_ends_end_a_line(tmp_path: Path):
    """Names of pictures and labels may have other characters that end lines elsewhere."""
    strange = "a\N{LINE SEPARATOR}b\x85c\x1cd.jpg"

    def named(at: int) -> Sources:
        given = stopping(at)
        return replace(given, photos=[replace(photo, name=f"{photo.name}{strange}") for photo in given.photos])

    with pytest.raises(KeyboardInterrupt, match="at picture 4"):
        write_study(tmp_path / "study", named(4), 6, seed=3, resume=True)
    assert count_unfinished(tmp_path / "study") >= 2
    write_study(tmp_path / "study", named(99), 6, seed=3, resume=True)
    assert all(secret.photo.endswith(strange) for secret in read_key(tmp_path / "study").questions.values())


def test_a_study_that_cannot_get_its_name_is_not_lost(tmp_path: Path):
    """Somebody else has put something there while it was drawn."""

    def disturbing(_: int) -> None:
        (tmp_path / "study").mkdir(exist_ok=True)
        (tmp_path / "study" / "note.txt").touch()

    with pytest.raises(OutputError, match="not empty"):
        write_study(tmp_path / "study", stopping(99), 6, seed=None, progress=disturbing, resume=True)
    (tmp_path / "study" / "note.txt").unlink()
    assert count_unfinished(tmp_path / "study") == 9
    write_study(tmp_path / "study", stopping(1), 6, seed=None, resume=True)
    assert {one.name for one in (tmp_path / "study").iterdir()} == {"key.json", "questions.json", "pictures"}


def test_a_full_folder_is_refused_before_anything_is_drawn(tmp_path: Path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        write_study(tmp_path / "study", stopping(1), 6, resume=True)
    assert files_in(tmp_path) == {"study/mine.txt": b"mine"}


def test_an_empty_folder_becomes_the_study(tmp_path: Path):
    (tmp_path / "study").mkdir()
    write_study(tmp_path / "study", stopping(99), 6, resume=True)
    assert read_key(tmp_path / "study").real
    assert [one.name for one in tmp_path.iterdir()] == ["study"]


def test_two_processes_do_not_draw_into_the_same_folder(tmp_path: Path):
    with held(unfinished(tmp_path / "study")), pytest.raises(OutputError, match="in use by process"):
        write_study(tmp_path / "study", stopping(99), 6, resume=True)
    assert list(tmp_path.iterdir()) == []

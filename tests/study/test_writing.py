"""A study as it lies in a folder: nothing that raters see tells which model is which; whole or not at all."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.study.drawn import LABELS, NAMES, PAINTERS, THREE, drawn_study, photos, sources
from zeroseg.errors import DatasetError, OutputError
from zeroseg.segmentation import Segmentation
from zeroseg.study import Photo, Sources, read_key, read_questions, write_study, writing
from zeroseg.study.design import plan_questions
from zeroseg.study.questions import SIDES


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_three_pictures_a_question_and_the_key(tmp_path: Path):
    heard: list[int] = []
    folder = write_study(tmp_path / "study", sources(9), 6, votes=3, seed=1, progress=heard.append)
    questions, key = read_questions(folder), read_key(folder)
    assert heard == [1] * 9
    names = {f"pictures/{name}.jpg" for question in questions.questions for name in question.files}
    assert set(files_in(folder)) == names | {"questions.json", "key.json"}
    assert len(names) == 3 * 9
    assert (questions.votes, questions.labels, questions.study) == (3, 7, key.study)
    assert [question.id for question in questions.questions] == sorted(key.questions)
    assert sorted(key.questions[name].photo for name in (*key.real, *key.checks)) == [
        f"photo {k}.jpg" for k in range(9)
    ]
    assert key.models == NAMES
    assert {frozenset((key.questions[name].left, key.questions[name].right)) for name in key.real} == {frozenset(NAMES)}


def test_nothing_that_raters_see_names_a_model_a_photo_or_a_check(tmp_path: Path):
    folder = drawn_study(tmp_path / "study", 12, seed=731_199)
    for name, content in files_in(folder).items():
        if name != "key.json":
            for word in (*NAMES, "731199", "photo ", "check", "scrambled"):
                assert word.lower() not in name.lower()
                assert word.lower().encode() not in content.lower(), f"{name} tells {word}"
    shown = json.loads((folder / "questions.json").read_text())["questions"]
    assert {tuple(question) for question in shown} == {
        ("id", "picture", "left", "right", "left_legend", "right_legend")
    }


def test_the_sides_in_the_key_are_those_of_the_pictures(tmp_path: Path):
    """Each model paints its own number of stripes, so its legend tells it."""
    folder = drawn_study(tmp_path / "study", 8, check_every=4)
    key = read_key(folder)
    rows = {NAMES[0]: 2, NAMES[1]: 3}
    for question in read_questions(folder).questions:
        secret = key.questions[question.id]
        for side in SIDES:
            model, legend = secret.model(side), question.legend(side)
            if model is None:
                assert secret.right_answer != side
                better = question.legend("left" if side == "right" else "right")
                assert {row.label for row in legend} == {row.label for row in better}
            else:
                assert len(legend) == rows[model]


def stopping(at: int, interruption: type[BaseException] = KeyboardInterrupt) -> Sources:
    """Sources that fail when a model segments its picture number `at`."""
    seen: list[str] = []

    def stops(of: Photo, image: Image.Image) -> Segmentation:
        seen.append(of.name)
        if len(seen) == at:
            raise interruption(f"at picture {at}")
        return PAINTERS[NAMES[0]](of, image)

    return Sources(photos(9), {**PAINTERS, NAMES[0]: stops}, 7)


def areas(*areas: tuple[int, float], size: int = 40) -> Segmentation:
    """Labels by number with their fractions, side by side."""
    columns = np.concatenate([np.full(round(size * fraction), label) for label, fraction in areas])
    present = np.isin(np.arange(len(LABELS)), columns)
    return Segmentation(LABELS, np.tile(columns, (size, 1)), np.where(present, 0.5 + 0.01 * len(areas), 0.0))


def test_checks_show_a_picture_and_a_model_that_divides_it(tmp_path: Path):
    """One model calls everything a dog, and the other divides one of the pictures that no question has."""
    good = "photo 6.jpg"

    def everything(_: Photo, image: Image.Image) -> Segmentation:
        return areas((0, 1.0), size=image.width)

    def divides(of: Photo, image: Image.Image) -> Segmentation:
        return areas((1, 0.5), (4, 0.5), size=image.width) if of.name == good else everything(of, image)

    found = [Photo(one.name, partial(Image.new, "RGB", (40, 40))) for one in photos(12)]
    made = Sources(found, {NAMES[0]: everything, NAMES[1]: divides}, len(LABELS))
    seeds = [
        seed
        for seed in range(20)
        for one in plan_questions(12, NAMES, 3, 10, seed)
        if None in (one.left, one.right) and 6 in (one.photo, *one.others)
    ]
    assert len(seeds) > 8
    for seed in seeds[:3]:
        folder = write_study(tmp_path / str(seed), made, 3, seed=seed)
        key, questions = read_key(folder), read_questions(folder).by_id()
        (check,) = (name for name in key.checks if key.questions[name].photo == good)
        secret = key.questions[check]
        assert {secret.left, secret.right} == {None, NAMES[1]}
        wrong = questions[check].legend("right" if secret.right_answer == "left" else "left")
        assert {row.label for row in wrong} == {"grass", "sky"}
        assert set(key.doubtful) == {*key.checks} - {check}, "those of whose pictures no model makes anything"


def test_the_seed_decides_everything_but_the_answers(tmp_path: Path):
    folders = [drawn_study(tmp_path / name, 8, seed) for name, seed in (("a", 3), ("b", 3), ("c", 4))]
    assert files_in(folders[0]) == files_in(folders[1])
    assert not set(files_in(folders[0])) & {name for name in files_in(folders[2]) if name.startswith("pictures")}


def test_pairs_of_three_models_are_segmented_only_where_they_are_asked_about(tmp_path: Path):
    key = read_key(drawn_study(tmp_path / "study", 9, models=THREE))
    pairs = [frozenset((key.questions[name].left, key.questions[name].right)) for name in key.real]
    assert {pairs.count(pair) for pair in pairs} == {3}


def test_a_full_folder_is_refused_and_stays_as_it_was(tmp_path: Path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        drawn_study(tmp_path / "study")
    assert files_in(tmp_path) == {"study/mine.txt": b"mine"}


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_interruption_leaves_nothing_behind(tmp_path: Path, interruption: type[BaseException]):
    with pytest.raises(interruption, match="at picture 2"):
        write_study(tmp_path / "study", stopping(2, interruption), 3)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_at_the_very_end_takes_the_key_away_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write = writing.write_text_atomically

    def interrupted(path: Path, text: str) -> None:
        write(path, text)
        if path.name == "key.json":
            raise KeyboardInterrupt("ctrl-c")

    monkeypatch.setattr(writing, "write_text_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt, match="ctrl-c"):
        drawn_study(tmp_path / "study", 1)
    assert list(tmp_path.iterdir()) == []


def test_segmentations_of_another_size_are_refused(tmp_path: Path):
    def other(of: Photo, image: Image.Image) -> Segmentation:
        return PAINTERS[NAMES[0]](of, image.resize((20, 20)))

    with pytest.raises(DatasetError, match=r"'photo \d.jpg' have another size"):
        write_study(tmp_path / "study", Sources(photos(3), {**PAINTERS, NAMES[0]: other}, 7), 3)


def test_damaged_files_are_named(tmp_path: Path):
    folder = drawn_study(tmp_path / "study")
    with pytest.raises(DatasetError, match=r"is no study, because key\.json is missing"):
        read_key(tmp_path)
    for content, words in (("{", "cannot be read"), ("[]", "no object"), ("{}", "'questions'")):
        for name, read in (("key.json", read_key), ("questions.json", read_questions)):
            (folder / name).write_text(content)
            with pytest.raises(DatasetError, match=words) as error:
                read(folder)
            assert name in str(error.value)


def test_names_of_pictures_cannot_lead_elsewhere(tmp_path: Path):
    folder = drawn_study(tmp_path / "study")
    values = json.loads((folder / "questions.json").read_text())
    values["questions"][0]["left"] = "../key"
    (folder / "questions.json").write_text(json.dumps(values))
    with pytest.raises(DatasetError, match="letters and digits"):
        read_questions(folder)

"""The study of table 2 as people get it: pictures, page and key agree, and nothing tells which method is which."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tiny import photo
from zeroseg.drawing.palettes import PAPER
from zeroseg.errors import DatasetError, OutputError
from zeroseg.reproduce import study_package
from zeroseg.reproduce.study_package import key_path, tally, write_study
from zeroseg.segmentation import Segmentation
from zeroseg.vocabulary import Vocabulary

NAMES = ("Xylographer", "Quillworks")  # words that occur nowhere by themselves
VOCABULARY = Vocabulary(("dog", "grass", "</script>", "狗"), background=())


def halves(image: Image.Image, vocabulary: Vocabulary) -> Segmentation:
    """Dog left, grass right."""
    return painted(image, vocabulary, [0, 1])


def thirds(image: Image.Image, vocabulary: Vocabulary) -> Segmentation:
    """Grass, dog, and a label that ends scripts."""
    return painted(image, vocabulary, [1, 0, 2])


def painted(image: Image.Image, vocabulary: Vocabulary, stripes: list[int]) -> Segmentation:
    columns = np.array(stripes)[np.arange(image.width) * len(stripes) // image.width]
    class_map = np.tile(columns, (image.height, 1))
    return Segmentation(vocabulary.labels, class_map, np.zeros(len(vocabulary.labels)))


def study(folder: Path, count: int = 6, seed: int = 0, first=halves, second=thirds) -> Path:
    images = [(f"photo {number}", photo(48, 40, seed=number)) for number in range(count)]
    return write_study(folder, first, second, NAMES, images, VOCABULARY, seed)


def key_of(folder: Path) -> dict:
    return json.loads(key_path(folder).read_text())


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same_files(folder: Path, other: Path) -> bool:
    return files_in(folder) == files_in(other)


def pixels(folder: Path, picture: str) -> np.ndarray:
    with Image.open(folder / "pictures" / f"{picture}.png") as image:
        return np.asarray(image)


def answer(folder: Path, worker: str, answers: dict[str, str]) -> Path:
    path = folder.parent / f"answers-{worker}.json"
    belongs = json.loads((folder / "study.json").read_text())["study"]
    path.write_text(json.dumps({"study": belongs, "worker": worker, "answers": answers}))
    return path


def test_three_pictures_a_question_and_the_key_outside(tmp_path: Path):
    heard: list[int] = []
    images = [("a", photo(48, 40)), ("b", photo(30, 60).convert("L"))]
    folder = write_study(tmp_path / "study", halves, thirds, NAMES, iter(images), VOCABULARY, 0, heard.append)
    pictures = [f"pictures/{number}{side}.png" for number in ("000", "001") for side in ("", "-left", "-right")]
    assert folder == tmp_path / "study"
    assert sorted(files_in(folder)) == sorted([*pictures, "index.html", "study.json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study", "study-key.json"]
    assert heard == [1, 1]
    description = json.loads((folder / "study.json").read_text())
    assert description["pictures"] == {"000": "a", "001": "b"}
    assert description["vocabulary"]["labels"] == list(VOCABULARY.labels)
    assert description["study"] == key_of(folder)["study"]


def test_small_pictures_are_large_enough_to_see_and_the_sides_have_one_size(tmp_path: Path):
    folder = study(tmp_path / "study", 1)
    shown, left, right = (pixels(folder, picture) for picture in ("000", "000-left", "000-right"))
    assert shown.shape == (320, 384, 3)
    assert left.shape == right.shape
    np.testing.assert_array_equal(left[-1, -1], PAPER)


def test_a_label_has_one_colour_on_both_sides(tmp_path: Path):
    """Dog and grass change places between the methods, and one of them has a label more."""
    black = Image.new("RGB", (60, 60))
    folder = write_study(tmp_path / "study", halves, thirds, NAMES, [("black", black)], VOCABULARY)
    sides = key_of(folder)["questions"]["000"]
    by_method = {method: pixels(folder, f"000-{side}") for side, method in sides.items()}
    in_halves, in_thirds = by_method[NAMES[0]], by_method[NAMES[1]]
    dog, grass = in_halves[200, 100], in_halves[200, 320]
    np.testing.assert_array_equal(in_thirds[200, 60], grass)
    np.testing.assert_array_equal(in_thirds[200, 200], dog)
    assert abs(dog.astype(int) - grass).sum() > 50


def test_labels_beyond_the_palette_still_agree(tmp_path: Path):
    """Labels 0 and 64 would share a colour by their numbers, and which of them gives way depends on the picture."""
    words = Vocabulary(tuple(f"word {number}" for number in range(80)), background=())

    def both(image: Image.Image, vocabulary: Vocabulary) -> Segmentation:
        return painted(image, vocabulary, [0, 64])

    def one(image: Image.Image, vocabulary: Vocabulary) -> Segmentation:
        return painted(image, vocabulary, [64])

    folder = write_study(tmp_path / "study", both, one, NAMES, [("black", Image.new("RGB", (60, 60)))], words)
    left, right = (pixels(folder, f"000-{side}") for side in ("left", "right"))
    np.testing.assert_array_equal(left[200, 320], right[200, 320])


def test_nothing_handed_out_names_a_method(tmp_path: Path):
    folder = study(tmp_path / "study", 5, seed=7311)
    for name, content in files_in(folder).items():
        for method in (*NAMES, "7311"):
            assert method.lower() not in name.lower()
            assert method.lower().encode() not in content.lower(), f"{name} tells {method}"
    assert b"zeroseg" not in (folder / "index.html").read_bytes().lower()
    assert set(NAMES) == set(key_of(folder)["questions"]["000"].values())


@pytest.mark.parametrize("count", [1, 6, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_each_method_is_on_the_left_in_half_of_the_questions(tmp_path: Path, count: int, seed: int):
    sides = key_of(study(tmp_path / "study", count, seed))["questions"]
    on_the_left = [question["left"] for question in sides.values()].count(NAMES[0])
    assert len(sides) == count
    assert on_the_left in {count // 2, -(-count // 2)}
    assert all({question["left"], question["right"]} == set(NAMES) for question in sides.values())


def test_the_seed_decides_the_sides_and_nothing_else_does(tmp_path: Path):
    folders = [study(tmp_path / name, 8, seed) for name, seed in (("a", 3), ("b", 3), ("c", 4))]
    assert same_files(folders[0], folders[1])
    assert key_of(folders[0]) == key_of(folders[1])
    assert key_of(folders[0])["questions"] != key_of(folders[2])["questions"]


def test_the_sides_in_the_key_are_those_of_the_pictures(tmp_path: Path):
    """With the methods exchanged every picture changes sides, and so does the key."""
    one = study(tmp_path / "one", 4)
    other = write_study(
        tmp_path / "other",
        thirds,
        halves,
        (NAMES[1], NAMES[0]),
        [(f"photo {number}", photo(48, 40, seed=number)) for number in range(4)],
        VOCABULARY,
    )
    for number, sides in key_of(one)["questions"].items():
        opposite = key_of(other)["questions"][number]
        assert (sides["left"], sides["right"]) == (opposite["right"], opposite["left"])
        left, right = one / f"pictures/{number}-left.png", other / f"pictures/{number}-right.png"
        assert left.read_bytes() == right.read_bytes()


def test_the_page_needs_nothing_but_its_pictures(tmp_path: Path):
    folder = study(tmp_path / "study", 3)
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "http:" not in page
    assert "https:" not in page
    assert not re.findall(r"\[\[\w+\]\]", page)
    assert "You will see 3 pictures" in page
    data = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    asked = json.loads(data[0])
    assert [question["id"] for question in asked["questions"]] == ["000", "001", "002"]
    assert asked["study"] == key_of(folder)["study"]
    words = {asked["questions"][0][side] for side in ("left", "right")}
    assert words == {"dog 50%, grass 50%", "dog 33%, grass 33%, </script> 33%"}


def test_votes_are_counted_for_methods_not_for_sides(tmp_path: Path):
    folder = study(tmp_path / "study", 3)
    key = json.loads(key_path(folder).read_text())
    key["questions"] = {
        "000": {"left": NAMES[0], "right": NAMES[1]},
        "001": {"left": NAMES[1], "right": NAMES[0]},
        "002": {"left": NAMES[0], "right": NAMES[1]},
    }
    key_path(folder).write_text(json.dumps(key))
    ann = answer(folder, "ann", {"002": "left", "000": "left", "001": "left"})  # first, first, second
    bob = answer(folder, "bob", {"000": "right", "001": "right"})  # second, first; stopped early
    assert tally(key_path(folder), [ann, bob]) == {NAMES[0]: 3, NAMES[1]: 2}
    assert tally(key_path(folder), []) == {NAMES[0]: 0, NAMES[1]: 0}


def test_answers_that_do_not_belong_are_refused_in_one_sentence(tmp_path: Path):
    folder, other = study(tmp_path / "study", 2), study(tmp_path / "other", 3)
    key, good = key_path(folder), answer(folder, "ann", {"000": "left"})
    damaged = tmp_path / "damaged.json"
    damaged.write_text('{"study":')
    cases = {
        "another study": [answer(other, "bob", {"000": "left"})],
        "both from 'ann'": [good, good],
        "question '017'": [answer(folder, "cid", {"017": "left"})],
        "answers 'up'": [answer(folder, "dan", {"000": "up"})],
        "is not the answers file": [folder / "study.json"],
        "cannot be read": [damaged],
    }
    for words, answers in cases.items():
        with pytest.raises(DatasetError, match=words) as error:
            tally(key, answers)
        assert "\n" not in str(error.value)
    with pytest.raises(DatasetError, match="is not the key"):
        tally(good, [good])


def test_a_full_folder_is_refused_and_stays_as_it_was(tmp_path: Path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        study(tmp_path / "study")
    assert files_in(tmp_path) == {"study/mine.txt": b"mine"}


def test_the_key_of_an_earlier_study_is_never_overwritten(tmp_path: Path):
    folder = study(tmp_path / "study", 2)
    folder.rename(tmp_path / "handed out")
    before = files_in(tmp_path)
    with pytest.raises(OutputError, match="key of another study"):
        study(tmp_path / "study", 2, seed=1)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_interruption_leaves_nothing_behind(tmp_path: Path, interruption: type[BaseException]):
    seen: list[Image.Image] = []

    def stops(image: Image.Image, vocabulary: Vocabulary) -> Segmentation:
        seen.append(image)
        if len(seen) > 1:
            raise interruption("at the second picture")
        return halves(image, vocabulary)

    with pytest.raises(interruption, match="at the second picture"):
        study(tmp_path / "study", 3, first=stops)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_at_the_very_end_takes_the_key_away_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write = study_package.write_text_atomically

    def interrupted(path: Path, text: str) -> None:
        write(path, text)
        if path.name.endswith("-key.json"):
            raise KeyboardInterrupt("ctrl-c")

    monkeypatch.setattr(study_package, "write_text_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt, match="ctrl-c"):
        study(tmp_path / "study", 1)
    assert list(tmp_path.iterdir()) == []


def test_a_study_needs_pictures_and_two_names(tmp_path: Path):
    with pytest.raises(DatasetError, match="at least one picture"):
        write_study(tmp_path / "study", halves, thirds, NAMES, [], VOCABULARY)
    with pytest.raises(ValueError, match="two names"):
        write_study(tmp_path / "study", halves, thirds, ("one", "one"), [("a", photo())], VOCABULARY)
    assert list(tmp_path.iterdir()) == []

"""The packages: Mechanical Turk's template fits its table, the page works as a file, and nothing tells a model."""

import csv
import json
import re
from pathlib import Path
from random import Random

import pytest

from tests.study.drawn import NAMES, drawn_study
from zeroseg.errors import DatasetError, OutputError
from zeroseg.study import export_mturk, export_page, read_key, read_questions
from zeroseg.study.exporting import assignments
from zeroseg.study.questions import Key, Secret

URL = "https://pictures.example.org/study/"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_study(tmp_path_factory.mktemp("study") / "study", 10, seed=731_199, check_every=5)


def table_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "mturk.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_question_is_asked_once_with_a_check_in_each_assignment(study: Path, tmp_path: Path):
    assert export_mturk(study, tmp_path / "mturk", URL, 6) == 2
    rows, key = table_of(tmp_path / "mturk"), read_key(study)
    asked = [[row[f"question_{k}"] for k in range(1, 7)] for row in rows]
    assert sorted(name for row in asked for name in row if name not in key.checks) == sorted(key.real)
    assert [len(set(row) & set(key.checks)) for row in asked] == [1, 1]


def test_rows_that_are_too_short_are_filled_with_questions_that_do_not_count(study: Path, tmp_path: Path):
    assert export_mturk(study, tmp_path / "mturk", URL, 5) == 3
    rows = table_of(tmp_path / "mturk")
    names = [row[f"question_{k}"] for row in rows for k in range(1, 6)]
    assert names.count("") == 2
    assert sorted(filter(None, names)) == sorted(read_key(study).questions)
    checks = {one.picture for one in read_questions(study).questions if one.id in read_key(study).checks}
    again = [row[f"picture_{k}"] for row in rows for k in range(1, 6) if not row[f"question_{k}"]]
    assert all(cell for row in rows for column, cell in row.items() if not column.startswith("question"))
    assert not [address for address in again if Path(address).stem in checks]


@pytest.mark.parametrize("checks", [0, 1, 3, 9])
@pytest.mark.parametrize(("count", "size", "rows"), [(12, 11, 2), (40, 11, 4), (41, 11, 5), (7, 2, 7), (5, 20, 1)])
def test_questions_are_divided_evenly(count: int, size: int, rows: int, checks: int):
    real = {f"q{number}": Secret("", *NAMES) for number in range(count)}
    asked = {f"c{number}": Secret("", *((None, "a") if number % 2 else ("a", None))) for number in range(checks)}
    found = assignments(Key("study", NAMES, 0, real | asked, ""), size, Random(3))
    assert sorted(name for row in found for name in row if name in real) == sorted(real)
    lengths = [len(row) for row in found]
    assert max(lengths) <= size
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] - lengths[-1] <= 1
    if checks:
        assert len(found) == rows
        assert len({len({*row} & {*asked}) for row in found}) == 1, "everybody has as many checks"
        assert min(len({*row} & {*asked}) for row in found) >= 1
    assert all(len({*row}) == len(row) for row in found)


def test_the_template_uses_exactly_the_columns(study: Path, tmp_path: Path):
    export_mturk(study, tmp_path / "mturk", URL, 6)
    template, row = (tmp_path / "mturk" / "mturk.html").read_text(), table_of(tmp_path / "mturk")[0]
    used = set(re.findall(r"\$\{(\w+)\}", template))
    assert used | {f"question_{k}" for k in range(1, 7)} == set(row)
    assert template.count('type="radio"') == 12
    assert not re.findall(r"\[\[\w+\]\]", template)
    for k in range(1, 7):
        for name in ("picture", "left", "right"):
            address = row[f"{name}_{k}"]
            assert address.startswith(URL)
            assert (tmp_path / "mturk" / "pictures" / address.removeprefix(URL)).is_file()
    assert "</script>" not in "".join(row.values()), "labels are escaped"
    assert "&lt;/script&gt; 33%" in "".join(cell for row in table_of(tmp_path / "mturk") for cell in row.values())


def test_the_page_needs_nothing_but_its_pictures(study: Path, tmp_path: Path):
    assert export_page(study, tmp_path / "page") == 13
    page = (tmp_path / "page" / "index.html").read_text()
    assert not re.search(r"https?:(?!//www.w3.org)", page)
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    asked = json.loads(data)
    assert [question["id"] for question in asked["questions"]] == [one.id for one in read_questions(study).questions]
    assert asked["votes"] is None
    assert all((tmp_path / "page" / "pictures" / f"{one['left']}.jpg").is_file() for one in asked["questions"])


def test_nothing_handed_out_names_a_model(study: Path, tmp_path: Path):
    export_mturk(study, tmp_path / "mturk", URL, 6)
    export_page(study, tmp_path / "page")
    for path in tmp_path.rglob("*.*"):
        assert "key" not in path.name
        for word in (*NAMES, "731199", "photo 1"):
            assert word.lower().encode() not in path.read_bytes().lower(), f"{path.name} tells {word}"


def test_what_makes_no_sense(study: Path, tmp_path: Path):
    with pytest.raises(DatasetError, match="begins with https://, not 'pictures'"):
        export_mturk(study, tmp_path / "mturk", "pictures", 6)
    with pytest.raises(DatasetError, match="1 are too few"):
        export_mturk(study, tmp_path / "mturk", URL, 1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    for export in (lambda out: export_mturk(study, out, URL, 6), lambda out: export_page(study, out)):
        with pytest.raises(OutputError, match="not empty"):
            export(tmp_path / "full")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_a_missing_picture_is_named(tmp_path: Path):
    study = drawn_study(tmp_path / "study", 2)
    picture = study / "pictures" / f"{read_questions(study).questions[0].left}.jpg"
    picture.unlink()
    with pytest.raises(DatasetError, match=f"{picture.name}' is missing"):
        export_page(study, tmp_path / "page")
    picture.mkdir()
    with pytest.raises(DatasetError, match="is missing"):
        export_page(study, tmp_path / "page")

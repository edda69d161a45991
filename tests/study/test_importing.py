"""Answers from files: Mechanical Turk's results in both forms, tables, downloads; and errors that name the line."""

import csv
import json
import re
from pathlib import Path

import pytest

from tests.study.drawn import drawn_study
from zeroseg.errors import DatasetError
from zeroseg.study import Answers, export_mturk, read_answers
from zeroseg.study.questions import Key


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_study(tmp_path_factory.mktemp("study") / "study", 5)


@pytest.fixture(scope="module")
def key(study: Path) -> Key:
    return Answers(study).key


def batch_results(study: Path, folder: Path, split: bool) -> Path:
    """What Mechanical Turk gives back for the exported table: two workers answer every row, one is rejected."""
    export_mturk(study, folder / "mturk", "https://example.org", 4)
    with (folder / "mturk" / "mturk.csv").open(encoding="utf-8", newline="") as file:
        asked = list(csv.DictReader(file))
    rows = []
    for number, row in enumerate(asked):
        for worker in ("A1", "B2", "C3"):
            given: dict[str, str] = {"HITId": f"H{number}", "WorkerId": worker}
            given["AssignmentStatus"] = "Rejected" if worker == "C3" else "Approved"
            given |= {f"Input.{name}": cell for name, cell in row.items()}
            for k in range(1, 5):
                side = "left" if worker == "A1" else "right"
                if split:
                    given |= {f"Answer.answer_{k}.{one}": str(one == side).lower() for one in ("left", "right")}
                else:
                    given[f"Answer.answer_{k}"] = side
            rows.append(given)
    path = folder / "Batch_1_batch_results.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


@pytest.mark.parametrize("split", [False, True])
def test_results_of_mechanical_turk(study: Path, key: Key, tmp_path: Path, split: bool):
    votes = read_answers(batch_results(study, tmp_path, split), key)
    assert {(vote.rater, vote.side) for vote in votes} == {("A1", "left"), ("B2", "right")}
    answered = [vote.question for vote in votes if vote.rater == "A1"]
    assert sorted({*answered} & {*key.real}) == sorted(key.real)
    assert len(answered) == len({*answered}) == len(key.real) + 2, "two assignments with a check each"


def test_a_simple_table_and_a_download(key: Key, tmp_path: Path):
    first, second = key.real[:2]
    table = tmp_path / "votes.csv"
    table.write_text(
        f"\ufeffrater,question,answer,note\nann,{first},left,x\nbob,{first}, right ,\nann,{second},right,\n"
    )
    found = [(vote.rater, vote.question, vote.side) for vote in read_answers(table, key)]
    assert found == [("ann", first, "left"), ("bob", first, "right"), ("ann", second, "right")]
    page = tmp_path / "answers-ann.json"
    page.write_text(json.dumps({"study": key.study, "rater": "ann", "answers": {first: "left"}}))
    assert [(vote.rater, vote.question, vote.side) for vote in read_answers(page, key)] == [("ann", first, "left")]


def refused(path: Path, text: str, key: Key, *words: str) -> None:
    path.write_text(text)
    with pytest.raises(DatasetError, match=re.escape(path.name)) as error:
        read_answers(path, key)
    said = str(error.value)
    assert "\n" not in said
    for word in words:
        assert word in said, said


def test_errors_name_the_line(key: Key, tmp_path: Path):
    table, head, first = tmp_path / "votes.csv", "rater,question,answer\n", key.real[0]
    refused(table, f"{head}ann,{first},left\nann,q17,left\n", key, "line 3", "'q17'")
    refused(table, f"{head}ann,{first},up\n", key, "line 2", "'up'", "left or right")
    refused(table, f"{head}ann,{first}\n", key, "line 2", "''")
    refused(table, f"{head} ,{first},left\n", key, "line 2", "who answers")
    refused(table, f"{head}ann,{first},left\nann,{first},right\n", key, "line 3", "second answer of 'ann'", "line 2")
    refused(table, "worker,question,answer\n", key, "line 1", "rater, question, answer", "commas")
    refused(table, "", key, "line 1")
    refused(table, f'{head}ann,{first},"left"x\n', key, "line 2", "no line of a table")
    refused(table, "WorkerId,Answer.answer_1\nA1,left\n", key, "line 1", "Input.question_1")
    refused(table, f"WorkerId,Input.question_1\nA1,{first}\n", key, "line 2", "''")
    both = "WorkerId,Input.question_1,Answer.answer_1.left,Answer.answer_1.right\n"
    refused(table, f"{both}A1,{first},true,true\n", key, "line 2", "'left and right'")


def test_a_rater_with_a_link_is_refused(key: Key, tmp_path: Path):
    table, page = tmp_path / "votes.csv", tmp_path / "answers.json"
    table.write_text(f"rater,question,answer\nann,{key.real[0]},left\nrater 1 ,{key.real[0]},left\n")
    page.write_text(json.dumps({"study": key.study, "rater": "rater 1", "answers": {key.real[0]: "left"}}, indent=1))
    assert len(read_answers(table, key, {"rater 2"})) == 2
    for path, line in ((table, 3), (page, 5)):
        with pytest.raises(DatasetError, match=f"line {line} of .*{path.name}' answers as 'rater 1', who has a link"):
            read_answers(path, key, {"rater 1"})


@pytest.mark.parametrize("name", ["votes.csv", "answers.json"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_other_encodings_are_refused(key: Key, tmp_path: Path, name: str, encoding: str):
    path = tmp_path / name
    path.write_bytes(f"rater,question,answer\nRené,{key.real[0]},left\n".encode(encoding))
    with pytest.raises(DatasetError, match=f"{name}' is no text in UTF-8: save it again, with the encoding UTF-8"):
        read_answers(path, key)


@pytest.mark.parametrize(("mark", "words"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_another_separator_is_named(key: Key, tmp_path: Path, mark: str, words: str):
    for names in ("rater,question,answer", '"rater","question","answer"', "HITId,WorkerId,Input.question_1"):
        text = f"{names}\r\nann,{key.real[0]},left\r\n".replace(",", mark)
        refused(tmp_path / "votes.csv", text, key, f"has {words} as the separator", "commas")


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\x0b", "\x1c"])
def test_only_line_ends_end_a_line(key: Key, tmp_path: Path, mark: str):
    table, page, name = tmp_path / "votes.csv", tmp_path / "answers.json", f"a{mark}b"
    for end in ("\n", "\r\n", "\r"):
        lines = ["rater,question,answer", *(f"{name},{one},left" for one in key.real[:2]), "ann,q17,left"]
        table.write_bytes(end.join(lines[:3]).encode())
        assert [vote.rater for vote in read_answers(table, key)] == [name] * 2
        table.write_bytes(end.join(lines).encode())
        with pytest.raises(DatasetError, match=r"line 4 .*'q17'"):
            read_answers(table, key)
    content = {"study": key.study, "rater": f"a{mark}b", "answers": {"q17": "left"}}
    page.write_text(json.dumps(content, indent=1, ensure_ascii=False))
    with pytest.raises(DatasetError, match=r"line 5 .*'q17'"):
        read_answers(page, key)


def test_errors_of_downloads(key: Key, tmp_path: Path):
    page = tmp_path / "answers.json"
    refused(page, "{", key, "no file of answers")
    refused(page, "[]", key, "no file of answers")
    refused(page, "[" * 200_000, key, "no file of answers")
    for name in (None, 1, ["ann"]):
        refused(page, json.dumps({"study": key.study, "rater": name, "answers": {}}), key, "no file of answers")
    for name in ("\ud800", "a\0b", "a" * 201):
        answer = {"study": key.study, "rater": name, "answers": {key.real[0]: "left"}}
        refused(page, json.dumps(answer), key, "no name of a rater")
    refused(page, json.dumps({"study": "other", "rater": "ann", "answers": {}}), key, "another study")
    answers = {key.real[0]: "left", "q17": "left"}
    refused(
        page, json.dumps({"study": key.study, "rater": "ann", "answers": answers}, indent=1), key, "line 6", "'q17'"
    )
    with pytest.raises(DatasetError, match="No such file"):
        read_answers(tmp_path / "none.csv", key)

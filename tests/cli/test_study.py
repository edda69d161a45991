"""`zeroseg study`: from new to report on the command line, and what it refuses."""

import json
import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call, Models, assert_one_sentence
from tests.study.drawn import drawn_study
from tests.tiny import write_photos
from zeroseg.study import Answers, read_key, read_questions, writing
from zeroseg.web import server

LINK = re.compile(r"^(rater \d+): (\S+)/r/(\S+)  \((\d+) of (\d+) answered\)$", re.MULTILINE)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    write_photos(tmp_path / "photos", 4)
    return tmp_path / "photos"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return drawn_study(tmp_path / "study", 3, votes=2)


def test_models_from_new_to_report(call: Call, models: Models, photos: Path, tmp_path: Path):
    """A model against itself, under the names of two folders."""
    (tmp_path / "copy").symlink_to(models.student)
    words = ["--models", models.student, tmp_path / "copy", "--pictures", photos, "--labels", "dog, cat, tree, sky"]
    said = call("study", "new", "--out", tmp_path / "study", *words, "--count", 3, "--votes", 2, "--seed", 1)
    assert_one_sentence(said, 0, "3 attention checks may be hard")  # the model is untrained
    assert said.out.startswith(f"3 questions and 3 attention checks: {tmp_path / 'study'}\n")
    key = read_key(tmp_path / "study")
    assert key.models == (str(models.student), str(tmp_path / "copy"))
    assert {row.label for one in read_questions(tmp_path / "study").questions for row in one.left_legend} <= {
        *("dog", "cat", "tree", "sky", "no name fits")
    }
    said = call("study", "invite", tmp_path / "study", "--raters", 2, "--url", "https://study.example.org/")
    found = LINK.findall(said.out)
    assert [(name, url, asked) for name, url, _, _, asked in found] == [
        ("rater 1", "https://study.example.org", "6"),
        ("rater 2", "https://study.example.org", "6"),
    ]
    answers = Answers(tmp_path / "study")
    for question in answers.asked(found[0][2]) or {}:
        answers.vote(found[0][2], question, answers.key.questions[question].right_answer or "left")
    assert "(6 of 6 answered)" in call("study", "invite", tmp_path / "study").out
    said = call("study", "report", tmp_path / "study", "--out", tmp_path / "report")
    assert said.code == 0, said.err
    assert " of 3 votes" in said.out
    assert said.out.endswith(f"the report: {tmp_path / 'report/report.html'}\n")
    assert "3 votes on 3 pictures" in (tmp_path / "report/report.md").read_text()


def test_every_pixel_has_a_label_and_a_name_of_imagenet(call: Call, models: Models, photos: Path, tmp_path: Path):
    (tmp_path / "copy").symlink_to(models.student)
    words = ["--models", models.student, tmp_path / "copy", "--pictures", photos, "--count", 1, "--no-background"]
    said = call("study", "new", "--out", tmp_path / "study", *words, "--check-every", 0)
    assert (said.code, said.err) == (
        0,
        "zeroseg: without labels, the models choose from the names of ImageNet's 1,000 classes.\n",
    )
    questions = read_questions(tmp_path / "study")
    assert (questions.labels, len(questions.questions)) == (1000, 1)
    assert "background" not in {row.label for row in questions.questions[0].left_legend}


def test_results_of_two_runs(call: Call, models: Models, photos: Path, tmp_path: Path):
    for name, margin in (("a", 0.0), ("b", 3.0)):
        words = ["--labels", "dog, cat", "--model", models.student, "--margin", margin, "--out", tmp_path / name]
        assert call("segment", photos, *words).code == 0
    words = ["study", "new", "--results", tmp_path / "a", tmp_path / "b", "--pictures", photos, "--count"]
    assert call(*words, 4, "--out", tmp_path / "study").code == 0
    assert read_key(tmp_path / "study").models == ("a", "b")
    assert_one_sentence(call(*words, 5, "--out", tmp_path / "other"), 1, "needs 5 pictures", "there are 4", "--count")
    assert_one_sentence(call(*words, 4, "--out", tmp_path / "study"), 1, "not empty")


def test_the_same_command_goes_on_where_it_was_stopped(
    call: Call, models: Models, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Also without --seed: what is drawn so far has one."""
    (tmp_path / "copy").symlink_to(models.student)
    words = ["study", "new", "--out", tmp_path / "study", "--models", models.student, tmp_path / "copy"]
    words += ["--pictures", photos, "--labels", "dog, cat"]
    draw, drawn = writing.draw_pair, list[object]()

    def interrupted(*given: Any) -> Any:
        drawn.append(given)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return draw(*given)

    monkeypatch.setattr(writing, "draw_pair", interrupted)
    said = call(*words, "--count", 2)
    hidden = tmp_path / ".study.unfinished"
    assert (said.code, said.err) == (
        130,
        f"zeroseg: stopped: 2 of 4 questions are drawn, and wait in {hidden}; the same command goes on with the "
        "others.\n",
    )
    assert not (tmp_path / "study").exists()
    assert_one_sentence(call(*words, "--count", 3), 1, "other settings (count)", str(hidden))
    said = call(*words, "--count", 2)
    assert said.code == 0, said.err
    assert "zeroseg: 2 of the questions were drawn before it was stopped.\n" in said.err
    assert len(drawn) == 3 + 2
    assert len(read_questions(tmp_path / "study").questions) == 4
    assert not hidden.exists()


def test_a_full_folder_is_refused_before_models_are_loaded(call: Call, photos: Path, tmp_path: Path):
    """The models do not exist, and nothing complains of them."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.txt").write_text("mine")
    words = ["--models", "no-model", "no-other-model", "--labels", "dog, cat", "--count", 2]
    said = call("study", "new", "--out", tmp_path / "study", "--pictures", photos, *words)
    assert_one_sentence(said, 1, "is not empty")


def test_checks_that_may_be_hard_are_said(
    call: Call, models: Models, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """No model divides any picture: then a check may be no better than its wrong side, and people fail it who look."""
    monkeypatch.setattr(writing, "plausibility", lambda _: (False, 0.5))
    (tmp_path / "copy").symlink_to(models.student)
    words = ["--models", models.student, tmp_path / "copy", "--pictures", photos, "--labels", "dog, cat"]
    said = call("study", "new", "--out", tmp_path / "study", *words, "--count", 1)
    assert_one_sentence(said, 0, "1 attention check may be hard", "doubtful")
    key = read_key(tmp_path / "study")
    assert key.doubtful == key.checks
    assert repr(key.questions[key.checks[0]].photo) in said.err


def test_new_refuses(call: Call, photos: Path, tmp_path: Path):
    words = ["study", "new", "--out", tmp_path / "study", "--pictures", photos]
    assert_one_sentence(call(*words), 2, "--models", "--results")
    assert_one_sentence(call(*words, "--models", "a", "b", "--results", photos), 2, "--models")
    assert_one_sentence(call(*words, "--models", "a", "a"), 2, "all of them different")
    assert_one_sentence(call(*words, "--results", "a", "b", "--no-background"), 2, "--results have labels")
    assert_one_sentence(call(*words, "--models", "a", "b", "--count", 0), 2, "--count")
    assert_one_sentence(call(*words, "--models", "a", "b", "--votes", 0), 2, "--votes")
    assert_one_sentence(call(*words, "--models", "a", "b", "--check-every", -1), 2, "--check-every")
    assert_one_sentence(call(*words, "--models", "a", "b", "--labels", "dog"), 1, "needs 200 pictures", "there are 4")
    missing = ["study", "new", "--out", tmp_path / "study", "--pictures", tmp_path / "none", "--models", "a", "b"]
    assert_one_sentence(call(*missing), 1, "none")
    assert not (tmp_path / "study").exists()


def test_export_and_import(call: Call, study: Path, tmp_path: Path):
    said = call(
        "study", "export", study, "--out", tmp_path / "mturk", "--url", "https://example.org", "--per-assignment", 4
    )
    assert said.out == f"1 assignment: {tmp_path / 'mturk/mturk.html'} and {tmp_path / 'mturk/mturk.csv'}\n"
    assert call("study", "export", study, "--to", "page", "--out", tmp_path / "page").out.startswith("6 questions: ")
    key = read_key(study)
    table, page = tmp_path / "votes.csv", tmp_path / "answers-bob.json"
    table.write_text("rater,question,answer\n" + "".join(f"ann,{name},left\n" for name in key.questions))
    page.write_text(json.dumps({"study": key.study, "rater": "bob", "answers": {key.real[0]: "right"}}))
    said = call("study", "import", study, table, page)
    assert said.out == f"{table}: 6 answers, 6 of them new or changed\n{page}: 1 answers, 1 of them new or changed\n"
    assert "6 answers, 0 of them new" in call("study", "import", study, table).out
    assert call("study", "invite", study).out == "ann: (imported)  (6 answered)\nbob: (imported)  (1 answered)\n"
    table.write_text("rater,question,answer\nann,q,left\n")
    assert_one_sentence(call("study", "import", study, page, table), 1, "line 2", "votes.csv")
    assert_one_sentence(call("study", "import", study), 2, "name a file")


def test_more_raters_than_places(call: Call, study: Path):
    """3 pictures for 2 raters each are 6 places."""
    assert call("study", "invite", study, "--raters", 2).err == ""
    said = call("study", "invite", study, "--raters", 3)
    assert said.err == (
        "zeroseg: there are more new raters than open places: 6 of their questions are also those of others, who have "
        "not answered yet, and may get more than 2 votes.\n"
    )
    found, answers = LINK.findall(said.out), Answers(study)
    assert len(found) == 3
    assert all(set(answers.asked(token) or {}) & set(answers.key.real) for _, _, token, _, _ in found)


def test_a_file_cannot_answer_for_a_rater_with_a_link(call: Call, study: Path, tmp_path: Path):
    answers = Answers(study)
    token = answers.invite(1)[0].token or ""
    question = next(name for name in answers.asked(token) or {} if name in answers.key.real)
    answers.vote(token, question, "left")
    table, other = tmp_path / "votes.csv", tmp_path / "other.csv"
    other.write_text(f"rater,question,answer\nann,{question},right\n")
    table.write_text(f"rater,question,answer\nann,{question},right\nrater 1,{question},right\n")
    assert_one_sentence(call("study", "import", study, other, table), 1, "line 3", "votes.csv", "'rater 1'")
    assert [(vote.rater, vote.side) for vote in answers.votes()] == [("rater 1", "left")]


def test_what_makes_no_sense(call: Call, study: Path, tmp_path: Path):
    assert_one_sentence(call("study", "nwe"), 2, "nwe", "new, invite, serve")
    assert_one_sentence(call("study", "invite", tmp_path), 1, "is no study")
    assert_one_sentence(call("study", "invite", study, "--raters", -1), 2, "--raters")
    assert_one_sentence(call("study", "export", study, "--out", tmp_path / "x"), 2, "--url")
    assert_one_sentence(call("study", "report", study, "--out", tmp_path / "x"), 1, "nobody has voted")
    assert_one_sentence(call("study", "report", study, "--out", tmp_path / "x", "--passing", 2), 2, "--passing")
    assert_one_sentence(call("study", "serve", study, "--port", 70_000), 2, "--port")
    assert "usage: zeroseg study" in call("study").out


def test_serve_invites_and_prints_links(call: Call, study: Path, monkeypatch: pytest.MonkeyPatch):
    heard: list[tuple[object, int, float]] = []

    def serve(app: object, listener: socket.socket, seconds: float, ready: object = None) -> None:
        heard.append((app, listener.getsockname()[1], seconds))
        assert callable(ready)
        ready()

    monkeypatch.setattr(server, "serve", serve)
    said = call("study", "serve", study, "--raters", 2, "--port", 0)
    ((_, port, _),) = heard
    assert (said.code, said.err) == (0, "")
    assert [found[1] for found in LINK.findall(said.out)] == [f"http://localhost:{port}"] * 2
    assert said.out.endswith(f"http://localhost:{port} is ready; Ctrl-C ends it.\nended.\n")
    again = call("study", "serve", study, "--raters", 2, "--port", 0, "--url", "https://study.example.org")
    assert [found[1:3] for found in LINK.findall(again.out)] == [
        ("https://study.example.org", found[2]) for found in LINK.findall(said.out)
    ]


def test_invitations_have_the_address_that_was_last_served(call: Call, study: Path, monkeypatch: pytest.MonkeyPatch):
    def urls(*words: object) -> set[str]:
        return {found[1] for found in LINK.findall(call("study", "invite", study, *words).out)}

    monkeypatch.setattr(server, "serve", lambda *given: given[3]())
    assert urls("--raters", 1) == {"http://localhost:8000"}, "it was never served"
    served = LINK.findall(call("study", "serve", study, "--port", 0).out)
    assert urls("--raters", 1) == urls() == {found[1] for found in served} != {"http://localhost:8000"}
    assert urls("--url", "https://other.example.org") == {"https://other.example.org"}
    call("study", "serve", study, "--port", 0, "--url", "https://study.example.org")
    assert urls() == {"https://study.example.org"}


def test_the_help_of_new_says_what_happens_without_labels(call: Call):
    said = " ".join(call("study", "new", "--help").out.replace("\u2502", " ").split())
    assert "required)" not in said.split("--labels WORDS")[1].split("--labels-file")[0]
    assert "(default: the names of ImageNet's 1,000 classes)" in said
    assert "Give every pixel its best label, as in the paper." in said.split("--no-background")[1]
    assert "True" not in said


def test_one_question_and_one_check(call: Call, models: Models, photos: Path, tmp_path: Path):
    (tmp_path / "copy").symlink_to(models.student)
    words = ["--models", models.student, tmp_path / "copy", "--pictures", photos, "--labels", "dog, cat"]
    said = call("study", "new", "--out", tmp_path / "new", *words, "--count", 1)
    assert said.out.startswith(f"1 question and 1 attention check: {tmp_path / 'new'}\n")


def test_links_of_an_ipv6_address_are_urls(call: Call, study: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server, "listening", lambda *_: socket.create_server(("localhost", 0)))
    monkeypatch.setattr(server, "serve", lambda *given: given[3]())
    said = call("study", "serve", study, "--raters", 1, "--host", "::1", "--port", 0)
    ((_, url, *_),) = LINK.findall(said.out)
    assert re.fullmatch(r"http://\[::1\]:\d+", url)
    assert f"{url} is ready" in said.out


def test_links_that_other_machines_cannot_open_are_said(call: Call, study: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server, "listening", lambda *_: socket.create_server(("localhost", 0)))
    monkeypatch.setattr(server, "serve", lambda *given: given[3]())
    words = ["study", "serve", study, "--raters", 1, "--host", "0.0.0.0"]
    assert "no address for other machines: name theirs as --url" in call(*words).err
    assert "no address" not in call(*words, "--url", "https://study.example.org").err


def test_serve_says_what_is_missing(call: Call, study: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server, "serve", lambda *_: None)
    said = call("study", "serve", study, "--port", 0)
    assert "nobody is invited yet" in said.err
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        said = call("study", "serve", study, "--port", port, "--raters", 1)
    assert_one_sentence(said, 2, f"port {port}", "--port")
    for name in [name for name in sys.modules if name.startswith(("starlette", "zeroseg.study.app", "zeroseg.web"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    assert_one_sentence(call("study", "serve", study), 2, 'pip install "zeroseg[web]"')

"""The report: figures that agree with the votes, all pictures, failed raters named, nothing that a name could break."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.study.drawn import NAMES, PAINTERS, THREE, answered_study, drawn_study, simulated_votes
from zeroseg.errors import DatasetError
from zeroseg.study import Answers, Vote, write_report
from zeroseg.study.results import preference


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """A study in which the last of five raters answers by chance."""
    return answered_study(tmp_path_factory.mktemp("study") / "study", careless=(4,), count=12, check_every=3)


def test_markdown_and_page_have_the_figures_and_all_pictures(answers: Answers, tmp_path: Path):
    (line,) = write_report(answers.folder, tmp_path)
    text, page = (tmp_path / "report.md").read_text(), (tmp_path / "report.html").read_text()
    passed = [vote for vote in answers.votes() if vote.rater != "rater 4"]
    found = preference(passed, answers.key, NAMES)
    assert f"{found.won} of 48, p " in line
    headline = text.split("##")[0].replace("`", "").replace("**", "")
    assert line.split(";")[0] in headline, "the report begins with the same words"
    agreement = text.split("## Agreement")[1].split("##")[0]
    assert f"| pictures for `{NAMES[0]}` | for `{NAMES[1]}` | tied |" in agreement
    assert f"| {' | '.join(map(str, found.majorities))} |" in agreement
    assert f"{found.won} of 48 | {100 * (found.share or 0):.1f} %" in text
    everybody = preference(answers.votes(), answers.key, NAMES)
    assert f"| all | {everybody.won} of 60 | {100 * (everybody.share or 0):.1f} %" in text
    assert "5 raters gave 60 votes on 12 pictures" in text
    assert "Of the raters, 1 failed" in text
    assert f"is preferred to `{NAMES[1]}` in {100 * (found.share or 0):.1f} %" in text.split("##")[0]
    assert re.search(r"dog 50%, \w", text.split("## Pictures")[1]), "other signs stay"
    assert "(fewer than 80 % right)" in text
    assert "| `rater 4` | 12 |" in text.split("## Raters")[1]
    assert "**failed**" in text
    assert len(re.findall(r"!\[.*?\]\(pictures/\w+\.jpg\)", text)) == 12
    assert page.count("data:image/jpeg") == 12
    assert "## Strengths" not in text
    with Image.open(next((tmp_path / "pictures").iterdir())) as sheet:
        assert sheet.width > 1000
    assert write_report(answers.folder, tmp_path) == [line], "again, over its own files"


def test_names_below_a_picture_have_their_colours(answers: Answers, tmp_path: Path):
    write_report(answers.folder, tmp_path)
    for question in answers.questions.questions:
        if question.id in answers.key.real:
            with Image.open(tmp_path / "pictures" / f"{question.id}.jpg") as sheet:
                seen = np.asarray(sheet).astype(int).reshape(-1, 3)
            for row in (*question.left_legend, *question.right_legend):
                colour = [int(row.colour[k : k + 2], 16) for k in (1, 3, 5)]
                assert (abs(seen - colour).max(axis=1) < 12).sum() > 40, row


def test_three_models_have_strengths(tmp_path: Path):
    answers = Answers(drawn_study(tmp_path / "study", 6, models=THREE))
    answers.add([Vote("ann", question, "left", "") for question in answers.key.questions])
    answers.add([Vote("bob", question, "right", "") for question in answers.key.real])
    lines = write_report(answers.folder, tmp_path / "report", least=0.0)
    assert len(lines) == 3
    text = (tmp_path / "report" / "report.md").read_text()
    assert "## Strengths" in text
    assert "1 answered no check" in text


def test_a_model_without_votes_has_a_dash(tmp_path: Path):
    answers = Answers(drawn_study(tmp_path / "study", 6, models=THREE))
    one = next(name for name in answers.key.real if {*THREE} - {*NAMES} & {answers.key.questions[name].left})
    left_out = {*THREE} - {answers.key.questions[one].left, answers.key.questions[one].right}
    answers.add([Vote("ann", one, "left", "")])
    write_report(answers.folder, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text()
    assert f"| `{left_out.pop()}` | \u2013 | \u2013 |" in text.split("## Strengths")[1]


@pytest.mark.parametrize(("count", "raters", "votes"), [(1, 1, "1 vote"), (37, 4, "148 votes")])
def test_few_or_unanimous_votes_have_wilsons_interval(tmp_path: Path, count: int, raters: int, votes: str):
    answers = Answers(drawn_study(tmp_path / "study", count))
    answers.add(simulated_votes(answers.key, raters, 1.0, np.random.default_rng(0)))
    (line,) = write_report(answers.folder, tmp_path / "report")
    headline, preferred, *_ = (tmp_path / "report" / "report.md").read_text().split("## ")
    assert "to 100.0 % | \u2013 |" in preferred, "and no resampled one: it would be 100 to 100 %"
    assert "100.0 to 100.0 %" not in preferred
    low = {1: "20.7", 37: "97.5"}[count]
    assert f"in 100.0 % of {votes}** ({low} to 100.0 % by Wilson, because" in headline
    assert f"in 100.0 % of {votes} ({low} to 100.0 % by Wilson, because" in line


def test_groups_that_no_vote_connects_are_said(tmp_path: Path):
    """Two pairs of four models have votes, so there are two scales, and the report says so."""
    four = {**THREE, "Fabricator": PAINTERS[NAMES[0]]}
    answers = Answers(drawn_study(tmp_path / "study", 12, models=four))
    pairs = [{*NAMES}, {*four} - {*NAMES}]
    answers.add(
        Vote("ann", name, "left", "")
        for name in answers.key.real
        if {answers.key.questions[name].left, answers.key.questions[name].right} in pairs
    )
    assert len(write_report(answers.folder, tmp_path / "report")) == 2, "one for each pair that has votes"
    whole = (tmp_path / "report" / "report.md").read_text()
    assert "Of the 6 pairs of models, 4 have no votes." in whole
    assert "0 of 0" not in whole.split("## Preference")[1].split("## Raters")[0]
    text = whole.split("## Strengths")[1].split("## ")[0]
    assert "These are 2 groups of models" in text
    rows = re.findall(r"^\| (\d) \| `(\w+)`", text, re.MULTILINE)
    assert [{model for number, model in rows if number == group} for group in "12"] == pairs
    connected = Answers(drawn_study(tmp_path / "connected", 12, models=four))
    connected.add(Vote("ann", name, "left", "") for name in connected.key.real)
    write_report(connected.folder, tmp_path / "other")
    assert "groups" not in (tmp_path / "other" / "report.md").read_text()


def test_other_votes_have_the_resampled_interval(answers: Answers, tmp_path: Path):
    write_report(answers.folder, tmp_path)
    headline = (tmp_path / "report.md").read_text().split("## ")[0]
    assert "where pictures and raters are resampled)" in headline
    assert "Wilson" not in headline


def test_without_checks_and_with_everybody_failed(tmp_path: Path):
    answers = Answers(drawn_study(tmp_path / "none", 3, check_every=0))
    answers.add(simulated_votes(answers.key, 2, 1.0, np.random.default_rng(0)))
    write_report(answers.folder, tmp_path / "report")
    assert "There were no attention checks" in (tmp_path / "report" / "report.md").read_text()
    other = Answers(drawn_study(tmp_path / "failed", 3))
    check = other.key.checks[0]
    wrong = "right" if other.key.questions[check].right_answer == "left" else "left"
    other.add([Vote("ann", check, wrong, ""), Vote("ann", other.key.real[0], "left", "")])
    (line,) = write_report(other.folder, tmp_path / "other")
    assert "0 of 0 votes" in line
    text = (tmp_path / "other" / "report.md").read_text()
    assert "Nobody who passed the checks" in text
    assert "No vote counts" in text.split("## Agreement")[1]
    assert text.endswith("None of them has a vote that counts.\n")


def test_raters_who_have_no_row_are_counted(tmp_path: Path):
    """Of 70 who failed, 60 have a row."""
    answers = Answers(drawn_study(tmp_path / "study", 3))
    check = answers.key.checks[0]
    wrong = "right" if answers.key.questions[check].right_answer == "left" else "left"
    answers.add([Vote(f"r{k}", check, wrong, "") for k in range(70)])
    write_report(answers.folder, tmp_path / "report")
    assert "And 10 more raters, 10 of whom failed." in (tmp_path / "report" / "report.md").read_text()


def test_names_are_text(tmp_path: Path):
    answers = Answers(drawn_study(tmp_path / "study", 2))
    answers.add([Vote("<script>a|b`c", name, "left", "") for name in answers.key.questions])
    write_report(answers.folder, tmp_path / "report", least=0)
    page = (tmp_path / "report" / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;a/b'c" in page


def test_nobody_has_voted(tmp_path: Path):
    with pytest.raises(DatasetError, match="nobody has voted"):
        write_report(drawn_study(tmp_path / "study", 2), tmp_path / "report")
    assert not (tmp_path / "report").exists()

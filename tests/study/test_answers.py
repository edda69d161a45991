"""The answers: a link a rater, one vote for each question, changed minds, many at once, and who is asked what."""

import shutil
import sqlite3
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.study.drawn import drawn_study, simulated_votes
from zeroseg.errors import DatasetError
from zeroseg.study import Answers, Vote


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_study(tmp_path_factory.mktemp("drawn") / "study", 20, votes=3)


@pytest.fixture
def answers(study: Path, tmp_path: Path) -> Answers:
    return Answers(shutil.copytree(study, tmp_path / "study"))


def asked(answers: Answers) -> Counter[str]:
    """How many raters are asked each question."""
    tokens = [rater.token for rater in answers.raters() if rater.token]
    return Counter(name for token in tokens for name in answers.asked(token) or {})


def test_every_question_has_its_raters_and_everybody_some_checks(answers: Answers):
    raters = answers.invite(5, seed=1)
    found = asked(answers)
    assert {found[name] for name in answers.key.real} == {3}
    assert len({rater.token for rater in raters}) == 5
    assert all(len(rater.token or "") >= 22 for rater in raters)
    for rater in raters:
        own = answers.asked(rater.token or "") or {}
        checks = set(own) & set(answers.key.checks)
        assert len(checks) == 3
        assert {answers.key.questions[name].right_answer for name in checks} == {"left", "right"}
        assert (rater.asked, rater.answered) == (15, 0)
        assert set(own.values()) == {None}


def test_more_raters_take_what_is_missing_then_what_nobody_has_answered(answers: Answers):
    first = answers.invite(2)
    assert {asked(answers)[name] for name in answers.key.real} == {2}
    answers.invite(4)
    assert {asked(answers)[name] for name in answers.key.real} == {3}
    tokens = [rater.token or "" for rater in first]
    for question in answers.asked(tokens[0]) or {}:
        answers.vote(tokens[0], question, "left")
    late = answers.invite(1)[0]
    assert {asked(answers)[name] for name in answers.key.real} == {4}, "two of three votes are missing everywhere"
    assert late.name == "rater 7"


@pytest.mark.parametrize("invitations", [(80,), (3, 77), (60, 1, 19)])
def test_no_link_is_without_a_question(answers: Answers, invitations: tuple[int, ...]):
    """20 questions for 3 raters each are 60 places."""
    for raters in invitations:
        assert len(answers.invite(raters)) == raters
    found = asked(answers)
    assert min(found[name] for name in answers.key.real) >= 3
    for rater in answers.raters():
        assert set(answers.asked(rater.token or "") or {}) & set(answers.key.real), rater
    assert answers.surplus() == sum(found[name] - 3 for name in answers.key.real)


def test_who_comes_beyond_the_places_has_one_question_and_all_are_taken_equally_often(answers: Answers):
    answers.invite(1)
    assert answers.surplus() == 0
    raters = answers.invite(60)
    assert [rater.asked for rater in raters] == [2] * 60, "a question, and an attention check"
    assert answers.surplus() == 20
    assert {asked(answers)[name] for name in answers.key.real} == {4}


def test_nobody_is_invited_when_all_votes_are_there(answers: Answers):
    answers.add(simulated_votes(answers.key, 3, 0.5, np.random.default_rng(0)))
    with pytest.raises(DatasetError, match="every question has its votes"):
        answers.invite(1)


def test_a_vote_is_stored_and_a_changed_mind_replaces_it(answers: Answers):
    token = answers.invite(1)[0].token or ""
    question = next(iter(answers.asked(token) or {}))
    assert answers.vote(token, question, "left")
    assert answers.vote(token, question, "left"), "a double click"
    assert [vote.side for vote in answers.votes()] == ["left"]
    assert answers.vote(token, question, "right")
    (vote,) = answers.votes()
    assert (vote.rater, vote.question, vote.side) == ("rater 1", question, "right")
    assert (answers.asked(token) or {})[question] == "right"
    with sqlite3.connect(answers.path) as base:
        assert base.execute("SELECT changes FROM votes").fetchall() == [(1,)]
    base.close()
    assert answers.raters()[0].answered == 1


def test_strangers_and_strange_questions_are_refused(answers: Answers):
    token = answers.invite(1)[0].token or ""
    question = next(iter(answers.asked(token) or {}))
    assert not answers.vote("stranger", question, "left")
    assert not answers.vote(token, "stranger", "left")
    assert answers.asked("stranger") is None
    assert answers.votes() == []


def test_many_at_once(answers: Answers):
    """Ten raters in threads, each with an `Answers` of its own, answer everything twice, with different sides."""
    tokens = [rater.token or "" for rater in answers.invite(10)]
    barrier = threading.Barrier(10)

    def all_of(token: str) -> None:
        own = Answers(answers.folder)
        barrier.wait(timeout=60)
        for side in ("left", "right"):
            for question in own.asked(token) or {}:
                assert own.vote(token, question, side)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(all_of, tokens))
    votes = answers.votes()
    assert {vote.side for vote in votes} == {"right"}
    assert len({(vote.rater, vote.question) for vote in votes}) == len(votes) == sum(asked(answers).values())


def test_invitations_at_once_do_not_promise_twice(answers: Answers):
    with ThreadPoolExecutor(3) as pool:
        invited = list(pool.map(lambda _: Answers(answers.folder).invite(1), range(3)))
    assert len({rater.token for new in invited for rater in new}) == 3, "nobody has the link of another"
    assert {asked(answers)[name] for name in answers.key.real} == {3}
    assert sorted(rater.name for rater in answers.raters()) == ["rater 1", "rater 2", "rater 3"]


def test_answers_from_elsewhere_are_added_once_and_may_change(answers: Answers):
    votes = simulated_votes(answers.key, 2, 0.5, np.random.default_rng(0))
    assert answers.add(votes) == 2 * 23
    assert answers.add(votes) == 0
    first = votes[0]
    other = Vote(first.rater, first.question, "left" if first.side == "right" else "right", first.at)
    assert answers.add([other, *votes[1:]]) == 1
    assert other in answers.votes()
    assert [(rater.token, rater.answered) for rater in answers.raters()] == [(None, 23), (None, 23)]


def test_names_of_imported_raters_are_not_given_again(answers: Answers):
    answers.add([Vote(name, answers.key.real[0], "left", "now") for name in ("rater 2", "ann")])
    assert [rater.name for rater in answers.invite(3)] == ["rater 1", "rater 3", "rater 4"]


def test_nobody_answers_for_a_rater_with_a_link(answers: Answers):
    rater = answers.invite(1)[0]
    question = next(name for name in answers.asked(rater.token or "") or {} if name in answers.key.real)
    answers.vote(rater.token or "", question, "left")
    before = answers.votes()
    with pytest.raises(DatasetError, match="'rater 1' has a link"):
        answers.add([Vote("ann", question, "right", "now"), Vote("rater 1", question, "right", "now")])
    assert answers.votes() == before


def test_all_or_nothing(answers: Answers):
    good = Vote("ann", answers.key.real[0], "left", "now")
    bad = Vote("bob", answers.key.real[0], "left", "now")
    object.__setattr__(bad, "side", "up")
    with pytest.raises(DatasetError, match="CHECK constraint"):
        answers.add([good, bad])
    assert answers.votes() == []
    assert answers.raters() == []


def test_answers_of_another_study_are_refused(answers: Answers, tmp_path: Path):
    other = drawn_study(tmp_path / "other", 3, seed=9)
    (other / "answers.sqlite").write_bytes(answers.path.read_bytes())
    with pytest.raises(DatasetError, match="different studies"):
        Answers(other)
    (other / "answers.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(DatasetError, match=r"answers.sqlite' cannot be used"):
        Answers(other)

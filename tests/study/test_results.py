"""What votes come to: models and not sides are counted, careless raters are found, the truth is in the intervals."""

from collections import Counter

import numpy as np
import pytest

from tests.study.drawn import NAMES, simulated_votes
from zeroseg.study import Vote
from zeroseg.study.design import plan_questions
from zeroseg.study.questions import Key, Secret
from zeroseg.study.results import (
    CheckedRater,
    checked_raters,
    model_strengths,
    of_raters,
    preference,
    preference_matrix,
    preferences,
    votes_by_question,
)

QUESTIONS = {
    "q1": Secret("a.jpg", NAMES[0], NAMES[1]),
    "q2": Secret("b.jpg", NAMES[1], NAMES[0]),
    "q3": Secret("c.jpg", NAMES[0], NAMES[1]),
    "check": Secret("d.jpg", None, NAMES[1]),
}
KEY = Key("study", NAMES, 0, QUESTIONS, "zeroseg")


def planned_key(count: int, models: tuple[str, ...] = NAMES, check_every: int = 10, seed: int = 0) -> Key:
    """The key of a study without pictures."""
    planned = plan_questions(count, models, count, check_every, seed)
    questions = {f"q{k}": Secret(f"{one.photo}.jpg", one.left, one.right) for k, one in enumerate(planned)}
    return Key("study", models, seed, questions, "zeroseg")


def votes(**answers: str) -> list[Vote]:
    """`votes(ann="q1 left, q2 right")`"""
    given = [(name, *answer.split()) for name, said in answers.items() for answer in said.split(", ")]
    return [Vote(name, question, "left" if side == "left" else "right", "") for name, question, side in given]


def test_votes_are_counted_for_models_not_for_sides():
    cast = votes(ann="q1 left, q2 left, q3 left, check left", bob="q1 right, q2 right")
    assert votes_by_question(cast, KEY) == {
        "q1": Counter({NAMES[0]: 1, NAMES[1]: 1}),
        "q2": Counter({NAMES[0]: 1, NAMES[1]: 1}),
        "q3": Counter({NAMES[0]: 1}),
    }
    found = preference(cast, KEY, NAMES)
    assert (found.won, found.votes, found.share) == (3, 5, 0.6)
    assert found.majorities == (1, 0, 2)
    np.testing.assert_array_equal(preference_matrix(cast, KEY, NAMES), [[1, 0, 1], [0, 1, np.nan]])


def test_checks_are_counted_apart():
    cast = votes(ann="q1 left, check right", bob="q1 left, check left", cid="q1 right")
    found = {rater.name: rater for rater in checked_raters(cast, KEY)}
    assert [(one.votes, one.right, one.of) for one in found.values()] == [(1, 1, 1), (1, 0, 1), (1, 0, 0)]
    assert [one.passes() for one in found.values()] == [True, False, True]
    assert [vote.rater for vote in of_raters(cast, {"cid"})] == ["cid"]


def test_careless_raters_are_found_and_careful_ones_are_not():
    key = planned_key(200)
    cast = simulated_votes(key, 20, 0.677, np.random.default_rng(0), careless=(3, 11, 17))
    failed = [rater.name for rater in checked_raters(cast, key) if not rater.passes()]
    assert failed == ["rater 3", "rater 11", "rater 17"]
    kept = of_raters(cast, {rater.name for rater in checked_raters(cast, key) if rater.passes()})
    with_all, without = (preference(some, key, NAMES) for some in (cast, kept))
    assert without.votes == 17 * 200
    assert without.wilson[0] < 0.677 < without.wilson[1]
    assert (with_all.share or 0) < (without.share or 0), "who answers by chance draws the share to a half"


def test_simulated_raters_are_recovered_through_the_whole_count():
    """40 pictures, 5 raters: 300 studies from key to interval, with blind sides and checks in between."""
    held, draw = 0, np.random.default_rng(5)
    key = planned_key(40)
    for _ in range(300):
        cast = simulated_votes(key, 5, 0.677, draw)
        counts = votes_by_question(cast, key).values()
        won = sum(found[NAMES[0]] for found in counts)
        low, high = preference_interval(won, sum(found.total() for found in counts))
        held += low <= 0.677 <= high
    assert 0.92 <= held / 300 <= 0.98


def preference_interval(won: int, cast: int) -> tuple[float, float]:
    from zeroseg.study.statistics import wilson

    assert cast == 200
    return wilson(won, cast)


def test_three_models_are_compared_in_pairs_and_on_one_scale():
    models = ("good", "fair", "bad")
    key, draw = planned_key(90, models), np.random.default_rng(1)
    truth = {"good": 1.0, "fair": 0.0, "bad": -1.0}
    cast: list[Vote] = []
    for rater in range(7):
        for name in key.real:
            secret = key.questions[name]
            lead = truth[secret.left or ""] - truth[secret.right or ""]
            cast.append(
                Vote(f"rater {rater}", name, "left" if draw.random() < 1 / (1 + np.exp(-lead)) else "right", "")
            )
    found = preferences(cast, key)
    assert [one.models for one in found] == [("good", "fair"), ("good", "bad"), ("fair", "bad")]
    assert [one.votes for one in found] == [210, 210, 210]
    assert all((one.share or 0) > 0.6 and sum(one.majorities) == 30 for one in found)
    scale = model_strengths(cast, key)
    assert [one.model for one in scale] == list(models)
    for one in scale:
        assert one.value is not None
        assert one.interval is not None
        assert one.interval[0] < truth[one.model] < one.interval[1]
        assert one.interval[0] < one.value < one.interval[1]


def test_a_question_with_one_kind_of_votes_counts_for_its_own_pair_alone():
    """All votes on good against bad are for good, which is in good against fair as well."""
    key = Key("s", ("good", "fair", "bad"), 0, {"q": Secret("a.jpg", "good", "bad")}, "")
    found = preferences(votes(ann="q left"), key)
    assert [one.votes for one in found] == [0, 1, 0]
    assert [one.share for one in found] == [None, 1.0, None]


def test_the_wider_interval():
    unanimous = votes(ann="q1 left, q2 right, q3 left", bob="q1 left, q2 right")
    found = preference(unanimous, KEY, NAMES)
    assert (found.bootstrap, found.leading) == (None, ("wilson", found.wilson)), "all agree"
    assert preference(unanimous[:1], KEY, NAMES).leading[0] == "wilson"
    few = preference(votes(ann="q1 left, q2 left"), KEY, NAMES)
    assert (few.bootstrap, few.leading[0]) == ((0, 1), "bootstrap")
    key = planned_key(40)
    cast = simulated_votes(key, 5, 0.677, np.random.default_rng(0))
    found = preference(cast, key, NAMES)
    assert found.leading == ("bootstrap", found.bootstrap)


def test_a_model_without_votes_has_no_strength():
    """And the others have those that they have without it."""
    three = Key("s", ("idle", *NAMES), 0, {**QUESTIONS, "q4": Secret("e.jpg", "idle", NAMES[0])}, "")
    cast = votes(ann="q1 left, q2 left, q3 left", bob="q1 right, q2 right")
    first, second, last = model_strengths(cast, three)
    assert (last.model, last.value, last.interval) == ("idle", None, None)
    assert [(one.model, one.value) for one in model_strengths(cast, KEY)] == [
        (one.model, pytest.approx(one.value)) for one in (first, second)
    ]


def test_groups_that_no_vote_connects_have_scales_of_their_own():
    """Strengths are those of each group alone, whatever is known of the others."""
    pairs = (("a", "b"), ("c", "d"), ("b", "a"), ("d", "c"), ("a", "b"), ("c", "d"))
    questions = {f"q{k}": Secret(f"{k}.jpg", *pair) for k, pair in enumerate(pairs)}
    key = Key("s", ("d", "a", "idle", "c", "b"), 0, questions, "")
    cast = votes(ann="q0 left, q2 left, q4 left, q1 left, q3 right", bob="q0 left, q5 left, q1 right")
    found = model_strengths(cast, key)
    assert [(one.model, one.group) for one in found] == [("c", 0), ("d", 0), ("a", 1), ("b", 1), ("idle", None)]
    for models in (("c", "d"), ("a", "b")):
        own = {name: secret for name, secret in questions.items() if secret.left in models}
        alone = model_strengths([vote for vote in cast if vote.question in own], Key("s", models, 0, own, ""))
        together = [one for one in found if one.model in models]
        assert [one.value for one in together] == [pytest.approx(one.value) for one in alone]
        assert sum(one.value or 0 for one in together) == pytest.approx(0)


def test_without_votes():
    found = preference([], KEY, NAMES)
    assert (found.share, found.wilson, found.p_value, found.alpha) == (None, (0, 1), None, None)
    assert model_strengths([], KEY) == []


def test_a_limit_that_is_met_exactly_is_met():
    """0.55 of 20 are 11, though the product of both is rounded to a little more."""
    for of in range(1, 101):
        for right in range(of + 1):
            assert CheckedRater("ann", 10, right, of).passes(right / of)
            assert not right or not CheckedRater("ann", 10, right - 1, of).passes(right / of)
    assert CheckedRater("ann", 10, 11, 20).passes(0.55)


@pytest.mark.parametrize(("right", "of", "passes"), [(0, 0, True), (4, 5, True), (3, 4, False), (0, 1, False)])
def test_who_passes(right: int, of: int, passes: bool):
    assert CheckedRater("ann", 10, right, of).passes() is passes

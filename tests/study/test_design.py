"""What a study asks: pairs, sides and checks are balanced, and nothing but the seed decides."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroseg.errors import DatasetError
from zeroseg.study.design import count_checks, plan_questions

MODELS = ("a", "b", "c", "d")


@given(
    count=st.integers(1, 60),
    spare=st.integers(0, 20),
    models=st.integers(2, 4),
    check_every=st.integers(0, 20),
    seed=st.integers(0, 2**32),
)
def test_pairs_and_sides_are_balanced(count: int, spare: int, models: int, check_every: int, seed: int):
    names = MODELS[:models]
    planned = plan_questions(count + spare, names, count, check_every, seed)
    real = [one for one in planned if one.left is not None and one.right is not None]
    assert len(real) == count
    assert len({one.photo for one in real}) == count
    assert len(planned) - count == count_checks(count, check_every)
    pairs = Counter(frozenset((one.left, one.right)) for one in real)
    asked = [pairs[frozenset(pair)] for pair in combinations(names, 2)]
    assert max(asked) - min(asked) <= 1
    for first, second in combinations(names, 2):
        sides = Counter(one.left for one in real if {one.left, one.right} == {first, second})
        assert abs(sides[first] - sides[second]) <= 1


@pytest.mark.parametrize(("count", "checks"), [(1, 1), (2, 2), (3, 3), (12, 3), (34, 3), (36, 4), (200, 20)])
@pytest.mark.parametrize("seed", range(3))
def test_small_studies_have_three_checks_on_both_sides(count: int, checks: int, seed: int):
    found = [one for one in plan_questions(count, ("a", "b"), count, 10, seed) if None in (one.left, one.right)]
    assert len(found) == checks
    assert abs(sum(1 if one.left is None else -1 for one in found)) <= 1
    assert len({one.photo for one in found}) == min(count, checks), "each has another photo"


def test_a_check_may_choose_among_photos_that_no_other_question_has():
    planned = plan_questions(40, ("a", "b"), 30, 10, 1)
    checks = [one for one in planned if None in (one.left, one.right)]
    assert sorted(len(one.others) for one in checks) == [2, 2, 3]
    photos = [number for one in planned for number in (one.photo, *one.others)]
    assert sorted(photos) == list(range(40))


def test_checks_are_balanced_and_have_photos_of_their_own_while_there_are_some():
    planned = plan_questions(100, ("a", "b"), 80, 10, 3)
    checks = [one for one in planned if None in (one.left, one.right)]
    real = {one.photo for one in planned if one not in checks}
    assert len(checks) == 8
    assert len({one.photo for one in checks}) == 8
    assert real.isdisjoint(one.photo for one in checks)
    assert Counter(one.left is None for one in checks) == {True: 4, False: 4}
    assert Counter(one.left or one.right for one in checks) == {"a": 4, "b": 4}
    assert planned.index(checks[0]) < 72, "checks are not all at the end"


def test_the_seed_decides():
    first, again, other = (plan_questions(20, ("a", "b"), 20, 10, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_without_checks():
    assert len(plan_questions(5, ("a", "b"), 5, 0)) == 5


def test_what_makes_no_sense():
    with pytest.raises(DatasetError, match="needs 6 pictures, and there are 5"):
        plan_questions(5, ("a", "b"), 6)
    with pytest.raises(ValueError, match="two models or more"):
        plan_questions(5, ("a", "a"), 5)
    with pytest.raises(ValueError, match="two models or more"):
        plan_questions(5, ("a",), 5)

"""Who is asked what: every question has its raters, nobody twice, all have about the same number."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from zeroseg.study.assignment import assign, fill, with_checks


@given(
    demand=st.dictionaries(st.text("abcdef", min_size=1), st.integers(0, 7), max_size=30),
    raters=st.integers(1, 12),
    seed=st.integers(0, 2**32),
)
def test_every_question_has_its_raters(demand: dict[str, int], raters: int, seed: int):
    lists = assign(demand, raters, Random(seed))
    asked = Counter(name for own in lists for name in own)
    assert {name: asked[name] for name in demand} == {name: min(count, raters) for name, count in demand.items()}
    assert all(len(set(own)) == len(own) for own in lists)
    assert max(map(len, lists)) - min(map(len, lists)) <= 1


@given(
    lists=st.lists(st.lists(st.sampled_from("abc"), max_size=2), max_size=20),
    spare=st.dictionaries(st.sampled_from("defgh"), st.integers(1, 5), min_size=1),
    seed=st.integers(0, 2**32),
)
def test_empty_lists_are_filled_evenly_and_no_others(lists: list[list[str]], spare: dict[str, int], seed: int):
    filled = fill(lists, spare, Random(seed))
    assert [own for own, before in zip(filled, lists, strict=True) if before] == [own for own in lists if own]
    new = [own for own, before in zip(filled, lists, strict=True) if not before]
    assert all(len(own) == 1 for own in new)
    times = Counter(own[0] for own in new)
    counts = [times[name] for name in spare]
    assert max(counts) - min(counts) <= 1
    assert not new or spare[new[0][0]] == max(spare.values())


def test_groups_of_raters_are_mixed():
    """With 10 raters and 5 votes, not the same five share all their questions."""
    lists = assign({f"q{k}": 5 for k in range(40)}, 10, Random(0))
    assert len({frozenset(k for k, own in enumerate(lists) if f"q{q}" in own) for q in range(40)}) > 20


@given(count=st.integers(0, 40), checks=st.integers(0, 8), wanted=st.integers(0, 10), seed=st.integers(0, 2**32))
def test_checks_are_spread_and_the_order_of_the_others_stays(count: int, checks: int, wanted: int, seed: int):
    own = [f"q{k}" for k in range(count)]
    sides = {f"c{k}": "left" if k % 2 else "right" for k in range(checks)}
    mixed, taken = with_checks(own, {f"c{k}": k for k in range(checks)}, sides, wanted, Random(seed))
    assert [name for name in mixed if name.startswith("q")] == own
    assert sorted(taken) == sorted(name for name in mixed if name.startswith("c"))
    assert len(set(taken)) == len(taken) == min(wanted, checks)
    if taken and count >= len(taken):
        gaps = [mixed.index(name) for name in taken]
        for number, place in enumerate(gaps):
            assert place >= number * count // len(taken)


def test_the_checks_that_the_fewest_have_are_taken():
    used = {"a": 3, "b": 0, "c": 1}
    _, taken = with_checks(["q"], used, dict.fromkeys(used, "left"), 2, Random(0))
    assert sorted(taken) == ["b", "c"]


@given(seed=st.integers(0, 2**32))
def test_the_right_answers_of_a_raters_checks_are_on_both_sides(seed: int):
    """Otherwise who always says left might pass."""
    used = {"a": 0, "b": 0, "c": 0, "d": 9}
    _, taken = with_checks(["q"], used, {"a": "left", "b": "left", "c": "left", "d": "right"}, 3, Random(seed))
    assert "d" in taken

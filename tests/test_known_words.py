"""What a text tower has learned: forms of known words, stand-ins, and what users are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroseg.known_words import KnownWords, plural, said_of_labels, singulars

KNOWN = KnownWords(
    frozenset({"cow", "cherry", "leaf", "knife", "woman", "mouse", "boxes", "dogs", "cat", "grass", "traffic light",
               "mud puppy", "light", "t-shirt", "straße", "person"}),
    {"kitten": "cat", "kid": "person"},
)  # fmt: skip
LETTERS = st.text("abcdeghiknosuvxyäß", min_size=1, max_size=8)
NAMES = st.lists(LETTERS, min_size=1, max_size=3).map(" ".join)


@pytest.mark.parametrize(
    ("label", "read"),
    [
        ("cow", "cow"), ("Cows", "cow"), ("cherries", "cherry"), ("leaves", "leaf"), ("knives", "knife"),
        ("women", "woman"), ("mice", "mouse"), ("box", "boxes"), ("dog", "dogs"), ("traffic lights", "traffic light"),
        ("a cow", "a cow"), ("T-shirt", "T-shirt"), ("Straße", "Straße"), ("brown cows", "brown cow"),
    ],
)  # fmt: skip
def test_a_label_is_read_in_the_form_that_is_known(label: str, read: str):
    assert KNOWN.reading(label) == read
    assert KNOWN.unknown(label) == (("brown",) if "brown" in label else ())


@pytest.mark.parametrize(("label", "read"), [("kitten", "cat"), ("Kittens", "cat"), ("t-shirt kid", "t-shirt person")])
def test_a_word_that_stands_for_a_known_one_is_read_as_that_and_said_to_be(label: str, read: str):
    assert KNOWN.reading(label) == read
    assert KNOWN.said_of(label) == f"the model has not learned {label!r}, and reads it as {read!r}."


def test_words_that_only_look_like_plurals_are_unknown():
    """The German "Gras" is not the singular of "grass"."""
    assert KNOWN.unknown("Gras") == ("gras",)
    assert KNOWN.reading("Gras") == "Gras"


@pytest.mark.parametrize(
    ("label", "unknown"),
    [
        ("zebra", ("zebra",)), ("zebra light", ("zebra",)), ("light zebra", ("zebra",)), ("puppy", ("puppy",)),
        ("mud", ("mud",)), ("mud light", ()), ("a light", ()), ("7", ("7",)), ("🦓", ("🦓",)), ("!!!", ("!!!",)),
    ],
)  # fmt: skip
def test_a_part_of_a_name_alone_is_unknown_but_may_describe(label: str, unknown: tuple[str, ...]):
    """ "puppy" was learned in "mud puppy" only, which is no puppy."""
    assert KNOWN.unknown(label) == unknown


def test_what_is_said_of_unknown_words():
    zebra, zebra_light, knights, light = (KNOWN.said_of(label) for label in ("Zebra", "zebra light", "lihgt", "light"))
    assert zebra == "the model has never read 'Zebra', and will hardly find it."
    assert "has never read 'zebra' of 'zebra light', so that the mask may be of something else" in zebra_light
    assert knights.endswith("similar words that it knows: light.")
    assert light == ""


def test_only_labels_with_something_to_say_are_named():
    assert len(list(said_of_labels([("cow", ()), ("zebra", ()), ("kitten", ())], KNOWN))) == 2
    assert list(said_of_labels([("zebra", ())], None)) == []


@given(st.frozensets(NAMES, min_size=1, max_size=6), st.dictionaries(NAMES, NAMES, max_size=3))
def test_the_text_of_a_file_is_read_as_it_was_written(names: frozenset[str], stand_ins: dict[str, str]):
    known = KnownWords(names, stand_ins)
    assert KnownWords.parse(known.text()) == known


@given(st.frozensets(LETTERS, min_size=1, max_size=6), LETTERS)
def test_what_is_read_is_known_and_read_as_itself(names: frozenset[str], word: str):
    known = KnownWords(names)
    read = known.reading(word)
    assert known.reading(read) == read
    assert (read in names) == (known.unknown(word) == ())


@given(LETTERS)
def test_a_plural_is_the_plural_of_its_singular(word: str):
    assert word in singulars(plural(word))

"""Vocabularies: what people type becomes the labels that they meant."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroseg.errors import VocabularyError
from zeroseg.vocabulary import BACKGROUND_WORDS, MOST_LABELS, Vocabulary, make_vocabulary, parse_labels

WORD = st.text(st.characters(exclude_characters=",;", exclude_categories=("C", "Z")), min_size=1, max_size=8)
LABEL = st.lists(WORD, min_size=1, max_size=3).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(labels=st.lists(LABEL, max_size=6), data=st.data())
def test_labels_typed_in_one_line_come_back_in_order(labels: list[str], data: st.DataObject):
    """Whatever stands between them: blanks, empty entries, semicolons, line ends."""
    text = ""
    for label in labels:
        text += label + data.draw(st.sampled_from([",", ", ", " ,", ";", "\n", ",,", " , ; \n", "\t,"]))
    assert parse_labels(text) == tuple(labels)


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_parsing_any_text_gives_tidy_labels_and_is_stable(text: str):
    labels = parse_labels(text)
    assert all(label and label == " ".join(label.split()) for label in labels)
    assert not any(mark in label for label in labels for mark in ",;\n")
    assert parse_labels(", ".join(labels)) == labels


def test_the_example_of_the_manual():
    assert parse_labels("dog, grass, traffic light") == ("dog", "grass", "traffic light")


@settings(max_examples=100, deadline=None)
@given(st.lists(LABEL, min_size=1, max_size=8))
def test_vocabulary_holds_each_label_once_and_in_first_order(labels: list[str]):
    ours = Vocabulary(tuple(labels)).labels
    seen: list[str] = []
    for label in labels:
        if label.casefold() not in [s.casefold() for s in seen]:
            seen.append(label)
    assert list(ours) == seen


def test_labels_that_differ_in_case_or_blanks_are_one():
    assert Vocabulary(("Dog", " cat ", "dog", "CAT", "traffic  light", "Traffic light")).labels == (
        "Dog",
        "cat",
        "traffic light",
    )


@pytest.mark.parametrize("labels", ["", " , ;\n", [], ()])
def test_no_label_at_all_is_refused(labels: Any):
    with pytest.raises(VocabularyError, match="empty"):
        make_vocabulary(labels)


@pytest.mark.parametrize("labels", [["dog", ""], ["dog", " \t"], [" "]])
def test_blank_labels_are_refused(labels: list[str]):
    with pytest.raises(VocabularyError, match="blank"):
        make_vocabulary(labels)


def test_too_many_labels_are_refused_and_the_most_are_not():
    most = [f"word {number}" for number in range(MOST_LABELS)]
    assert len(make_vocabulary(most).labels) == MOST_LABELS
    with pytest.raises(VocabularyError, match="at most 65,535"):
        make_vocabulary([*most, "one more"])


@pytest.mark.parametrize("label", ["собака", "犬", "كلب", "कुत्ता", "🐕", "Ärmel", "chien d'eau"])
def test_every_script_is_a_label(label: str):
    vocabulary = make_vocabulary([label, "dog"])
    assert vocabulary.labels == (label, "dog")
    assert vocabulary.prompts(label)[0] == f"a photo of a {label}"


def test_label_with_braces_goes_into_a_prompt_as_it_is():
    assert make_vocabulary(["{0} {x}"]).prompts("{0} {x}")[0] == "a photo of a {0} {x}"


# --- background -------------------------------------------------------------------------------------


def test_background_words_that_are_asked_for_leave_the_background():
    """Whoever asks for grass must not lose it to the background."""
    vocabulary = make_vocabulary("dog, Grass, SEA")
    assert set(vocabulary.background) == set(BACKGROUND_WORDS) - {"grass", "sea"}


def test_aliases_leave_the_background_too():
    vocabulary = Vocabulary(("lawn",), aliases=(("grass",),))
    assert "grass" not in vocabulary.background
    assert "water" in vocabulary.background


def test_background_is_no_class_of_its_own():
    assert make_vocabulary("Background, dog").labels == ("dog",)
    with pytest.raises(VocabularyError, match="empty"):
        make_vocabulary("background")


# --- words ------------------------------------------------------------------------------------------


def test_words_belong_to_their_classes():
    vocabulary = Vocabulary(("sofa", "dog"), aliases=(("couch", "settee"), ()), background=("wall",))
    assert vocabulary.words() == [("sofa", 0), ("dog", 1), ("couch", 0), ("settee", 0), ("wall", -1)]


@pytest.mark.parametrize(
    ("labels", "aliases"), [(("a", "b"), (("x",),)), (("a", "A"), (("x",), ("y",))), (("a",), (("x",), ("y",)))]
)
def test_aliases_that_fit_no_label_are_refused(labels: tuple[str, ...], aliases: tuple[tuple[str, ...], ...]):
    with pytest.raises(VocabularyError, match="aliases"):
        Vocabulary(labels, aliases)


@pytest.mark.parametrize("templates", [(), ("a photo of a dog",), ("a photo of {}", "nothing")])
def test_templates_without_a_place_for_the_label_are_refused(templates: tuple[str, ...]):
    with pytest.raises(VocabularyError, match="template"):
        Vocabulary(("dog",), templates=templates)


def test_equal_vocabularies_are_one_key():
    """The segmenter embeds a vocabulary once: it must be found again."""
    assert hash(make_vocabulary("dog, cat")) == hash(make_vocabulary(["dog", "cat", "Dog"]))
    assert make_vocabulary("dog, cat") == make_vocabulary(["dog ", " cat"])
    assert make_vocabulary("dog, cat") != make_vocabulary("cat, dog")

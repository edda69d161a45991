"""Vocabularies: what people type becomes the labels that they meant."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroseg.errors import VocabularyError
from zeroseg.vocabulary import (
    BACKGROUND_WORDS,
    MOST_LABELS,
    Vocabulary,
    label_key,
    make_vocabulary,
    parse_label_lines,
    parse_labels,
    same_tokens,
)

WORD = st.text(st.characters(exclude_characters=',;"', exclude_categories=("C", "Z")), min_size=1, max_size=8)
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
@given(st.text(st.sampled_from('ab"" ,;\n\t') | st.characters()))
def test_parsing_any_text_gives_tidy_labels_that_can_be_written_again_or_one_sentence(text: str):
    try:
        labels = parse_labels(text)
    except VocabularyError:
        assert '"' in text
        return
    assert all(label and label == " ".join(label.split()) for label in labels)
    if '"' not in text:
        assert not any(mark in label for label in labels for mark in ",;\n")
    quoted = ('"{}"'.format(label.replace('"', '""')) for label in labels)
    assert parse_labels(", ".join(quoted)) == labels


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.sampled_from('ab", ')).filter(str.strip), min_size=1, max_size=4))
def test_quotes_are_those_of_csv(labels: list[str]):
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="").writerow(labels)
    assert parse_labels(line.getvalue()) == tuple(" ".join(label.split()) for label in labels)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('"salt, pepper", dog', ("salt, pepper", "dog")),
        (' "a;b" ;c', ("a;b", "c")),
        ('"so ""called"" things"', ('so "called" things',)),
        ('12" pipe, dog', ('12" pipe', "dog")),
        ('"two\nlines"', ("two lines",)),
        ('"", dog', ("dog",)),
        ("chien d'eau", ("chien d'eau",)),
    ],
)
def test_quotes_protect_commas(text: str, labels: tuple[str, ...]):
    assert parse_labels(text) == labels


@pytest.mark.parametrize("text", ['"salt, pepper', 'dog, "salt', '"salt" and pepper, dog', '"', '"""'])
def test_a_quote_that_is_not_closed_is_one_sentence(text: str):
    with pytest.raises(VocabularyError, match=r"^the quote that begins .* is not closed .*\.$"):
        parse_labels(text)


def test_a_file_has_a_label_a_line():
    text = '# things to eat\nsalt, pepper\n\n  \t\n"bread"\r\n  hot   dog \n#7\nC#\n'
    assert [label for label, _ in parse_label_lines(text)] == ["salt, pepper", "bread", "hot dog", "C#"]
    assert parse_label_lines("\n# nothing\n") == ()


def test_lines_that_are_odd():
    """A colon at the end; letters that other systems take for line ends, which are blanks here; lengths in inches."""
    text = 'cat:\ndog: \n"a: b":\nice\u2028cream\x0bbar\n12" pipe\nrock "n" roll'
    labels = ["cat", "dog", "a: b", "ice cream bar", '12" pipe', 'rock "n" roll']
    assert parse_label_lines(text) == tuple((label, ()) for label in labels)


@pytest.mark.parametrize("line", [":", ": dog", '"": dog', '"salt, pepper', '"salt: a, b'])
def test_a_line_that_says_no_label_is_named(line: str):
    with pytest.raises(VocabularyError, match=r"^line 3 of the labels, .*\.$"):
        parse_label_lines(f"cat\n\n{line}\n")


def test_accents_are_one_label_however_they_are_encoded_and_keep_their_spelling():
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert Vocabulary((decomposed, composed, composed.upper(), "cafe")).labels == (decomposed, "cafe")
    assert Vocabulary((composed, decomposed)).labels == (composed,)
    assert label_key(decomposed) == label_key(" CAF\u00c9 ")
    assert Vocabulary((decomposed,), background=(composed, "wall")).background_words() == ("wall",)


def test_labels_of_the_same_tokens_are_found_in_order():
    labels = ("dog", "long label one", "cat", "long label two", "Cat!", "bird")
    tokens = [[1, 2], [5, 5], [3], [5, 5], [3], [1, 2, 3]]
    assert same_tokens(labels, tokens) == [("long label one", "long label two"), ("cat", "Cat!")]
    assert same_tokens(("a", "b"), [[1], [2]]) == []


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


def test_labels_with_other_words():
    """As a mapping, with background words of one's own."""
    words = make_vocabulary({"sofa": ["couch", "settee"], "dog": (), "background": ["x"]}, ["wall"])
    assert words == Vocabulary(("sofa", "dog"), (("couch", "settee"), ()), ("wall",))


@pytest.mark.parametrize("labels", ["", " , ;\n", [], (), {}])
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
    assert vocabulary.words() == [(label, 0), ("dog", 1)]


def test_label_with_braces_stays_as_it_is():
    assert make_vocabulary(["{0} {x}"]).words() == [("{0} {x}", 0)]


# --- background -------------------------------------------------------------------------------------


def test_background_words_that_are_asked_for_leave_the_background():
    """Whoever asks for grass must not lose it to the background."""
    vocabulary = make_vocabulary("dog, Grass, SEA")
    left = vocabulary.background_words(BACKGROUND_WORDS)
    assert set(left) == set(BACKGROUND_WORDS) - {"grass", "sea"}
    assert vocabulary.words(BACKGROUND_WORDS)[3:] == [(word, -1) for word in left]


def test_aliases_leave_the_background_too():
    vocabulary = Vocabulary(("lawn",), aliases=(("grass",),))
    left = vocabulary.background_words(BACKGROUND_WORDS)
    assert "grass" not in left
    assert "water" in left


@pytest.mark.parametrize("own", [("wall", "Dog"), ()])
def test_a_vocabularys_own_background_words_stand_in_place_of_the_models(own: tuple[str, ...]):
    """None at all where it says so: that is another thing than leaving them to the model."""
    vocabulary = make_vocabulary("dog", background=own)
    assert vocabulary.background_words(BACKGROUND_WORDS) == own[:1]
    assert vocabulary.words(BACKGROUND_WORDS) == [("dog", 0), *((word, -1) for word in own[:1])]


def test_a_vocabulary_that_leaves_its_background_to_the_model_has_none_by_itself():
    assert make_vocabulary("dog").background_words() == ()


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


@pytest.mark.parametrize(
    "templates", [(), ("a photo of a dog",), ("a photo of {}", "nothing"), ("a {} {x}",), ("a {{}}",), ("a {",)]
)
def test_templates_without_a_place_for_the_label_are_refused(templates: tuple[str, ...]):
    with pytest.raises(VocabularyError, match="template"):
        Vocabulary(("dog",), templates=templates)


def test_equal_vocabularies_are_one_key():
    """The segmenter embeds a vocabulary once: it must be found again."""
    assert hash(make_vocabulary("dog, cat")) == hash(make_vocabulary(["dog", "cat", "Dog"]))
    assert make_vocabulary("dog, cat") == make_vocabulary(["dog ", " cat"])
    assert make_vocabulary("dog, cat") != make_vocabulary("cat, dog")

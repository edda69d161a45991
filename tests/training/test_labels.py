"""The labels that texts give: names whole, sentences word by word; the table of words is well formed."""

import re

import pytest

from zeroseg.training.imagenet_words import imagenet_words
from zeroseg.training.labels import (
    TABLE,
    caption_words,
    groups_of_sentences,
    is_name,
    known_words,
    labels_of_name,
    words_of,
)


@pytest.mark.parametrize("text", ["dog", "Tench", "great white shark", "sulphur-crested cockatoo", "car side"])
def test_names(text: str):
    assert is_name(text)


@pytest.mark.parametrize("text", ["a dog", "The dog runs", "Two dogs are running", "A man ."])
def test_sentences(text: str):
    assert not is_name(text)


def test_a_name_of_imagenet_brings_its_other_words():
    assert labels_of_name("Tench") == imagenet_words()[0].all
    assert labels_of_name("Egyptian cat") == tuple(word.lower() for word in imagenet_words()[285].all)


def test_a_name_of_the_table_is_a_label_itself_unless_it_is_an_odd_form():
    assert labels_of_name("Pigeon") == ("pigeon", "bird", "animal")
    assert labels_of_name("faces") == ("face",)
    assert labels_of_name("car side") == ("car",)
    assert labels_of_name("dog") == ("dog", "animal")


def test_an_unknown_name_is_its_only_label():
    assert labels_of_name("Yin Yang") == ("yin yang",)


def test_sentences_give_the_labels_of_each_of_their_words_once():
    said = groups_of_sentences(["A pigeon and two Dogs on the grass .", "A dog and trees"])
    assert said == (("dog", "animal"), ("grass",), ("bird", "animal"), ("tree",))
    assert groups_of_sentences(["It is very quiet ."]) == ()


def test_kinds_of_stuff_are_named_with_it():
    """And not what only goes with it (a ski is no snow), nor two words that are kinds of each other."""
    kinds = caption_words().kinds
    assert {("woman", "person"), ("people", "person"), ("lake", "water"), ("path", "road")} <= set(kinds)
    assert not {("ski", "snow"), ("football", "person"), ("face", "person"), ("dog", "animal")} & set(kinds)
    assert not {(of, kind) for kind, of in kinds} & set(kinds)
    assert all(of in caption_words().stuff and kind != of for kind, of in kinds)


def test_words_are_lower_case_without_punctuation():
    assert words_of(["A red dog , running .", "sulphur-crested Cockatoo"]) == {
        "a", "red", "dog", "running", "sulphur", "crested", "cockatoo",
    }  # fmt: skip


def test_each_word_is_in_the_table_once():
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line[0] not in "#*"]
    words = [word for line in lines for word in re.split(" =?> ", line)[0].split("; ")]
    assert len(words) == len(set(words)) == len(caption_words().labels)


def test_the_table_is_well_formed():
    table = caption_words()
    said = {label for labels in table.labels.values() for label in labels}
    for word in {*table.labels, *said}:
        assert word, "a blank word"
        assert word == word.strip().lower()
        assert not set(word) & set(';>=*"'), word
    assert {"grass", "sky", "person", "clothes"} <= table.stuff <= said
    assert table.kept < set(table.labels)


def test_special_words_are_read_as_the_general_ones_that_are_known():
    """If they are no labels themselves; "toddler" is a child if that is known, else a person."""
    known = known_words(["cat", "Person", "lawn", "grass"])
    assert known.names == {"cat", "person", "lawn", "grass"}
    assert (known.reading("kittens"), known.reading("toddler")) == ("cat", "person")
    assert known.reading("lawn") == "lawn"
    assert "skiing" not in known.stand_ins

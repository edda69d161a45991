"""The table of words for ImageNet's classes: complete, well formed, and in everyday words."""

from zeroseg.training.imagenet_words import TABLE, all_words, class_names, imagenet_words, words_by_name


def test_every_class_has_a_name_and_a_hypernym():
    table = imagenet_words()
    assert len(table) == 1000
    for words in table:
        assert words.names
        assert words.hypernyms
        assert len(set(words.all)) == len(words.all)
        assert all(word == word.strip() and word and not set(word) & set(';>"') for word in words.all), words


def test_the_order_is_imagenets():
    """The rows of a classifier are matched with the table by number."""
    names = [words.names[0].lower() for words in imagenet_words()]
    assert (names[0], names[1], names[291], names[817]) == ("tench", "goldfish", "lion", "sports car")


def test_everyday_words_stand_for_many_classes():
    table = imagenet_words()
    kinds = {word: sum(word in words.hypernyms for words in table) for word in ("dog", "bird", "car", "fish")}
    assert kinds["dog"] > 100
    assert kinds["bird"] > 50
    assert min(kinds.values()) > 5


def test_words_are_found_by_name_in_any_case():
    assert "animal" in words_by_name()["tench"].hypernyms
    cranes = [words for words in imagenet_words() if words.names[0] == "crane"]
    assert len(cranes) == 2
    assert words_by_name()["crane"] == cranes[0]
    assert {"tench", "dog", "animal"} < all_words()
    assert all(word == word.lower() for word in all_words())


def test_every_class_has_a_name_of_its_own():
    """Both cranes have one, and so on: a vocabulary of all classes has 1,000 labels."""
    names = class_names()
    assert len({name.lower() for name in names}) == len(names) == 1000
    assert (names[0], names[134], names[517]) == ("tench", "crane bird", "crane machine")
    assert "WordNet" in TABLE.with_name("imagenet_words.txt.license").read_text()

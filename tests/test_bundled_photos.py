"""The bundled model for photos, on the photos that come with the package: what a newcomer sees first."""

import warnings

import pytest

from zeroseg import Segmenter
from zeroseg.demo.pictures import PHOTOS, pictures_in
from zeroseg.images import load_image
from zeroseg.models import BUNDLED, DEFAULT
from zeroseg.segmentation import Segmentation
from zeroseg.student.cost import count_parameters
from zeroseg.student.weights import read
from zeroseg.vocabulary import UnknownWordsWarning

SHOWN = {
    "horses": {"horse": 0.15, "grass": 0.1, "sky": 0.2},
    "cows": {"cow": 0.1, "grass": 0.3},
    "castle": {"castle": 0.05, "water": 0.1, "sky": 0.05},
    "tiger": {"tiger": 0.2, "snow": 0.2},
    "cat": {"cat": 0.5},
    "dog": {"dog": 0.15},
}
"""What photos show, and the fraction of the picture that it has at least."""


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.from_pretrained()


def fractions(segmentation: Segmentation) -> dict[str, float]:
    return dict(zip(segmentation.labels, segmentation.fractions, strict=True))


def test_it_is_the_default_and_small():
    """Both towers of the teacher and the student: 30 MB together, so that the package stays small."""
    assert DEFAULT == "photos"
    assert BUNDLED["photos"].bytes <= 30_000_000
    config, _ = read("photos")
    assert config.teacher == "photos"
    assert count_parameters(config)["total"] < 10_000_000


@pytest.mark.parametrize("name", SHOWN)
def test_photos_are_segmented_by_words(name: str, segmenter: Segmenter):
    picture = next(picture for picture in pictures_in(PHOTOS) if picture.path.stem == name)
    found = fractions(segmenter(load_image(picture.path), picture.labels))
    assert {word: found[word] for word, least in SHOWN[name].items() if found[word] < least} == {}


def test_words_that_are_absent_get_little(segmenter: Segmenter):
    """A snow scene with a tiger has no car and no flower."""
    found = fractions(segmenter(PHOTOS / "tiger.jpg", ["tiger", "snow", "car", "flower"]))
    assert found["car"] + found["flower"] < 0.05


def test_a_word_that_it_never_read_is_said_to_be_unknown(segmenter: Segmenter):
    with pytest.warns(UnknownWordsWarning, match="quokka"):
        segmenter(PHOTOS / "cat.jpg", ["cat", "quokka"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        segmenter(PHOTOS / "cat.jpg", ["cats", "dog"])

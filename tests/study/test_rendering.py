"""The pictures of a question: one colour for a label on both sides, one size, and checks that are obviously wrong."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from tests.study.drawn import LABELS, painter, photos
from zeroseg.errors import DatasetError
from zeroseg.segmentation import Segmentation
from zeroseg.study.rendering import LARGEST_SIDE, draw_pair, legends, scrambled


def painted(stripes: Sequence[int], size: tuple[int, int] = (60, 60)) -> Segmentation:
    return painter(stripes)(photos(1)[0], Image.new("RGB", size))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def test_a_label_has_one_colour_on_both_sides():
    """Dog and grass change places between the sides, and one of them has a label more."""
    pair = painted([0, 1]), painted([1, 0, 2])
    _, (left, right) = draw_pair(Image.new("RGB", (60, 60)), pair)
    dog, grass = pixels(left)[200, 100], pixels(left)[200, 320]
    np.testing.assert_array_equal(pixels(right)[200, 60], grass)
    np.testing.assert_array_equal(pixels(right)[200, 200], dog)
    assert abs(dog - grass).sum() > 50
    colours = [{row.label: row.colour for row in legend} for legend in legends(pair)]
    assert colours[0].items() <= colours[1].items()
    assert [row.fraction for row in legends(pair)[1]] == ["33%", "33%", "33%"]
    assert [row.label for row in legends(pair)[1]] == sorted(["dog", "grass", "</script>"])


def test_labels_beyond_the_palette_still_agree():
    """Labels 0 and 64 would share a colour by their numbers, and which of them gives way depends on the picture."""
    words = tuple(f"word {number}" for number in range(80))
    halves = np.repeat([[0, 64]], 30, axis=1).repeat(60, axis=0)
    both = Segmentation(words, halves, np.zeros(80))
    one = Segmentation(words, np.full((60, 60), 64), np.zeros(80))
    _, (left, right) = draw_pair(Image.new("RGB", (60, 60)), (both, one))
    np.testing.assert_array_equal(pixels(left)[200, 320], pixels(right)[200, 320])


@pytest.mark.parametrize("size", [(48, 40), (3000, 2000), (30, 2000)])
def test_all_three_have_one_size_that_can_be_seen_and_loaded(size: tuple[int, int]):
    shown, sides = draw_pair(Image.new("RGB", size), (painted([0], size), painted([1, 2], size)))
    assert {shown.size} == {side.size for side in sides}
    assert 300 < max(shown.size) <= LARGEST_SIDE


def test_background_keeps_the_photo():
    class_map = np.zeros((40, 40), int)
    class_map[:, 20:] = 1
    found = Segmentation(("background", "dog"), class_map, np.zeros(2), has_background=True)
    _, (left, _) = draw_pair(Image.new("RGB", (40, 40), (10, 200, 30)), (found, found))
    np.testing.assert_array_equal(pixels(left)[200, 50], (10, 200, 30))
    assert [(row.label, row.colour == "none") for row in legends((found, found))[0]] == [
        ("dog", False),
        ("no name fits", True),
    ]


def test_a_label_that_is_called_background_is_one():
    """Only what has no label goes without a tint."""
    found = Segmentation(("background", "dog"), np.eye(40, dtype=int), np.zeros(2))
    assert {row.label for row in legends((found, found))[0]} == {"background", "dog"}
    assert "none" not in {row.colour for row in legends((found, found))[0]}


def test_a_scrambled_side_is_a_fine_grid_of_the_names_of_the_better_side():
    """Whatever models have called the picture, the wrong side has no name that is better, so that it is wrong."""
    found = painted([0, 1, 4])
    wrong = scrambled(found, {"dog", "grass", "sky"}, seed=5)
    assert set(wrong.present) == set(found.present)
    cells = wrong.class_map[::5, ::5]
    assert (cells[1:] != cells[:-1]).all()
    assert (cells[:, 1:] != cells[:, :-1]).all()
    assert 0.15 < (wrong.class_map == found.class_map).mean() < 0.5, "no better than chance"
    np.testing.assert_array_equal(wrong.class_map, scrambled(found, set(), seed=5).class_map)
    assert (wrong.class_map != scrambled(found, set(), seed=6).class_map).any()


def test_what_can_hardly_be_seen_is_not_made_large():
    """A speck that is rightly called a cup would make the wrong side the better one, had it as much as the others."""
    found = painted([*[0] * 12, *[1] * 12, 5])
    assert set(scrambled(found, set(), seed=5).present) == {"dog", "grass"}


@pytest.mark.parametrize("stripes", [[0, 1], [0, 0, 0, 0, 0, 0, 0, 1]])
def test_two_names_are_mixed_all_over(stripes: list[int]):
    """No quarter of the picture is left as the better side has it."""
    wrong = scrambled(painted(stripes), set(), seed=5).class_map
    for quarter in (wrong[:30, :30], wrong[:30, 30:], wrong[30:, :30], wrong[30:, 30:]):
        assert 0.25 < quarter.mean() < 0.75


def test_one_name_gets_others_that_no_model_used():
    """Scrambled alone, a picture that is one label all over would stay as it is."""
    wrong = scrambled(painted([0]), {"dog", "grass", "sky"}, seed=5)
    assert len(wrong.present) == 4
    assert {*wrong.present} & {"dog", "grass", "sky"} == {"dog"}
    assert max(wrong.fractions) < 0.35, "no name has an area that could be taken for the real one"


def test_many_names_are_few_enough_for_a_legend():
    words = tuple(f"word {number}" for number in range(1000))
    everything = np.arange(3600).reshape(60, 60) % 1000
    assert len(scrambled(Segmentation(words, everything, np.zeros(1000)), set(), 0).present) == 4
    assert len(scrambled(Segmentation(words, everything % 16, np.zeros(1000)), set(), 0).present) == 12


def test_scrambled_with_few_labels():
    class_map = np.zeros((40, 40), int)
    two = Segmentation(("background", "dog"), class_map, np.zeros(2), has_background=True)
    assert set(scrambled(two, set(), 0).present) == {"background", "dog"}
    everything = painted(range(len(LABELS)))
    assert (scrambled(everything, {*LABELS}, 0).class_map != everything.class_map).mean() > 0.5
    with pytest.raises(DatasetError, match="two labels or more"):
        scrambled(Segmentation(("dog",), class_map, np.zeros(1)), set(), 0)

"""The images that an experiment on photos is measured on: never those of a test split, and none twice."""

from pathlib import Path

import pytest

from tests.evaluation.miniature import refused, truths, write_msrc21
from zeroseg.experiments import Scenes, measuring


def sets(tmp_path: Path, validation: int, held_out: int) -> measuring.TestSets:
    for file in write_msrc21(tmp_path / "msrc21", 5).glob("test/images/*"):
        file.unlink()  # nothing of test is needed
    return measuring.TestSets(Scenes(validation, held_out), {"msrc21": tmp_path / "msrc21"})


@pytest.mark.parametrize(("held_out", "rest"), [(0, [2, 3, 4]), (2, [2, 3]), (300, [2, 3, 4])])
def test_a_validation_split_is_divided_in_images_for_margins_and_images_for_figures(
    tmp_path: Path, held_out: int, rest: list[int]
):
    chosen = sets(tmp_path, 2, held_out)
    assert list(truths(chosen.open("msrc21", "validation"))) == ["0_1_s", "1_1_s"]
    assert list(truths(chosen.open("msrc21", "held-out"))) == [f"{number}_1_s" for number in rest]


def test_margins_that_need_every_image_leave_none_for_figures(tmp_path: Path):
    with refused("msrc21", "no image is left"):
        sets(tmp_path, 0, 0).open("msrc21", "held-out")

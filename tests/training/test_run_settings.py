"""The settings of a run: what is said when they are not those that it was started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeroseg.errors import TrainingError
from zeroseg.training import run_settings


def test_settings_that_one_side_does_not_name_are_called_so(tmp_path: Path) -> None:
    """A setting with the value of earlier versions is not saved: it is not `None`."""
    run_settings.start(tmp_path, {"student": {"grouping": "light"}, "loop": {"workers": 1, "micro_batches": 1}})

    with pytest.raises(TrainingError, match=r"student\.grouping 'light', now not named"):
        run_settings.expect_same(tmp_path, {"student": {}, "loop": {"workers": 2, "micro_batches": 1}})


LOOP = {"workers": 1, "micro_batches": 1}


@pytest.mark.parametrize(
    ("former", "now", "said"),
    [
        ({"student": {"width": 8}}, {"student": {"width": 9}}, r"\(student\.width 8, now 9\)"),
        ({"student": {"width": 8}}, {}, r"\(student\.width 8, now not named\)"),
        ({}, {"student": {"width": 8, "heads": 2}}, r"\.heads not named, now 2; student\.width not named, now 8"),
        ({"student": {"width": 8}}, {"student": None}, r"student \{'width': 8\}, now None"),
        ({"words": ["w"] * 50}, {"words": ["w"] * 49}, r"words \['w', 'w'.* \.\. .*'w'\], now \['w'"),
        (dict.fromkeys("abcd", 1), dict.fromkeys("abcd", 2), r"a 1, now 2; b 1, now 2; c 1, now 2 \.\."),
    ],
    ids=["nested", "group that is gone", "new group", "no group", "long", "many"],
)  # fmt: skip
def test_every_difference_is_said_with_both_values(
    former: dict[str, object], now: dict[str, object], said: str, tmp_path: Path
) -> None:
    """Never the name of a whole group alone, such as "loop": nobody could tell what to change."""
    run_settings.start(tmp_path, {**former, "loop": LOOP})
    with pytest.raises(TrainingError, match=said):
        run_settings.expect_same(tmp_path, {**now, "loop": LOOP})


def test_other_images_are_said_in_words(tmp_path: Path) -> None:
    """What is compared is a hash, which tells nobody anything; runs of earlier versions have none."""
    run_settings.start(tmp_path, {"images": 8, "order": "76c49e003715a872", "loop": LOOP})
    with pytest.raises(TrainingError, match=r"settings \(images with other names, or in another order\): resume"):
        run_settings.expect_same(tmp_path, {"images": 8, "order": "390d984757312902", "loop": LOOP})
    run_settings.start(tmp_path / "earlier", {"images": 8, "loop": LOOP})
    run_settings.expect_same(tmp_path / "earlier", {"images": 8, "order": "390d984757312902", "loop": LOOP})


@pytest.mark.parametrize("fingerprint", ["same", "other"])
def test_a_teacher_may_be_elsewhere_but_not_another_one(fingerprint: str, tmp_path: Path) -> None:
    """A run that was copied to another machine has its teacher there in another folder."""
    run_settings.start(tmp_path, {"teacher": "same", "distill": {"student": {"teacher": "/a/clip"}}, "loop": LOOP})
    now = {"teacher": fingerprint, "distill": {"student": {"teacher": "/b/clip"}}, "loop": LOOP}
    if fingerprint == "same":
        run_settings.expect_same(tmp_path, now)
    else:
        with pytest.raises(TrainingError, match=r"teacher 'same', now 'other'"):
            run_settings.expect_same(tmp_path, now)

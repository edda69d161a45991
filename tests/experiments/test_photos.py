"""The experiment on photos: its base is fixed, whatever the recipe becomes, and each variant changes what it says."""

from dataclasses import replace

import pytest

from zeroseg.experiments import photos
from zeroseg.experiments.photos import PHOTOS, photos_short
from zeroseg.recipes import photos_small
from zeroseg.student.config import plain_settings
from zeroseg.training.distillation import DistillConfig


def differences(one: dict[str, object], other: dict[str, object], place: str = "") -> set[str]:
    """The paths of the settings in which two configs differ."""
    found: set[str] = set()
    for name, value in one.items():
        theirs = other[name]
        if isinstance(value, dict) and isinstance(theirs, dict):
            found |= differences(value, theirs, f"{place}{name}.")
        elif value != theirs:
            found.add(place + name)
    return found


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("last-2", {"trainable_blocks", "loop.optimiser.encoder_rate"}),
        ("last-5", {"trainable_blocks", "loop.optimiser.encoder_rate"}),
        ("no-centre", {"centre"}),
        ("mask-0.5", {"mask_ratio"}),
        ("pixels-320", {"student.image_size"}),
    ],
)
def test_a_variant_changes_one_thing(name: str, changed: set[str]):
    variant = next(variant for variant in PHOTOS.variants if variant.name == name)
    base = photos_short()
    assert differences(plain_settings(base), plain_settings(variant.change(base))) == changed


def test_every_variant_is_in_that_list_or_the_base():
    assert [variant.name for variant in PHOTOS.variants] == [
        "base", "last-2", "last-5", "no-centre", "mask-0.5", "pixels-320"
    ]  # fmt: skip


def test_the_base_is_fixed_whatever_the_recipe_is(monkeypatch: pytest.MonkeyPatch):
    def other() -> DistillConfig:
        whole = photos_small()
        return replace(whole, trainable_blocks=7, centre=False, mask_ratio=0.75, focus=3.0)

    monkeypatch.setattr(photos, "photos_small", other)
    base = photos_short()
    assert (base.trainable_blocks, base.centre, base.mask_ratio, base.student.image_size) == (0, True, 0.0, 224)
    assert base.focus == 3.0
    assert base.loop.steps == 200


def test_it_is_measured_on_msrc_21_and_margins_come_from_objects():
    assert PHOTOS.datasets == PHOTOS.on_disk == ("msrc21-objects", "msrc21")

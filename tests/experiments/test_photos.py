"""The experiment on photos: its base is fixed, whatever the recipe becomes, and each variant changes what it says."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.evaluation.miniature import write_msrc21
from tests.experiments.toy import silent
from tests.tiny import locked_teacher, write_photos
from zeroseg.experiments import ExperimentContext, Scenes, photos, plan, run_variant
from zeroseg.experiments.photos import PHOTOS, photos_short
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.recipes import photos_small, photos_small_faithful
from zeroseg.student.config import plain_settings
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.loop import LoopConfig

PAPERS = ("faithful", "faithful-longer", "faithful-cosine", "faithful-cosine-no-matching")


def differences(one: dict[str, object], other: dict[str, object], place: str = "") -> set[str]:
    """The paths of the settings in which two configs differ."""
    found: set[str] = set()
    for name in one | other:
        value, theirs = one.get(name), other.get(name)
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
        ("dense-map", {"losses.window", "windows.method"}),
        ("dense-map-alone", {"losses.window", "losses.dense", "windows.method"}),
        ("dense-map-scales", {"losses.window", "windows.method", "windows.scales", "windows.smoothing"}),
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
        "base", "last-2", "last-5", "no-centre", "dense-map", "dense-map-alone", "dense-map-scales", "mask-0.5",
        "pixels-320", *PAPERS,
    ]  # fmt: skip


@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_recipe_keeps_the_length_and_the_words_of_the_base(name: str):
    """Head, losses, assignment and optimiser are the recipe's; so that figures can be compared, its words are not."""
    base, recipe = photos_short(), photos_small_faithful()
    config = next(variant for variant in PHOTOS.variants if variant.name == name).change(base)
    assert config.student.read_out == replace(base.student.read_out, naming="segments")
    assert config.student.grouping == "groupvit"
    changed = differences(plain_settings(recipe), plain_settings(config))
    changed -= {path for path in changed if path.startswith("student.read_out")} | {"loop.steps"}
    assert (
        changed
        == {
            "faithful": set[str](),
            "faithful-longer": set[str](),
            "faithful-cosine": {"student.assignment", "centre"},
            "faithful-cosine-no-matching": {"student.assignment", "centre", "losses.matching"},
        }[name]
    )
    assert config.loop.steps == base.loop.steps * (4 if name == "faithful-longer" else 1)


def test_the_base_is_fixed_whatever_the_recipe_is(monkeypatch: pytest.MonkeyPatch):
    def other() -> DistillConfig:
        whole = photos_small()
        return replace(whole, trainable_blocks=7, centre=False, mask_ratio=0.75, focus=3.0)

    monkeypatch.setattr(photos, "photos_small", other)
    base = photos_short()
    assert (base.trainable_blocks, base.centre, base.mask_ratio, base.student.image_size) == (0, True, 0.0, 224)
    assert base.focus == 3.0
    assert base.loop.steps == 150


def test_it_is_measured_on_msrc_21_and_margins_come_from_objects():
    assert PHOTOS.datasets == PHOTOS.on_disk == ("msrc21-objects", "msrc21")


def test_a_run_of_one_step_from_a_locked_tower_to_figures_on_photos(tmp_path: Path):
    small = replace(photos_small().views, grids=(1, 2))
    recipe = replace(photos_short(), views=small, loop=LoopConfig(steps=1, batch_size=2, workers=0))
    experiment = replace(PHOTOS, recipe=lambda: recipe)
    (tmp_path / "photos").mkdir()
    images = write_photos(tmp_path / "photos", 2)
    lit = locked_teacher()
    build_cache(images, lit, small, tmp_path / "cache")
    context = ExperimentContext(
        images, FeatureCache(tmp_path / "cache"), lit, "tiny", tmp_path / "runs", tmp_path / "records", Scenes(1, 1),
        dict.fromkeys(PHOTOS.on_disk, write_msrc21(tmp_path / "msrc21")), quiet=True,
    )  # fmt: skip
    (run,) = plan(experiment, context, seeds=1, only=["base"])
    record = run_variant(run, context, silent)
    assert record is not None
    found = record.scores["held-out"]
    assert found["msrc21"].keys() == {"patches", "patches, refined", "segments"}
    assert set(found["msrc21"]["patches"]["iou"]) >= {"building", "boat"}
    assert found["msrc21-objects"].keys() == {"patches", "patches, refined", "segments"}

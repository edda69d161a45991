"""Distilling: which images come when, what the targets are."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from tests.tiny import PATCH_STUDENT, STUDENT, VIEWS, student, teacher, write_photos
from zeroseg.errors import ConfigError, TrainingError
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.training.distill import Distillation, DistillConfig, LossWeights, ViewBatch, ViewData
from zeroseg.training.loop import LoopConfig
from zeroseg.views import ViewsConfig, mirror_order

OURS = LossWeights(reconstruction=0.0, matching=0.0, overlap=1.0, patch_view=1.0, dense=1.0)
CONFIG = DistillConfig(
    student=PATCH_STUDENT, views=VIEWS, losses=OURS, flips=True, loop=LoopConfig(steps=4, batch_size=2, workers=0)
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ViewData:
    folder = tmp_path_factory.mktemp("distill")
    photos = write_photos(folder, 6)
    build_cache(photos, teacher(), VIEWS, folder / "cache")
    return ViewData(photos, FeatureCache(folder / "cache"), CONFIG)


def test_an_epoch_shows_every_image_once_and_the_next_one_in_another_order(data: ViewData):
    first = [name for step in range(3) for name in data.batch(step).names]
    second = [name for step in range(3, 6) for name in data.batch(step).names]
    assert sorted(first) == sorted(second) == sorted(path.name for path, _ in data.images)
    assert first != second


def test_a_batch_depends_on_the_step_alone(data: ViewData):
    one, other = data.batch(2), data.batch(2)
    assert one.names == other.names
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.features, other.features)
    assert torch.equal(one.mirrored, other.mirrored)


def test_a_mirrored_image_goes_with_its_mirrored_views(data: ViewData):
    """Mirroring by hand, image and views, gives the loss that the flag gives."""
    distillation = Distillation(student(PATCH_STUDENT), CONFIG)
    batch = replace(data.batch(0), mirrored=torch.tensor([True, True]))
    by_hand = ViewBatch(
        batch.images.flip(-1), batch.features[:, mirror_order(VIEWS)], torch.tensor([False, False]), names=batch.names
    )
    one, _ = distillation(batch, torch.Generator().manual_seed(0))
    other, _ = distillation(by_hand, torch.Generator().manual_seed(0))
    assert float(one.detach()) == pytest.approx(float(other.detach()), rel=1e-5)


def test_targets_are_normalised_centred_and_scaled(data: ViewData):
    pupil = student(PATCH_STUDENT)
    pupil.target_mean.fill_(0.1)
    pupil.target_scale.fill_(0.5)
    features = data.batch(0).features
    expected = (features / features.norm(dim=-1, keepdim=True) - 0.1) / 0.5
    torch.testing.assert_close(Distillation(pupil, CONFIG).targets(features), expected)


def test_pretraining_is_reconstruction_alone(data: ViewData):
    """MAE first: until its share of the run is done, nothing but the encoder and the decoder learns."""
    config = replace(CONFIG, student=STUDENT, losses=LossWeights(0.0, 1.0, 1.0), pretraining=0.5)
    pupil = student(STUDENT)
    distillation = Distillation(pupil, config)

    def parts(progress: float) -> set[str]:
        pupil.zero_grad()
        loss, figures = distillation(replace(data.batch(0), progress=progress), torch.Generator().manual_seed(0))
        loss.backward()
        assert figures.keys() & vars(config.losses).keys()
        return {name.split(".")[0] for name, weight in pupil.named_parameters() if weight.grad is not None}

    assert parts(0.0) == parts(0.49) == {"encoder", "decoder"}
    assert "decoder" not in parts(0.5)
    assert {"encoder", "groupings", "segment_projection"} <= parts(0.5)


def test_batches_know_how_far_the_run_is(data: ViewData):
    steps = CONFIG.loop.steps
    assert [data.batch(step).progress for step in (0, 1, steps - 1)] == [0, 1 / steps, (steps - 1) / steps]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mask_ratio": 1.0}, "mask ratio"),
        ({"student": STUDENT}, "patch_head"),
        ({"losses": LossWeights(0.0, 0.0, 0.0)}, "nothing to learn"),
        ({"losses": LossWeights(0.0, 1.0, 1.0), "views": ViewsConfig(32, (1,))}, "local views"),
        ({"pretraining": 0.5}, "decoder_layers"),
        ({"pretraining": 1.0}, "share of the run"),
        ({"focus": -1.0}, "focus"),
    ],
)
def test_recipes_that_cannot_be_run_are_refused(changes: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        replace(CONFIG, **changes)


@pytest.mark.parametrize("name", ["steps", "batch_size", "log_every", "evaluate_every", "checkpoint_every", "patience"])
def test_a_loop_of_nothing_is_refused(name: str):
    with pytest.raises(ConfigError, match=name):
        LoopConfig(**cast(Any, {name: 0}))


def test_images_without_features_are_said(data: ViewData, tmp_path: Path):
    others = write_photos(tmp_path, 2, side=40)
    with pytest.raises(TrainingError, match="zeroseg cache"):
        ViewData(others, data.cache, CONFIG)


def test_images_that_the_cache_lacks_are_told_of(data: ViewData, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    paths = [path for path, _ in data.images] + write_photos(tmp_path, 1, side=40)
    assert len(ViewData(paths, data.cache, CONFIG).images) == 6
    assert "1 of 7 images" in caplog.text


def test_the_global_token_learns_from_the_whole_image_alone_where_it_is_told_to(data: ViewData):
    weights = LossWeights(reconstruction=0.0, matching=0.0, distillation=1.0)
    config = replace(CONFIG, losses=weights, flips=False, multi_scale=False)
    pupil, batch = student(PATCH_STUDENT), data.batch(0)
    batch = replace(batch, mirrored=torch.zeros_like(batch.mirrored))
    loss, _ = Distillation(pupil, config)(batch, torch.Generator().manual_seed(0))
    changed = batch.features.clone()
    changed[:, 1:] += 5.0  # the crops, of which it is not told
    same, _ = Distillation(pupil, config)(replace(batch, features=changed), torch.Generator().manual_seed(0))
    all_of_them, _ = Distillation(pupil, replace(config, multi_scale=True))(batch, torch.Generator().manual_seed(0))
    assert float(same.detach()) == pytest.approx(float(loss.detach()))
    assert float(all_of_them.detach()) != pytest.approx(float(loss.detach()))


def test_only_the_first_images_are_learnt_from(data: ViewData):
    few = ViewData([path for path, _ in data.images], data.cache, replace(CONFIG, first_images=2))
    assert [path for path, _ in few.images] == [path for path, _ in data.images[:2]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"multi_scale": False, "views": ViewsConfig(side=32, grids=(2,))}, "needs it among the views"),
        ({"first_images": -1}, "first_images"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, object], words: str):
    with pytest.raises(ConfigError, match=words):
        replace(CONFIG, **changes)

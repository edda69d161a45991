"""The objective of distillation: its targets, its losses, what it refuses, and micro-batches."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.tiny import PATCH_STUDENT, STUDENT, VIEWS, student, teacher, write_photos
from zeroseg.errors import ConfigError
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.losses import shown_views
from zeroseg.student.encoder import random_keep
from zeroseg.training.dense_targets import DenseTargets, WindowsConfig
from zeroseg.training.distillation import Distillation, DistillConfig, LossWeights
from zeroseg.training.loop import LoopConfig, Loss
from zeroseg.training.view_data import ViewBatch, ViewData
from zeroseg.views import ViewsConfig, hflip_order, patch_coverage

OURS = LossWeights(reconstruction=0.0, matching=0.0, overlap=1.0, patch_view=1.0, dense=1.0)
CONFIG = DistillConfig(
    student=PATCH_STUDENT, views=VIEWS, losses=OURS, flips=True, loop=LoopConfig(steps=4, batch_size=2, workers=0)
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ViewData:
    folder = tmp_path_factory.mktemp("distill")
    photos = write_photos(folder, 6)
    build_cache(photos, teacher(), VIEWS, folder / "cache")
    return view_data(photos, FeatureCache(folder / "cache"))


def view_data(images: list[Path], cache: FeatureCache, config: DistillConfig = CONFIG) -> ViewData:
    return ViewData(images, cache, config.student.image_size, config.loop, config.flips, config.first_images)


def loss_of(distillation: Distillation, batch: ViewBatch, progress: float = 0.0) -> Loss:
    (loss,) = distillation.losses(batch, progress, torch.Generator().manual_seed(0))
    return loss


def test_a_flipped_image_goes_with_its_flipped_views(data: ViewData):
    """Flipping by hand, image and views, gives the loss that the flag gives."""
    distillation = Distillation(student(PATCH_STUDENT), CONFIG, data)
    batch = replace(data.batch(0), flipped=torch.tensor([True, True]))
    by_hand = ViewBatch(
        batch.images.flip(-1), batch.features[:, hflip_order(VIEWS)], torch.tensor([False, False]), names=batch.names
    )
    one, other = (loss_of(distillation, given).value.detach() for given in (batch, by_hand))
    assert float(one) == pytest.approx(float(other), rel=1e-5)


def test_a_flipped_image_goes_with_its_flipped_window_targets(data: ViewData, monkeypatch: pytest.MonkeyPatch):
    """The teacher reads the image as it is, and its targets are flipped: the same as flipping both by hand."""
    weights = LossWeights(reconstruction=0.0, matching=0.0, distillation=0.0, window=1.0)
    config = replace(CONFIG, losses=weights, windows=WindowsConfig(side=PATCH_STUDENT.image_size, moved=False))
    distillation = Distillation(student(PATCH_STUDENT), config, data, teacher())
    batch = replace(data.batch(0), flipped=torch.tensor([True, True]))
    one = loss_of(distillation, batch).value.detach()
    reads, grid = distillation.dense, PATCH_STUDENT.grid
    assert reads is not None
    targets = reads(batch.images.float() / 255).view(2, grid, grid, -1)
    by_hand = ViewBatch(batch.images.flip(-1), batch.features, torch.tensor([False, False]), names=batch.names)
    for flipped, same in ((targets.flip(2), True), (targets, False)):
        monkeypatch.setattr(DenseTargets, "__call__", lambda *_, known=flipped: known.flatten(1, 2))
        other = loss_of(distillation, by_hand).value.detach()
        assert (float(one) == pytest.approx(float(other), rel=1e-5)) is same


def test_targets_are_normalised_centred_and_scaled(data: ViewData):
    trained = student(PATCH_STUDENT)
    trained.target_mean.fill_(0.1)
    trained.target_scale.fill_(0.5)
    features = data.batch(0).features
    expected = (features / features.norm(dim=-1, keepdim=True) - 0.1) / 0.5
    torch.testing.assert_close(Distillation(trained, CONFIG, data).targets(features), expected)


def test_pretraining_is_reconstruction_alone(data: ViewData):
    """MAE first: until its fraction of the run is done, nothing but the encoder and the decoder learns."""
    config = replace(CONFIG, student=STUDENT, losses=LossWeights(0.0, 1.0, 1.0), pretraining=0.5)
    trained = student(STUDENT)
    distillation = Distillation(trained, config, data)

    def parts(progress: float) -> set[str]:
        trained.zero_grad()
        loss = loss_of(distillation, data.batch(0), progress)
        loss.value.backward()
        assert loss.parts.keys() <= vars(config.losses).keys()
        return {name.split(".")[0] for name, weight in trained.named_parameters() if weight.grad is not None}

    assert parts(0.0) == parts(0.49) == {"encoder", "decoder"}
    assert "decoder" not in parts(0.5)
    assert {"encoder", "groupings", "segment_projection"} <= parts(0.5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mask_ratio": 1.0}, "mask ratio"),
        ({"student": STUDENT}, "patch_head"),
        ({"losses": LossWeights(0.0, 0.0, 0.0)}, "nothing to learn"),
        ({"losses": LossWeights(0.0, 1.0, 1.0), "views": ViewsConfig(32, (1,))}, "local views"),
        ({"pretraining": 0.5}, "decoder_layers"),
        ({"pretraining": 1.0}, "fraction of the run"),
        ({"focus": -1.0}, "focus"),
    ],
)
def test_recipes_that_cannot_be_run_are_refused(changes: dict[str, object], said: str):
    with pytest.raises(ConfigError, match=said):
        replace(CONFIG, **changes)


def test_the_global_token_learns_from_the_whole_image_alone_where_it_is_told_to(data: ViewData):
    weights = LossWeights(reconstruction=0.0, matching=0.0, distillation=1.0)
    config = replace(CONFIG, losses=weights, flips=False, multi_scale=False)
    trained, batch = student(PATCH_STUDENT), data.batch(0)
    batch = replace(batch, flipped=torch.zeros_like(batch.flipped))
    loss = loss_of(Distillation(trained, config, data), batch).value
    changed = batch.features.clone()
    changed[:, 1:] += 5.0  # the crops, of which it is not told
    same = loss_of(Distillation(trained, config, data), replace(batch, features=changed)).value
    all_of_them = loss_of(Distillation(trained, replace(config, multi_scale=True), data), batch).value
    assert float(same.detach()) == pytest.approx(float(loss.detach()))
    assert float(all_of_them.detach()) != pytest.approx(float(loss.detach()))


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


# --- micro-batches ----------------------------------------------------------------------------------

EVERY_PATCH = replace(PATCH_STUDENT, decoder_layers=1)  # with reconstruction, beside all that ours has
ALL = LossWeights(1.0, 0.5, 2.0, 1.0, 1.0, 4.0)
IN_PARTS = {
    "paper": DistillConfig(student=STUDENT, views=VIEWS, losses=LossWeights(), mask_ratio=0.6),
    "ours": DistillConfig(student=PATCH_STUDENT, views=VIEWS, losses=OURS, mask_ratio=0.8, flips=True, focus=2.0),
    "all": DistillConfig(
        student=EVERY_PATCH, views=VIEWS, losses=LossWeights(1.0, 0.5, 2.0, 1.0, 1.0, 4.0), mask_ratio=0.8
    ),
    "pretraining": DistillConfig(student=STUDENT, views=VIEWS, losses=LossWeights(), mask_ratio=0.6, pretraining=0.5),
    "every patch": DistillConfig(student=EVERY_PATCH, views=VIEWS, losses=LossWeights(overlap=1.0), mask_ratio=0.0),
}


def summed(config: DistillConfig, micro_batches: int, data: ViewData) -> dict[str, Tensor]:
    """The loss of a batch of eight, its parts, diagnostics and gradients, added up over its micro-batches."""
    config = replace(config, loop=LoopConfig(steps=4, batch_size=8, micro_batches=micro_batches))
    trained = student(config.student)  # in evaluation mode: without Gumbel noise, which is drawn part by part
    assert data.cache is not None
    distillation = Distillation(trained, config, view_data([*data.images], data.cache, config))
    total: dict[str, Tensor] = {}
    losses = list(distillation.losses(distillation.batch(0), 0.0, torch.Generator().manual_seed(0)))
    assert len(losses) == micro_batches
    for loss in losses:
        loss.value.backward()
        for name, value in {"loss": loss.value.detach(), **loss.parts, **loss.diagnostics()}.items():
            total[name] = total[name] + value if name in total else value
    return total | {name: weight.grad for name, weight in trained.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("name", IN_PARTS)
@pytest.mark.parametrize("micro_batches", [3, 4, 8])
def test_gradients_of_micro_batches_add_up_to_those_of_the_batch(name: str, micro_batches: int, data: ViewData):
    """Also where it does not divide, and where some images show more views than others."""
    whole, split = (summed(IN_PARTS[name], count, data) for count in (1, micro_batches))
    assert whole.keys() == split.keys()
    assert {"loss", "encoder.class_token"} <= whole.keys()
    largest = max(float(value.abs().max()) for name, value in whole.items() if name.startswith("encoder"))
    for part, value in whole.items():
        torch.testing.assert_close(split[part], value, rtol=1e-4, atol=1e-5 * largest)


def test_micro_batches_show_different_numbers_of_views():
    """Else the test before this one could not tell a mean over shown views from a mean over images."""
    config = IN_PARTS["ours"]
    keep = random_keep(8, config.student.grid**2, config.mask_ratio, torch.Generator().manual_seed(0))
    coverage = patch_coverage(VIEWS, config.student.grid)
    shown = [int(shown_views(coverage[some]).sum()) for some in keep.tensor_split(4)]
    assert len(set(shown)) > 1

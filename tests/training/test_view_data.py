"""View data: which images come when, and which the cache lacks."""

from pathlib import Path

import pytest
import torch

from tests.tiny import VIEWS, teacher, write_photos
from zeroseg.errors import ImageError, TrainingError
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.training.loop import LoopConfig
from zeroseg.training.view_data import ViewBatch, ViewData

LOOP = LoopConfig(steps=4, batch_size=2, workers=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ViewData:
    folder = tmp_path_factory.mktemp("view_data")
    photos = write_photos(folder, 6)
    build_cache(photos, teacher(), VIEWS, folder / "cache")
    return view_data(photos, FeatureCache(folder / "cache"))


def view_data(images: list[Path], cache: FeatureCache, first_images: int = 0) -> ViewData:
    return ViewData(images, cache, 32, LOOP, flips=True, first_images=first_images)


def test_batch_moves_with_all_its_tensors_and_keeps_the_rest():
    parts = (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(2, 5, 6), torch.zeros(2, dtype=torch.bool))
    batch = ViewBatch(*parts, names=["a", "b"])
    moved = batch.to(torch.device("meta"))
    assert {part.device.type for part in (moved.images, moved.features, moved.flipped)} == {"meta"}
    assert (type(moved), moved.names) == (ViewBatch, ["a", "b"])
    assert batch.images.device.type == "cpu"


def test_an_epoch_shows_every_image_once_and_the_next_one_in_another_order(data: ViewData):
    first = [name for step in range(3) for name in data.batch(step).names]
    second = [name for step in range(3, 6) for name in data.batch(step).names]
    assert sorted(first) == sorted(second) == sorted(path.name for path in data.images)
    assert first != second


def test_a_batch_depends_on_the_step_alone(data: ViewData):
    one, other = data.batch(2), data.batch(2)
    assert one.names == other.names
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.features, other.features)
    assert torch.equal(one.flipped, other.flipped)


def test_images_without_features_are_said(data: ViewData, tmp_path: Path):
    assert data.cache is not None
    others = write_photos(tmp_path, 2, side=40)
    with pytest.raises(TrainingError, match="zeroseg cache"):
        view_data(others, data.cache)


def test_images_that_the_cache_lacks_are_warned_of(data: ViewData, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    assert data.cache is not None
    paths = [*data.images, *write_photos(tmp_path, 1, side=40)]
    assert len(view_data(paths, data.cache).images) == 6
    assert "1 of 7 images" in caplog.text


def test_only_the_first_images_are_learnt_from(data: ViewData):
    assert data.cache is not None
    few = view_data([*data.images], data.cache, 2)
    assert few.images == data.images[:2]


def test_an_image_that_is_deleted_or_changed_during_a_run_is_named(tmp_path: Path):
    """New pixels must not be trained with the features of the old ones."""
    photos = write_photos(tmp_path, 2)
    build_cache(photos, teacher(), VIEWS, tmp_path / "cache")
    data, whole = view_data(photos, FeatureCache(tmp_path / "cache")), photos[1].read_bytes()
    assert len(data.batch(0).images) == 2
    for content in (photos[0].read_bytes(), b"nothing"):
        photos[1].write_bytes(content)
        with pytest.raises(ImageError, match=r"photo01\.png' has changed since it was cached: run `zeroseg cache`"):
            data.batch(0)
    photos[1].unlink()
    with pytest.raises(ImageError, match=r"photo01\.png' cannot be read \(No such file or directory\)"):
        data.batch(0)
    photos[1].write_bytes(whole)
    assert len(data.batch(0).images) == 2

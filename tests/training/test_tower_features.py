"""Features of a frozen tower on disk: the right ones, computed once, never those of something else."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import colour_pairs, tower_folder, write_photos
from zeroseg.errors import ImageError, TrainingError
from zeroseg.images import load_image, resize, to_tensor
from zeroseg.squares import center_square
from zeroseg.training import tower_features
from zeroseg.training.tower_features import Crops, embed_crops
from zeroseg.training.towers import Tower, open_tower

CROPS = Crops(side=32, count=2, smallest=0.4, seed=3)


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Tower:
    return open_tower(str(tower_folder(tmp_path_factory.mktemp("tower"))))


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    (tmp_path / "photos").mkdir()
    return write_photos(tmp_path / "photos", 5, side=48)


@pytest.fixture(autouse=True)
def _two_images_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tower_features, "IMAGES_A_FILE", 2)


def embed(tower: Tower, images: list[Path], folder: Path, crops: Crops = CROPS) -> tuple[torch.Tensor, list[int]]:
    done: list[int] = []
    return embed_crops(tower, images, crops, folder, done.append), done


def test_the_whole_square_comes_first_and_crops_differ(tower: Tower, photos: list[Path], tmp_path: Path):
    features, done = embed(tower, photos, tmp_path / "features")
    assert features.shape == (5, 3, 32)
    assert features.dtype == torch.float16
    assert done == [2, 2, 1]
    square = resize(to_tensor(center_square(load_image(photos[3])))[None], (32, 32))
    torch.testing.assert_close(features[3, 0].float(), tower.pooled(square)[0], atol=0.05, rtol=0.05)
    assert len({tuple(row) for row in features.flatten(0, 1).tolist()}) == 15


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npy"))


def test_what_is_there_is_not_computed_again(
    tower: Tower, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Only the file that is missing is made again, with the same values."""
    folder = tmp_path / "features"
    features, _ = embed(tower, photos, folder)
    files(folder)[1].unlink()
    seen: list[Path] = []
    monkeypatch.setattr(tower_features, "load_image", lambda path: seen.append(path) or load_image(path))
    again, done = embed(tower, photos, folder)
    assert torch.equal(again, features)
    assert done == [2, 2, 1]
    assert seen == photos[2:4]


def test_a_changed_image_has_new_features_and_the_old_ones_are_deleted(
    tower: Tower, photos: list[Path], tmp_path: Path
):
    folder = tmp_path / "features"
    features, _ = embed(tower, photos, folder)
    former = files(folder)
    Image.new("RGB", (48, 48), "red").save(photos[2])
    changed, _ = embed(tower, photos, folder)
    assert [not torch.equal(a, b) for a, b in zip(features, changed, strict=True)] == [False, False, True, False, False]
    assert [one in former for one in files(folder)] == [True, False, True]
    fewer, _ = embed(tower, photos[:2], folder)
    assert torch.equal(fewer, features[:2])
    assert files(folder) == former[:1]


def test_what_others_write_there_is_left_alone(tower: Tower, photos: list[Path], tmp_path: Path):
    """Another process may be writing to the same folder."""
    folder = tmp_path / "features"
    embed(tower, photos, folder)
    others = [folder / ".zeroseg-abc.npy", folder / "notes.npy"]
    for path in others:
        path.touch()
    embed(tower, photos[:2], folder)
    assert all(path.exists() for path in others)


def test_settings_of_an_earlier_version_are_understood(tower: Tower, photos: list[Path], tmp_path: Path):
    folder = tmp_path / "features"
    features, _ = embed(tower, photos, folder)
    path = folder / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"images": "abc"}), encoding="utf-8")
    assert torch.equal(embed(tower, photos, folder)[0], features)


def test_crops_depend_on_the_seed(tower: Tower, photos: list[Path], tmp_path: Path):
    one, _ = embed(tower, photos, tmp_path / "one")
    other, _ = embed(tower, photos, tmp_path / "other", replace(CROPS, seed=4))
    assert torch.equal(one[:, 0], other[:, 0])
    assert not torch.equal(one[:, 1], other[:, 1])


def test_an_image_that_cannot_be_read_stops_with_its_name(tower: Tower, photos: list[Path], tmp_path: Path):
    photos[3].write_bytes(b"no picture")
    with pytest.raises(ImageError, match="photo03"):
        embed(tower, photos, tmp_path / "features")
    assert [path.name[:7] for path in files(tmp_path / "features")] == ["000000-"]
    Image.new("RGB", (48, 48), "red").save(photos[3])
    assert embed(tower, photos, tmp_path / "features")[0].shape == (5, 3, 32)


def test_features_of_something_else_are_refused(tower: Tower, photos: list[Path], tmp_path: Path):
    folder = tmp_path / "features"
    embed(tower, photos, folder)
    other = open_tower(str(tower_folder(tmp_path / "dinov2", "dinov2")))
    for crops, model in ((replace(CROPS, side=40), tower), (CROPS, other)):
        with pytest.raises(TrainingError, match=r"holds features of another tower or of other crops"):
            embed(model, photos, folder, crops)


def test_damaged_features_are_named(tower: Tower, photos: list[Path], tmp_path: Path):
    folder = tmp_path / "features"
    embed(tower, photos, folder)
    second = files(folder)[1]
    np.save(second, np.zeros((2, 3, 31), np.float16))
    with pytest.raises(TrainingError, match=r"000001-\w+\.npy' is damaged: delete it and run again"):
        embed(tower, photos, folder)
    second.write_bytes(b"")
    with pytest.raises(TrainingError, match=r"000001-\w+\.npy' is damaged: delete it and run again"):
        embed(tower, photos, folder)
    (folder / "settings.json").write_text("{", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"settings\.json' is damaged: delete its folder and start again"):
        embed(tower, photos, folder)


def test_settings_are_plain(tower: Tower, tmp_path: Path):
    folder = colour_pairs(tmp_path / "pairs", 2)
    embed(tower, sorted(folder.glob("*.png")), tmp_path / "features")
    settings = json.loads((tmp_path / "features" / "settings.json").read_text(encoding="utf-8"))
    assert settings.items() >= {"tower": tower.fingerprint, "side": 32, "count": 2, "smallest": 0.4, "seed": 3}.items()

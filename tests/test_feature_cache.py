"""The cache holds what the teacher says of each view, once for each picture, whatever happens in between."""

import json
import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import VIEWS, photo, teacher, write_photos
from zeroseg import feature_cache
from zeroseg.errors import CacheError, OutputError
from zeroseg.feature_cache import FeatureCache, build_cache, embed_views
from zeroseg.files import held
from zeroseg.image_index import image_key
from zeroseg.images import to_tensor
from zeroseg.views import ViewsConfig


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    (tmp_path / "photos").mkdir()
    return write_photos(tmp_path / "photos", 8)


in_small_shards = partial(build_cache, shard=3, chunk=2)
"""Shards of three pictures, embedded two at a time, so that eight pictures make several of each."""


def key_of(path: Path) -> str:
    return image_key(path.read_bytes())


def contents(folder: Path, images: Sequence[Path]) -> torch.Tensor:
    cache = FeatureCache(folder)
    return torch.stack([cache[key_of(path)] for path in images])


# --- what it holds ----------------------------------------------------------------------------------


def test_cache_holds_the_teachers_embedding_of_every_view(photos: list[Path], tmp_path: Path):
    """The oracle cuts each view out of the picture itself and embeds it alone."""
    report = in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache")
    assert (report.embedded, report.found, report.unreadable) == (8, 0, 0)
    cache = FeatureCache(tmp_path / "cache")
    assert len(cache) == 8
    assert cache.views == VIEWS
    for path in photos:
        picture = Image.open(path)
        ours = cache[key_of(path)]
        assert ours.shape == (5, 16)
        assert ours.dtype == torch.float32
        for box, embedding in zip(VIEWS.boxes(), ours, strict=True):
            pixels = to_tensor(picture.crop(box))[None].float() / 255
            expected = teacher().embed_images(pixels)[0]
            torch.testing.assert_close(embedding, expected, atol=0.02, rtol=0.02)


def test_views_of_unequal_sizes_keep_their_places():
    """A side that three does not divide gives views of several shapes; each shape is embedded in one go."""
    views = ViewsConfig(side=32, grids=(1, 3), overlapping=True)
    squares = torch.stack([to_tensor(photo(seed=n)) for n in range(2)]).float() / 255
    ours = embed_views(teacher(), views, squares)
    assert len({(r - x, b - y) for x, y, r, b in views.boxes()}) > 2
    for number, (left, top, right, bottom) in enumerate(views.boxes()):
        expected = teacher().embed_images(squares[:, :, top:bottom, left:right])
        torch.testing.assert_close(ours[:, number], expected, atol=0.02, rtol=0.02)


def test_features_are_float16_on_disk(photos: list[Path], tmp_path: Path):
    build_cache(photos, teacher(), VIEWS, tmp_path / "cache")
    (shard,) = (tmp_path / "cache").glob("*.npy")
    stored = np.load(shard)
    assert stored.dtype == np.float16
    assert stored.shape == (8, 5, 16)


def test_picture_that_comes_twice_is_embedded_once(photos: list[Path], tmp_path: Path):
    """Under another name, in the same shard or a later one: the bytes are the key."""
    copies = [Path(shutil.copy(photos[0], tmp_path / f"copy{n}.png")) for n in range(3)]
    images = [photos[0], copies[0], photos[1], photos[2], copies[1], copies[2]]
    done: list[int] = []
    report = in_small_shards(images, teacher(), VIEWS, tmp_path / "cache", done.append)
    assert (report.embedded, report.found, report.unreadable) == (3, 3, 0)
    assert sum(done) == len(images)
    cache = FeatureCache(tmp_path / "cache")
    assert len(cache) == 3
    assert torch.equal(cache[key_of(copies[2])], cache[key_of(photos[0])])
    assert key_of(photos[5]) not in cache


@pytest.mark.parametrize("normalise", [True, False])
def test_statistics_are_numpys(normalise: bool, photos: list[Path], tmp_path: Path):
    in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache")
    rows = contents(tmp_path / "cache", photos).double().numpy().reshape(-1, 16)
    if normalise:
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    mean, spread = FeatureCache(tmp_path / "cache").statistics(normalise)
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=1e-6)
    assert spread == pytest.approx(np.sqrt(((rows - rows.mean(axis=0)) ** 2).mean()), rel=1e-6)


# --- going on ---------------------------------------------------------------------------------------


class PowerCut(BaseException):
    """Nothing in the program may catch it."""


@pytest.mark.parametrize("after", [0, 2, 3, 5, 7])
def test_interrupted_run_goes_on_and_ends_with_the_same_features(after: int, photos: list[Path], tmp_path: Path):
    in_small_shards(photos, teacher(), VIEWS, tmp_path / "whole")
    done = 0

    def progress(images: int) -> None:
        nonlocal done
        done += images
        if done > after:
            raise PowerCut("no current")

    with pytest.raises(PowerCut, match="no current"):
        in_small_shards(photos, teacher(), VIEWS, tmp_path / "cut", progress)
    held = len(FeatureCache(tmp_path / "cut"))
    assert held == done  # all that was embedded
    report = in_small_shards(photos, teacher(), VIEWS, tmp_path / "cut")
    assert (report.embedded, report.found) == (8 - held, held)
    assert torch.equal(contents(tmp_path / "cut", photos), contents(tmp_path / "whole", photos))


def test_shard_without_its_keys_does_not_count(photos: list[Path], tmp_path: Path):
    """The power went between the two files of a shard: features whose keys are unknown are written anew."""
    in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache")
    whole = contents(tmp_path / "cache", photos)
    max((tmp_path / "cache").glob("*.keys.json")).unlink()
    assert len(FeatureCache(tmp_path / "cache")) == 6
    report = in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache")
    assert (report.embedded, report.found) == (2, 6)
    assert torch.equal(contents(tmp_path / "cache", photos), whole)


def test_complete_cache_asks_the_teacher_nothing(photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    build_cache(photos, teacher(), VIEWS, tmp_path / "cache")
    monkeypatch.setattr(feature_cache, "embed_views", lambda *_: pytest.fail("embedded again"))
    report = build_cache(photos, teacher(), VIEWS, tmp_path / "cache")
    assert (report.embedded, report.found) == (0, 8)


def test_new_pictures_are_added(photos: list[Path], tmp_path: Path):
    build_cache(photos[:3], teacher(), VIEWS, tmp_path / "cache")
    first = contents(tmp_path / "cache", photos[:3])
    report = build_cache(photos, teacher(), VIEWS, tmp_path / "cache")
    assert (report.embedded, report.found) == (5, 3)
    assert torch.equal(contents(tmp_path / "cache", photos[:3]), first)
    assert len(FeatureCache(tmp_path / "cache")) == 8


# --- several processes -----------------------------------------------------------------------------


def test_a_cache_is_written_by_one_process_at_a_time(photos: list[Path], tmp_path: Path):
    """Two of them would number their shards alike: the keys of one, the features of the other."""
    folder = tmp_path / "cache"
    in_small_shards(photos[:3], teacher(), VIEWS, folder)
    before = sorted(path.name for path in folder.iterdir())
    in_use = rf"cache is in use by process {os.getpid()}: wait for it, or name another"
    with held(folder, inside=True):
        with pytest.raises(OutputError, match=in_use):
            in_small_shards(photos, teacher(), VIEWS, folder)
        report = in_small_shards(photos[:3], teacher(), VIEWS, folder)  # nothing to write
        assert (report.embedded, report.found) == (0, 3)
        assert len(FeatureCache(folder)) == 3
        assert sorted(path.name for path in folder.iterdir()) == sorted([*before, ".lock"])
    new = tmp_path / "new"
    with held(new, inside=True), pytest.raises(OutputError, match="in use"):
        in_small_shards(photos, teacher(), VIEWS, new)
    assert not (new / "manifest.json").exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt("pressed"), PowerCut("no current")])
def test_a_cache_is_held_while_it_is_written_and_released_at_an_interruption(
    stop: BaseException, photos: list[Path], tmp_path: Path
):
    owners: list[str] = []

    def progress(_: int) -> None:
        owners.extend(path.read_text() for path in (tmp_path / "cache").glob(".lock"))
        if len(owners) == 3:
            raise stop

    with pytest.raises(type(stop), match=str(stop)):
        in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache", progress)
    assert owners == [str(os.getpid())] * 3
    assert not (tmp_path / "cache" / ".lock").exists()
    assert in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache").unreadable == 0
    assert not (tmp_path / "cache" / ".lock").exists()


# --- what is refused --------------------------------------------------------------------------------


def test_other_teacher_and_other_views_are_refused(photos: list[Path], tmp_path: Path):
    folder = tmp_path / "cache"
    build_cache(photos[:2], teacher(), VIEWS, folder)
    cache = FeatureCache(folder)
    cache.check(teacher(), VIEWS)
    for other, views, words in (
        (teacher(1), VIEWS, "another teacher"),
        (teacher(), ViewsConfig(side=32, grids=(1, 2, 3)), "has the views"),
        (teacher(), ViewsConfig(side=40, grids=(1, 2)), "has the views"),
        (teacher(), ViewsConfig(side=32, grids=(1, 2), overlapping=True), "has the views"),
    ):
        with pytest.raises(CacheError, match=words):
            cache.check(other, views)
        with pytest.raises(CacheError, match=words):
            build_cache(photos, other, views, folder)
    assert len(FeatureCache(folder)) == 2


def test_a_cache_serves_every_recipe_whose_views_it_holds(photos: list[Path], tmp_path: Path):
    """The paper's tiles are among overlapping windows; what is cut from a large cache is what a small one holds."""
    large, small = ViewsConfig(side=32, grids=(1, 2, 4), overlapping=True), ViewsConfig(side=32, grids=(4, 1))
    build_cache(photos[:3], teacher(), large, tmp_path / "large")
    build_cache(photos[:3], teacher(), small, tmp_path / "small")
    whole, expected = FeatureCache(tmp_path / "large"), FeatureCache(tmp_path / "small")
    whole.check(teacher(), small)
    for cut in (whole.only(small), whole.only(ViewsConfig(side=32, grids=(1, 2, 4))).only(small)):
        assert cut.views == small
        key = image_key(photos[1].read_bytes())
        torch.testing.assert_close(cut[key], expected[key], atol=2e-3, rtol=2e-2)
        for ours, theirs in zip(cut.statistics(), expected.statistics(), strict=True):
            torch.testing.assert_close(torch.as_tensor(ours), torch.as_tensor(theirs), atol=2e-3, rtol=2e-2)
    assert whole.views == large


def test_folder_that_is_no_cache_is_refused(tmp_path: Path):
    with pytest.raises(CacheError, match="zeroseg cache"):
        FeatureCache(tmp_path)
    with pytest.raises(CacheError, match="zeroseg cache"):
        FeatureCache(tmp_path / "nowhere")


def test_cache_without_any_picture_has_no_statistics(tmp_path: Path):
    build_cache([tmp_path / "missing.png"], teacher(), VIEWS, tmp_path / "cache")
    with pytest.raises(CacheError, match="empty"):
        FeatureCache(tmp_path / "cache").statistics()


OTHER_VERSION = '{"format": 99, "teacher": "x", "views": {"side": 32, "grids": [1], "overlapping": false}}'
NO_VIEWS = '{"format": 1, "teacher": "x", "views": {}}'


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null", OTHER_VERSION, NO_VIEWS])
def test_damaged_manifest_is_said_to_be_damaged(content: str, photos: list[Path], tmp_path: Path):
    build_cache(photos[:1], teacher(), VIEWS, tmp_path / "cache")
    (tmp_path / "cache" / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(CacheError, match="damaged"):
        FeatureCache(tmp_path / "cache")


@pytest.mark.parametrize("name", ["000000.npy", "000000.keys.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_damaged_shard_is_said_to_be_damaged(name: str, damage: str, photos: list[Path], tmp_path: Path):
    build_cache(photos, teacher(), VIEWS, tmp_path / "cache")
    path = tmp_path / "cache" / name
    whole = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(b"" if damage == "empty" else whole[: len(whole) // 2])
    elif name.endswith("keys.json"):
        assert len(FeatureCache(tmp_path / "cache")) == 0  # a shard without its keys does not count
        return
    with pytest.raises(CacheError, match="damaged"):
        FeatureCache(tmp_path / "cache")


def test_unreadable_pictures_are_listed_and_do_not_stop_the_run(photos: list[Path], tmp_path: Path):
    truncated, missing, words = photos[1], tmp_path / "missing.png", tmp_path / "words.png"
    whole = truncated.read_bytes()
    truncated.write_bytes(whole[: len(whole) // 2])
    words.write_text("no picture", encoding="utf-8")
    images = [*photos[:4], missing, *photos[4:], words]
    done: list[int] = []
    report = in_small_shards(images, teacher(), VIEWS, tmp_path / "cache", done.append)
    assert (report.embedded, report.found, report.unreadable) == (7, 0, 3)
    assert sum(done) == len(images)
    listed = [json.loads(line) for line in (tmp_path / "cache" / "quarantine.jsonl").read_text().splitlines()]
    assert {row["image"] for row in listed} == {str(truncated), str(missing), str(words)}
    assert all(row["reason"] for row in listed)
    assert key_of(photos[7]) in FeatureCache(tmp_path / "cache")
    # once repaired, a picture is embedded and no longer listed
    truncated.write_bytes(whole)
    assert in_small_shards(images, teacher(), VIEWS, tmp_path / "cache").embedded == 1
    listed = (tmp_path / "cache" / "quarantine.jsonl").read_text()
    assert str(truncated) not in listed
    assert str(missing) in listed

"""`zeroseg cache`: what it will need, who makes it, and whether it is whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Call, Models, assert_one_sentence
from tests.tiny import write_photos
from zeroseg.cli import cache as command
from zeroseg.feature_cache import FeatureCache


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of six."""
    (tmp_path / "photos").mkdir()
    write_photos(tmp_path / "photos", 6)
    return tmp_path / "photos"


@pytest.fixture
def tiny(models: Models) -> tuple[object, ...]:
    """Options: a tiny teacher, and few views."""
    return ("--teacher", models.teacher, "--side", 32, "--grids", 1, 2, "--no-overlapping")


def shards(folder: Path) -> list[Path]:
    """In their order."""
    return sorted(folder.glob("*.safetensors"))


def test_a_dry_run_says_what_it_needs_and_makes_nothing(call: Call, photos: Path, tmp_path: Path) -> None:
    """Images, views, operations and bytes, as the cache then has them."""
    words = ("cache", photos, "--recipe", "photos_small", "--grids", 1, 2)
    said = call(*words, "--dry-run", "--out", tmp_path / "cache")
    assert said.code == 0
    assert "6 images, 10 views of each (448px 1x1 2x2 overlapping), 60 in all" in said.out
    assert "GFLOP" in said.out
    assert "GB are free there" in said.out
    assert not (tmp_path / "cache").exists()
    assert call(*words, "--dry-run").code == 0  # where it is to be does not matter
    each = re.search(r"([\d,]+) kB an image", said.out)
    assert each is not None
    assert call(*words, "--out", tmp_path / "cache").code == 0
    features = FeatureCache(tmp_path / "cache").at(0)
    assert round(2 * features.numel() / 1e3) == int(each[1])
    assert "are not known here" in call(*words, "--dry-run", "--teacher", "someone/some-clip").out


def test_processes_of_torchrun_share_the_images(
    call: Call, tiny: tuple[object, ...], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each says what it did; together they make the shards of one."""
    words = ("cache", photos, *tiny, "--shard", 2, "--out")
    assert call(*words, tmp_path / "one").code == 0
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, embedded in ((0, 4), (1, 2)):
        monkeypatch.setenv("RANK", str(rank))
        said = call(*words, tmp_path / "two").out
        assert f"{embedded} images embedded" in said
        assert said.endswith(f" (process {rank + 1} of 2)\n")
    assert [path.name for path in shards(tmp_path / "two")] == [path.name for path in shards(tmp_path / "one")]
    monkeypatch.delenv("RANK")
    monkeypatch.delenv("WORLD_SIZE")
    assert call(*words, tmp_path / "workers", "--workers", 2).code == 0
    assert [path.name for path in shards(tmp_path / "workers")] == [path.name for path in shards(tmp_path / "one")]


def test_the_engine_and_its_options_are_handed_on(
    call: Call, tiny: tuple[object, ...], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To Ray, which has tests of its own."""
    given = list[object]()

    def build(*arguments: object, **sizes: object) -> object:
        given.extend([len(arguments[0]), arguments[5], sizes])  # type: ignore[arg-type]
        return command.CacheReport(embedded=6)

    monkeypatch.setattr(command, "build_with_ray", build)
    words = ("cache", photos, *tiny, "--out", tmp_path / "cache", "--engine", "ray", "--shard", 3)
    said = call(*words, "--ray.address", "auto", "--ray.actors", 4)
    assert said.out.startswith("6 images embedded")
    assert given == [6, command.RayOptions("auto", 4), {"shard": 3, "chunk": 32}]


def test_verify_names_what_is_damaged_and_the_next_run_makes_it(
    call: Call, tiny: tuple[object, ...], photos: Path, tmp_path: Path
) -> None:
    """It ends with 1 as long as something is missing."""
    words = ("cache", photos, *tiny, "--shard", 2, "--out", tmp_path / "cache")
    call(*words)
    assert call("cache", "verify", tmp_path / "cache").out == f"whole: 3 shards with 6 images in {tmp_path / 'cache'}\n"
    first, second, _ = shards(tmp_path / "cache")
    first.write_bytes(first.read_bytes()[:-1])
    second.unlink()
    said = call("cache", "verify", tmp_path / "cache")
    assert said.code == 1
    assert f"damaged: {first.name}.damaged" in said.out
    assert f"lost: {second.name}" in said.out
    assert "about 4 images are to be embedded again" in said.err
    assert call(*words).out.startswith("4 images embedded, 2 already there")
    assert call("cache", "verify", tmp_path / "cache").code == 0
    first.write_bytes(b"")
    assert f"a damaged shard is now {first}.damaged" in call(*words).err


def test_what_makes_no_sense(call: Call, tiny: tuple[object, ...], photos: Path, tmp_path: Path) -> None:
    """One sentence each."""
    words = ("cache", photos, *tiny, "--out", tmp_path / "cache")
    assert_one_sentence(call("cache", "verify", tmp_path), 1, "is not a feature cache")
    assert_one_sentence(call(*words, "--workers", -1), 2, "--workers")
    assert_one_sentence(call(*words, "--engine", "ray", "--ray.actors", -1), 2, "--ray.actors")
    assert_one_sentence(call(*words, "--engine", "ray", "--workers", 1), 2, "--engine here")
    assert_one_sentence(call(*words, "--shard", 0), 2, "--shard")
    assert_one_sentence(call("cache", photos, *tiny), 2, "--out FOLDER")

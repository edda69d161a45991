"""What is damaged or lost in a cache is found, and only that is made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny import VIEWS, teacher, write_photos
from zeroseg.errors import CacheError
from zeroseg.feature_cache import FeatureCache, build_cache, verify_cache

DAMAGES = {
    "flipped bit": lambda content: content[:-7] + bytes([content[-7] ^ 1]) + content[-6:],
    "short": lambda content: content[:-1],
    "empty": lambda _: b"",
}


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Eight: four shards of two."""
    (tmp_path / "photos").mkdir()
    return write_photos(tmp_path / "photos", 8)


@pytest.fixture
def folder(photos: list[Path], tmp_path: Path) -> Path:
    """A cache of them."""
    build_cache(photos, teacher(), VIEWS, tmp_path / "cache", shard=2)
    return tmp_path / "cache"


def shards(folder: Path) -> list[Path]:
    """In their order."""
    return sorted(folder.glob("*.safetensors"))


def test_a_whole_cache_is_whole(folder: Path) -> None:
    """All shards are read."""
    done = list[int]()
    found = verify_cache(folder, done.append)
    assert (found.whole, found.images, found.is_whole, sum(done)) == (4, 8, True, 4)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_and_lost_shards_are_made_again_and_no_others(damage: str, folder: Path, photos: list[Path]) -> None:
    """They are named and set aside; then the same shards are there as before."""
    before = shards(folder)
    before[0].write_bytes(DAMAGES[damage](before[0].read_bytes()))
    before[2].unlink()
    found = verify_cache(folder)
    assert [path.name for path in found.damaged] == [f"{before[0].name}.damaged"]
    assert (found.lost, found.lost_images) == ([before[2].stem], 4)
    assert (found.whole, found.images, found.is_whole) == (2, 4, False)
    assert len(FeatureCache(folder)) == 4
    report = build_cache(photos, teacher(), VIEWS, folder, shard=2)
    assert (report.embedded, report.found) == (4, 4)
    assert shards(folder) == before
    assert verify_cache(folder).is_whole


def test_nothing_is_set_aside_if_only_looked_at(folder: Path) -> None:
    """For programs that only watch."""
    shards(folder)[0].write_bytes(b"")
    assert list(verify_cache(folder, put_aside=False).damaged) == shards(folder)[:1]


def test_a_torn_list_of_shards_is_read_as_far_as_it_goes(folder: Path) -> None:
    """A crash may have cut off its last line; the next one begins anew."""
    path = folder / "shards.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert verify_cache(folder).is_whole
    shards(folder)[1].unlink()
    assert len(verify_cache(folder).lost) <= 1


def test_what_is_no_cache_is_said(tmp_path: Path) -> None:
    """With the command that makes one."""
    with pytest.raises(CacheError, match="zeroseg cache"):
        verify_cache(tmp_path)

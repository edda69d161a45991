"""What is damaged or lost in a cache is found, and only that is made again."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import VIEWS, teacher, write_photos
from zeroseg.errors import CacheError
from zeroseg.feature_cache import FeatureCache, Manifest, build_cache, building, verify_cache

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


def test_what_was_made_again_in_other_shards_is_not_lost(folder: Path, photos: list[Path]) -> None:
    """Shards of other sizes hold the same images."""
    for path in shards(folder)[:2]:
        path.unlink()
    assert verify_cache(folder).lost_images == 4
    build_cache(photos[1:], teacher(), VIEWS, folder, shard=8)
    found = verify_cache(folder)
    assert found.lost_images == len(found.lost) == len(photos) - found.images
    build_cache(photos, teacher(), VIEWS, folder, shard=8)
    assert verify_cache(folder).is_whole


def test_flipped_bits_in_the_list_of_shards_lose_nothing(folder: Path) -> None:
    """Neither the name of a shard nor a key becomes another one."""
    path = folder / "shards.jsonl"
    content = path.read_bytes()
    for place in range(3, len(content), 17):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert verify_cache(folder).is_whole, place


@pytest.mark.parametrize("line", ["[" * 100_000, '{"shard": "x", "images": 1e400}', "[]", '{"shard": "x", "keys": 5}'])
def test_a_list_of_shards_may_have_any_lines(line: str, folder: Path) -> None:
    """They are left out."""
    (folder / "shards.jsonl").write_text(f"{line}\n", encoding="utf-8")
    assert verify_cache(folder).is_whole


def test_a_flipped_bit_in_what_a_shard_says_of_itself_is_damage(folder: Path, photos: list[Path]) -> None:
    """It does not make it a shard of another cache."""
    path = shards(folder)[0]
    content = path.read_bytes()
    place = content.index(b"teacher") + 16
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    assert [name.name for name in verify_cache(folder).damaged] == [f"{path.name}.damaged"]
    assert build_cache(photos, teacher(), VIEWS, folder, shard=2).embedded == 2


@pytest.mark.parametrize("reason", [errno.EMFILE, errno.EACCES])
def test_a_shard_that_cannot_be_read_now_is_not_set_aside(
    reason: int, folder: Path, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many open files, or no permission, say nothing of its content."""
    opened, before = Path.open, shards(folder)

    def refused(path: Path, *given: Any, **named: Any) -> Any:
        if path == before[1]:
            raise OSError(reason, os.strerror(reason))
        return opened(path, *given, **named)

    monkeypatch.setattr(Path, "open", refused)
    for use in (lambda: FeatureCache(folder), lambda: verify_cache(folder), lambda: again(photos, folder)):
        with pytest.raises(CacheError, match=f"cannot be read now .{os.strerror(reason)}"):
            use()
    assert shards(folder) == before


def test_two_processes_may_set_aside_one_shard(folder: Path) -> None:
    """The second finds that it is done."""
    path = shards(folder)[0]
    assert building.set_aside(path) == building.set_aside(path)


def again(photos: list[Path], folder: Path) -> None:
    """The same command."""
    build_cache(photos, teacher(), VIEWS, folder, shard=2)


@pytest.mark.parametrize("damage", ["", "[1]", "[" * 100_000, "teacher", "side", "grids", "overlapping", "width"])
def test_a_damaged_manifest_is_written_again(damage: str, folder: Path, photos: list[Path]) -> None:
    """By the same command, and nothing is embedded again; another teacher is still refused."""
    path = folder / "manifest.json"
    whole = path.read_text(encoding="utf-8")
    flipped = whole.replace(f'"{damage}": ', f'"{damage}": 1') if damage.isalpha() else damage
    path.write_text(flipped, encoding="utf-8")
    with pytest.raises(CacheError, match="is damaged: `zeroseg cache` on the images"):
        verify_cache(folder)
    with pytest.raises(CacheError, match="is of another cache"):
        build_cache(photos, teacher(1), VIEWS, folder, shard=2)
    assert build_cache(photos, teacher(), VIEWS, folder, shard=2).embedded == 0
    assert path.read_text(encoding="utf-8") == whole


def test_one_of_two_teachers_begins_a_cache(photos: list[Path], tmp_path: Path) -> None:
    """Both find the folder empty; the second is refused, so no shards are mixed."""
    manifests = [Manifest.of(teacher(seed), VIEWS) for seed in (0, 1)]
    assert [one.begin(tmp_path / "cache") for one in manifests] == [True, False]
    with pytest.raises(CacheError, match="another teacher"):
        build_cache(photos, teacher(1), VIEWS, tmp_path / "cache")

"""The cache holds what the teacher says of each view, once for each picture, whatever happens in between."""

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from tests.tiny import VIEWS, photo, teacher, write_photos
from zeroseg.errors import CacheError
from zeroseg.feature_cache import FeatureCache, build_cache, building, embed_views, reading, verify_cache
from zeroseg.feature_cache.manifest import Manifest
from zeroseg.feature_cache.quarantine import read_quarantine
from zeroseg.feature_cache.shard import Shard
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


def shards(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.safetensors"))


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


def test_features_are_float16_on_disk_in_a_file_that_others_read(photos: list[Path], tmp_path: Path):
    """The library of the format finds features, keys and checksums."""
    build_cache(photos, teacher(), VIEWS, tmp_path / "cache")
    (shard,) = (tmp_path / "cache").glob("*.safetensors")
    stored = load_file(shard)
    assert stored["features"].dtype == np.float16
    assert stored["features"].shape == (8, 5, 16)
    assert [key.tobytes().hex() for key in stored["keys"]] == [key_of(path) for path in photos]
    assert [zlib.crc32(row.tobytes()) for row in stored["features"]] == stored["checksums"].tolist()
    assert hashlib.blake2b(shard.read_bytes(), digest_size=16).hexdigest() == shard.stem


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


def test_a_shard_that_is_lost_is_made_again_with_the_same_name(photos: list[Path], tmp_path: Path):
    in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache")
    whole, names = contents(tmp_path / "cache", photos), shards(tmp_path / "cache")
    (tmp_path / "cache" / names[1]).unlink()
    assert len(FeatureCache(tmp_path / "cache")) < 8
    report = in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache")
    assert report.embedded + report.found == 8
    assert 2 <= report.embedded <= 3
    assert shards(tmp_path / "cache") == names
    assert torch.equal(contents(tmp_path / "cache", photos), whole)


def test_complete_cache_asks_the_teacher_nothing(photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    build_cache(photos, teacher(), VIEWS, tmp_path / "cache")
    monkeypatch.setattr(building, "embed_views", lambda *_: pytest.fail("embedded again"))
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


@pytest.mark.parametrize("count", [2, 3])
def test_processes_share_the_blocks(count: int, photos: list[Path], tmp_path: Path):
    """Each makes its own; together they make what one makes."""
    in_small_shards(photos, teacher(), VIEWS, tmp_path / "one")
    reports = [in_small_shards(photos, teacher(), VIEWS, tmp_path / "all", part=(n, count)) for n in range(count)]
    assert sum(report.embedded for report in reports) == 8
    assert min(report.embedded for report in reports) >= 2
    assert shards(tmp_path / "all") == shards(tmp_path / "one")


def test_two_runs_on_one_folder_do_not_collide(photos: list[Path], tmp_path: Path):
    """One is stopped within a shard, while the other one writes: every image has its own features."""
    in_small_shards(photos, teacher(), VIEWS, tmp_path / "one")
    folder = tmp_path / "cache"

    def another(_: int) -> None:
        in_small_shards(photos[::-1], teacher(), VIEWS, folder)
        raise PowerCut("no current")

    with pytest.raises(PowerCut, match="no current"):
        build_cache(photos, teacher(), VIEWS, folder, another, shard=5, chunk=5)
    assert torch.equal(contents(folder, photos), contents(tmp_path / "one", photos))
    assert len(FeatureCache(folder)) == 8
    assert in_small_shards(photos, teacher(), VIEWS, folder).found == 8


def test_a_cache_that_is_made_again_is_not_mistaken_for_the_former_one(photos: list[Path], tmp_path: Path):
    """In the same process, in the same folder, with another teacher."""
    folder = tmp_path / "cache"
    build_cache(photos, teacher(), VIEWS, folder)
    former = contents(folder, photos)
    shutil.rmtree(folder)
    build_cache(photos, teacher(1), VIEWS, folder)
    build_cache(photos, teacher(1), VIEWS, tmp_path / "other")
    assert torch.equal(contents(folder, photos), contents(tmp_path / "other", photos))
    assert not torch.equal(contents(folder, photos), former)


def test_a_shard_that_was_made_elsewhere_is_copied_in(photos: list[Path], tmp_path: Path):
    build_cache(photos[:4], teacher(), VIEWS, tmp_path / "here")
    build_cache(photos[4:], teacher(), VIEWS, tmp_path / "there")
    for name in shards(tmp_path / "there"):
        shutil.copy(tmp_path / "there" / name, tmp_path / "here" / name)
    assert len(FeatureCache(tmp_path / "here")) == 8
    assert build_cache(photos, teacher(), VIEWS, tmp_path / "here").found == 8
    build_cache(photos[:1], teacher(1), VIEWS, tmp_path / "other")
    (name,) = shards(tmp_path / "other")
    shutil.copy(tmp_path / "other" / name, tmp_path / "here" / name)
    with pytest.raises(CacheError, match=rf"{name} is of another cache"):
        FeatureCache(tmp_path / "here")


def test_a_file_that_is_being_written_is_no_shard(photos: list[Path], tmp_path: Path):
    """Of a process that runs it stays; what a killed one left goes when it is old."""
    folder = tmp_path / "cache"
    build_cache(photos[:4], teacher(), VIEWS, folder)
    (name,) = shards(folder)
    new, old = (folder / f".zeroseg-{letter}.safetensors" for letter in "ab")
    for half in (new, old):
        half.write_bytes((folder / name).read_bytes()[:100])
    os.utime(old, (1_700_000_000, 1_700_000_000))
    assert len(FeatureCache(folder)) == 4
    assert verify_cache(folder).is_whole
    report = build_cache(photos, teacher(), VIEWS, folder)
    assert (report.embedded, report.found, report.set_aside) == (4, 4, [])
    assert new.exists()
    assert not old.exists()


def test_memory_does_not_grow_with_the_images_that_were_embedded(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """After some of them their keys are read from the shards, and copies are still found."""
    monkeypatch.setattr(building, "REOPENED", 3)
    copies = [Path(shutil.copy(path, tmp_path / f"copy-{path.name}")) for path in photos]
    report = in_small_shards([*photos, *copies], teacher(), VIEWS, tmp_path / "cache")
    assert (report.embedded, report.found) == (8, 8)


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


OTHER_VERSION = '{"format": 99, "width": 16, "teacher": "x", "views": {"side": 32, "grids": [1], "overlapping": false}}'
NO_VIEWS = '{"format": 2, "width": 16, "teacher": "x", "views": {}}'


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null", OTHER_VERSION, NO_VIEWS])
def test_damaged_manifest_is_said_to_be_damaged(content: str, photos: list[Path], tmp_path: Path):
    build_cache(photos[:1], teacher(), VIEWS, tmp_path / "cache")
    (tmp_path / "cache" / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(CacheError, match="damaged"):
        FeatureCache(tmp_path / "cache")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda content: content[: len(content) // 2],
    "longer": lambda content: content + b"more",
    "no header": lambda content: b"\xff" * 8 + content[8:],
    "no JSON": lambda content: content[:8] + b"x" * 40 + content[48:],
    "another type": lambda content: content.replace(b"F16", b"I16"),
    "another shape": lambda content: content.replace(b"[8,5,16]", b"[8,6,16]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_shard_is_named_and_made_again(damage: str, photos: list[Path], tmp_path: Path):
    folder = tmp_path / "cache"
    build_cache(photos, teacher(), VIEWS, folder)
    whole = contents(folder, photos)
    (name,) = shards(folder)
    (folder / name).write_bytes(DAMAGES[damage]((folder / name).read_bytes()))
    with pytest.raises(CacheError, match=rf"{name} is damaged: `zeroseg cache verify"):
        FeatureCache(folder)
    report = build_cache(photos, teacher(), VIEWS, folder)
    assert (report.embedded, [path.name for path in report.set_aside]) == (8, [f"{name}.damaged"])
    assert torch.equal(contents(folder, photos), whole)


def test_flipped_bits_are_found_where_they_are_read(photos: list[Path], tmp_path: Path):
    folder = tmp_path / "cache"
    build_cache(photos, teacher(), VIEWS, folder)
    (name,) = shards(folder)
    content = bytearray((folder / name).read_bytes())
    place = content.index(load_file(folder / name)["features"][3].tobytes()) + 5
    content[place] ^= 4
    (folder / name).write_bytes(content)
    cache = FeatureCache(folder)
    assert cache[key_of(photos[2])].shape == (5, 16)
    with pytest.raises(CacheError, match=rf"{name} is damaged"):
        cache[key_of(photos[3])]


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


def test_pictures_of_any_names_are_listed(tmp_path: Path):
    """Names that are no text, or have what elsewhere ends a line, are found again when the picture can be read."""
    names = [b"a\xff.png", "b\u2028.png".encode(), "c\x85.png".encode()]
    paths = [tmp_path / os.fsdecode(name) for name in names]
    assert in_small_shards(paths, teacher(), VIEWS, tmp_path / "cache").unreadable == 3
    assert [*read_quarantine(tmp_path / "cache")] == [str(path) for path in paths]
    for number, path in enumerate(paths):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(path)
    assert in_small_shards(paths, teacher(), VIEWS, tmp_path / "cache").embedded == 3
    assert not read_quarantine(tmp_path / "cache")


def test_statistics_are_of_what_was_written(photos: list[Path], tmp_path: Path):
    """A flipped bit changes no mean unseen."""
    in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache")
    path = tmp_path / "cache" / shards(tmp_path / "cache")[0]
    content = path.read_bytes()
    features = load_file(path)["features"].tobytes()
    place = content.index(features)
    path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
    with pytest.raises(CacheError, match="is damaged"):
        FeatureCache(tmp_path / "cache").statistics()


def test_a_shard_is_one_open_file(photos: list[Path], tmp_path: Path):
    """Systems limit their number."""
    in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache")
    before = len([*Path("/proc/self/fd").iterdir()])
    cache = FeatureCache(tmp_path / "cache")
    assert len([*Path("/proc/self/fd").iterdir()]) - before <= len(shards(tmp_path / "cache"))
    assert len(cache) == 8


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed by Linux alone")
def test_few_shards_are_open_at_a_time(photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Usually a process may open 1,024 files, and ImageNet has 5,000 shards."""
    folder, counts, open_shard = tmp_path / "cache", list[int](), reading.open_shard

    def counted(path: Path, manifest: Manifest) -> Shard:
        opened = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
        counts.append(sum(path.startswith(str(folder)) and path.endswith(".safetensors") for path in opened))
        return open_shard(path, manifest)

    build_cache(photos, teacher(), VIEWS, folder, shard=1)
    monkeypatch.setattr(reading, "MOST_OPEN", 2)
    monkeypatch.setattr(reading, "open_shard", counted)
    cache = FeatureCache(folder)
    assert len(cache) == len(counts) == 8
    assert max(counts) == 2


def test_what_killed_processes_left_in_the_index_is_removed(photos: list[Path], tmp_path: Path):
    """After an hour."""
    in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache")
    left = tmp_path / "cache" / "index" / ".zeroseg-0123.table"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"x")
    os.utime(left, (1e9, 1e9))
    in_small_shards(photos, teacher(), VIEWS, tmp_path / "cache")
    assert not left.exists()


def test_a_pipe_among_the_pictures_is_not_waited_for(photos: list[Path], tmp_path: Path):
    """It is listed, as what cannot be read."""
    os.mkfifo(tmp_path / "pipe.png")
    report = in_small_shards([*photos, tmp_path / "pipe.png"], teacher(), VIEWS, tmp_path / "cache")
    assert (report.embedded, report.unreadable) == (8, 1)
    assert "not a file" in read_quarantine(tmp_path / "cache")[str(tmp_path / "pipe.png")]

"""The index of images: what was read once is not read again, and what has changed is."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny import VIEWS, teacher, write_photos
from zeroseg import image_index
from zeroseg.errors import ImageError, TrainingError
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.image_index import ImageIndex, Stamp, as_text, image_key
from zeroseg.training.view_data import cached_images

OLD = 1_700_000_000 * 10**9  # nanoseconds: long ago


def write_old(path: Path, content: bytes, time_ns: int = OLD) -> Path:
    """A file that was last changed long ago."""
    path.write_bytes(content)
    os.utime(path, ns=(time_ns, time_ns))
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write_old(tmp_path / f"{number}.png", b"content %d" % number) for number in range(5)]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose bytes are read, in order."""
    names: list[str] = []
    read_bytes = Path.read_bytes

    def counted(path: Path) -> bytes:
        names.append(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    return names


def content_of(path: Path) -> bytes:
    """Its bytes, read in a way that is not counted."""
    with path.open("rb") as file:
        return file.read()


def keys_of(files: list[Path]) -> list[str]:
    return [image_key(content_of(file)) for file in files]


def found_keys(index: ImageIndex, files: list[Path]) -> list[str]:
    return [as_text(key) for key in index.keys(files)]


def test_files_are_read_once(files: list[Path], tmp_path: Path, reads: list[str]):
    index = ImageIndex(tmp_path)
    assert found_keys(index, files) == keys_of(files)
    assert reads == [file.name for file in files]
    assert found_keys(index, files) == keys_of(files)  # in the same process
    assert found_keys(ImageIndex(tmp_path), files[::-1]) == keys_of(files)[::-1]  # in a later one
    assert len(reads) == len(files)


@pytest.mark.parametrize("content", [b"content X", b"a longer content"])
def test_a_changed_file_is_read_again_also_where_its_size_is_the_same(
    content: bytes, files: list[Path], tmp_path: Path, reads: list[str]
):
    found_keys(ImageIndex(tmp_path), files)
    reads.clear()
    write_old(files[2], content, OLD + 1)
    assert found_keys(ImageIndex(tmp_path), files) == keys_of(files)
    assert reads == ["2.png"]
    assert found_keys(ImageIndex(tmp_path), files) == keys_of(files)
    assert reads == ["2.png"]


def test_a_moved_file_is_read_again_and_has_the_same_key(files: list[Path], tmp_path: Path, reads: list[str]):
    (key,) = found_keys(ImageIndex(tmp_path), files[:1])
    moved = Path(shutil.move(files[0], tmp_path / "moved.png"))
    assert found_keys(ImageIndex(tmp_path), [moved]) == [key]
    assert reads == ["0.png", "moved.png"]


def test_a_path_means_the_same_file_from_anywhere(
    files: list[Path], tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
):
    found_keys(ImageIndex(tmp_path), files)
    monkeypatch.chdir(tmp_path)
    assert found_keys(ImageIndex(tmp_path), [Path("3.png")]) == keys_of(files[3:4])
    assert len(reads) == len(files)


def test_a_file_of_just_now_is_not_kept(tmp_path: Path, reads: list[str]):
    """It may change again without a later time; once the clock has gone on, it is kept."""
    now = time.time_ns()
    file = write_old(tmp_path / "new.png", b"new", now)
    found_keys(ImageIndex(tmp_path), [file])
    write_old(file, b"NEW", now)
    assert found_keys(ImageIndex(tmp_path), [file]) == [image_key(b"NEW")]
    assert reads == ["new.png", "new.png"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content + bytes(32),
        lambda content: bytes(len(content)),
        lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:],
    ],
)
def test_a_damaged_table_is_left_out_and_written_anew(
    damage: Callable[[bytes], bytes], files: list[Path], tmp_path: Path, reads: list[str]
):
    found_keys(ImageIndex(tmp_path), files)
    (path,) = (tmp_path / image_index.NAME).iterdir()
    path.write_bytes(damage(content_of(path)))
    reads.clear()
    assert found_keys(ImageIndex(tmp_path), files) == keys_of(files)
    assert len(reads) == len(files)
    reads.clear()
    assert found_keys(ImageIndex(tmp_path), files) == keys_of(files)
    assert reads == []


def test_an_index_of_another_version_is_left_alone(files: list[Path], tmp_path: Path, reads: list[str]):
    other = tmp_path / image_index.NAME / "000001.later"
    other.parent.mkdir()
    other.write_text("what only a later version can read")
    assert found_keys(ImageIndex(tmp_path), files) == keys_of(files)
    assert len(reads) == len(files)
    assert other.read_text() == "what only a later version can read"


def test_the_later_of_two_lines_wins(tmp_path: Path):
    """Two processes may have read a file while it was changing: the one that was last knows best."""
    stamp = Stamp(b"5\t5\t/a", is_kept=True)
    for key in ("0" * 32, "1" * 32):
        index = ImageIndex(tmp_path)
        index.add(stamp, key)
        index.flush()
    assert ImageIndex(tmp_path).find(stamp) == "1" * 32


APPEND = """
import sys
from pathlib import Path
from zeroseg.image_index import ImageIndex, Stamp
index = ImageIndex(Path(sys.argv[1]))
for number in range(20000):
    index.add(Stamp(b"5\\t5\\t/%s/%d" % (sys.argv[2].encode(), number), True), f"{number:032x}")
index.flush()
"""


def test_processes_append_to_one_index(tmp_path: Path):
    running = [subprocess.Popen([sys.executable, "-c", APPEND, str(tmp_path), name]) for name in ("one", "two")]
    assert [process.wait() for process in running] == [0, 0]
    index = ImageIndex(tmp_path)
    for name in (b"one", b"two"):
        found = [index.find(Stamp(b"5\t5\t/%s/%d" % (name, number), True)) for number in range(20000)]
        assert found == [f"{number:032x}" for number in range(20000)]


def test_more_images_than_are_held_as_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They go to tables, and these are put together when there are many."""
    monkeypatch.setattr(image_index, "BATCH", 3)
    index = ImageIndex(tmp_path)
    stamps = [Stamp(b"%d\t5\t/a" % number, True) for number in range(100)]
    for number, stamp in enumerate(stamps):
        index.add(stamp, f"{number:032x}")
    for known in (index, ImageIndex(tmp_path)):
        assert [known.find(stamp) for stamp in stamps[:99]] == [f"{n:032x}" for n in range(99)]
    assert index.find(stamps[99]) == f"{99:032x}"
    assert len(list((tmp_path / image_index.NAME).iterdir())) < 20
    assert index.find(Stamp(b"100\t5\t/a", True)) is None


def test_a_folder_that_cannot_be_written_to_is_only_slower(files: list[Path], tmp_path: Path, reads: list[str]):
    """A file in the index's place: writing and reading fail, whoever runs the test."""
    (tmp_path / image_index.NAME).touch()
    index = ImageIndex(tmp_path)
    assert found_keys(index, files) == found_keys(index, files) == keys_of(files)
    assert len(reads) == len(files)
    found_keys(ImageIndex(tmp_path), files)
    assert len(reads) == 2 * len(files)


def test_names_of_two_lines_and_such_that_are_no_text(tmp_path: Path, reads: list[str]):
    two_lines = write_old(tmp_path / "a\nb.png", b"one")
    no_text = write_old(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\ttab.png")), b"two")
    expected = [image_key(b"one"), image_key(b"two")]
    assert found_keys(ImageIndex(tmp_path), [two_lines, no_text]) == expected
    assert found_keys(ImageIndex(tmp_path), [two_lines, no_text]) == expected
    assert reads == [two_lines.name, no_text.name]


def test_a_missing_file_is_named_and_what_was_read_is_kept(files: list[Path], tmp_path: Path, reads: list[str]):
    with pytest.raises(ImageError, match=r"missing\.png' cannot be read"):
        found_keys(ImageIndex(tmp_path), [*files, tmp_path / "missing.png"])
    reads.clear()
    found_keys(ImageIndex(tmp_path), files)
    assert reads == []


# --- with a cache -----------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    (tmp_path / "photos").mkdir()
    photos = write_photos(tmp_path / "photos", 6)
    for photo in photos:
        os.utime(photo, ns=(OLD, OLD))
    return photos


def test_a_cache_reads_every_image_once_and_whoever_plans_reads_none(
    photos: list[Path], tmp_path: Path, reads: list[str]
):
    folder = tmp_path / "cache"
    assert build_cache(photos, teacher(), VIEWS, folder).embedded == 6
    assert sorted(reads) == [photo.name for photo in photos]
    report = build_cache(photos, teacher(), VIEWS, folder)
    assert (report.embedded, report.found) == (0, 6)
    cache = FeatureCache(folder)
    assert len(cached_images(photos, cache)[0]) == len(cached_images(photos, cache.only(VIEWS))[0]) == 6
    assert len(reads) == 6


def test_a_cache_embeds_a_changed_image_anew(photos: list[Path], tmp_path: Path):
    folder = tmp_path / "cache"
    build_cache(photos, teacher(), VIEWS, folder)
    former = keys_of(photos)
    (other,) = write_photos(tmp_path, 1, side=40)
    write_old(photos[3], other.read_bytes(), OLD + 1)
    report = build_cache(photos, teacher(), VIEWS, folder)
    assert (report.embedded, report.found) == (1, 5)
    cache = FeatureCache(folder)
    images, places = cached_images(photos, cache)
    assert images == photos
    assert [cache.key_at(int(place)) for place in places] == [*former[:3], *keys_of(photos[3:4]), *former[4:]]


def test_a_cache_of_before_there_was_an_index_gets_one(photos: list[Path], tmp_path: Path, reads: list[str]):
    folder = tmp_path / "cache"
    build_cache(photos, teacher(), VIEWS, folder)
    shutil.rmtree(folder / image_index.NAME)
    reads.clear()
    assert len(cached_images(photos, FeatureCache(folder))[0]) == 6
    assert len(cached_images(photos, FeatureCache(folder))[0]) == 6
    assert len(reads) == 6


def test_training_leaves_out_what_a_cache_could_not_read(
    photos: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """As `zeroseg cache` does: a list with a missing file and a pipe is no reason to stop."""
    missing, pipe = tmp_path / "missing.png", tmp_path / "pipe.png"
    os.mkfifo(pipe)
    folder, images = tmp_path / "cache", [*photos[:3], missing, *photos[3:], pipe]
    assert build_cache(images, teacher(), VIEWS, folder).unreadable == 2
    chosen, places = cached_images(images, FeatureCache(folder))
    assert chosen == photos
    assert (places >= 0).all()
    (said,) = caplog.messages
    assert said.startswith(f"2 of 8 images are not in the cache {folder} and are left out. {str(missing)!r} cannot")
    with pytest.raises(TrainingError, match=r"holds none of the 1 images: .*missing\.png' cannot be read"):
        cached_images([missing], FeatureCache(folder))


def test_an_image_whose_features_are_lost_is_embedded_again(photos: list[Path], tmp_path: Path):
    folder = tmp_path / "cache"
    build_cache(photos, teacher(), VIEWS, folder)
    for shard in folder.glob("*.safetensors"):
        shard.unlink()
    report = build_cache(photos, teacher(), VIEWS, folder)
    assert (report.embedded, report.found) == (6, 0)

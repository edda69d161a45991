"""Outputs are written whole or not at all, and every failure is one sentence."""

import errno
import os
import signal
import stat
from pathlib import Path

import pytest

from zeroseg import errors
from zeroseg.errors import OutputError, ZeroSegError
from zeroseg.files import (
    atomic_folder,
    atomic_path,
    check_new_folder,
    finite_json,
    write_bytes_atomically,
    write_text_atomically,
)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_every_error_is_documented_and_hangs_on_the_root():
    """One `except ZeroSegError` must catch everything a user can put right."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) == 10
    assert all(issubclass(kind, ZeroSegError) and kind.__doc__ for kind in kinds)
    assert not issubclass(ZeroSegError, ValueError)


def test_content_arrives_with_parents_made_and_nothing_left_beside_it(tmp_path: Path):
    target = tmp_path / "new" / "folder" / "result.json"
    write_text_atomically(target, "größe 狗\n")
    assert target.read_bytes() == "größe 狗\n".encode()
    assert names_in(target.parent) == ["result.json"]


def test_existing_file_is_replaced(tmp_path: Path):
    target = tmp_path / "result.bin"
    target.write_bytes(b"a much longer old content")
    write_bytes_atomically(target, b"new")
    assert target.read_bytes() == b"new"


def test_temporary_is_a_sibling_with_the_same_suffix(tmp_path: Path):
    """np.save and friends append a suffix of their own to names that lack it; renames need one disk."""
    with atomic_path(tmp_path / "features.npy") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".npy"
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"x")
        assert not (tmp_path / "features.npy").exists()
    assert names_in(tmp_path) == ["features.npy"]


def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path):
    """Temporary files are often 0600; results must be as readable as any other file."""
    (tmp_path / "ordinary").write_bytes(b"")
    write_bytes_atomically(tmp_path / "atomic", b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "atomic")}
    assert len(modes) == 1


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_failure_inside_keeps_the_old_file_and_leaves_no_other(tmp_path: Path, interruption: type[BaseException]):
    target = tmp_path / "result.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise interruption("half-way")

    with pytest.raises(interruption, match="half-way"):
        write_half()
    assert target.read_text() == "old"
    assert names_in(tmp_path) == ["result.txt"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_disk_trouble_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str):
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    target = tmp_path / "result.txt"
    with pytest.raises(OutputError, match=words) as caught:
        write_text_atomically(target, "text")
    assert str(target) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names_in(tmp_path) == []


def test_disk_that_fills_up_while_writing_leaves_no_half_file(tmp_path: Path):
    """A real failure of the kernel's, in the middle of the write."""
    resource = pytest.importorskip("resource")
    old_limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old_action = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old_limits[1]))
    try:
        with pytest.raises(OutputError, match="larger than this system allows"):
            write_bytes_atomically(tmp_path / "large.bin", bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limits)
        signal.signal(signal.SIGXFSZ, old_action)
    assert names_in(tmp_path) == []


def test_folder_in_the_way(tmp_path: Path):
    (tmp_path / "result.txt").mkdir()
    with pytest.raises(OutputError, match="folder of that name"):
        write_text_atomically(tmp_path / "result.txt", "text")
    assert names_in(tmp_path) == ["result.txt"]


def test_file_in_the_place_of_a_parent(tmp_path: Path):
    (tmp_path / "out").write_text("I am a file")
    for target in (tmp_path / "out" / "result.txt", tmp_path / "out" / "deeper" / "result.txt"):
        with pytest.raises(OutputError, match="is a file, not a folder"):
            write_text_atomically(target, "text")


def test_block_that_writes_nothing_is_refused(tmp_path: Path):
    with pytest.raises(OutputError, match=r"Cannot write .*result\.txt"), atomic_path(tmp_path / "result.txt"):
        pass
    assert names_in(tmp_path) == []


def test_a_folder_appears_whole_under_new_parents(tmp_path: Path):
    target = tmp_path / "new" / "folder"
    with atomic_folder(target) as draft:
        write_text_atomically(draft / "deep" / "result.txt", "whole")
        assert not target.exists()
    assert (target / "deep" / "result.txt").read_text() == "whole"
    assert names_in(target.parent) == ["folder"]


def test_an_empty_folder_is_filled(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with atomic_folder(tmp_path / "empty") as draft:
        write_text_atomically(draft / "result.txt", "whole")
    assert names_in(tmp_path / "empty") == ["result.txt"]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_a_folder_half_filled_goes_away(tmp_path: Path, interruption: type[BaseException]):
    def write_half() -> None:
        with atomic_folder(tmp_path / "folder") as draft:
            write_text_atomically(draft / "result.txt", "half")
            raise interruption("half-way")

    with pytest.raises(interruption, match="half-way"):
        write_half()
    assert names_in(tmp_path) == []


def test_a_folder_or_file_in_the_way_is_refused_and_kept(tmp_path: Path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    for name, why in (("full", "not empty"), ("full/mine", "a file, not a folder")):
        with pytest.raises(OutputError, match=why), atomic_folder(tmp_path / name):
            pass
    assert names_in(tmp_path) == ["full"]
    assert (tmp_path / "full" / "mine").read_text() == "mine"


def test_what_cannot_become_a_folder_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The root of all folders has no name beside which another one could be; a mounted disk cannot be replaced."""
    check_new_folder(tmp_path / "new" / "one")
    (tmp_path / "file").write_text("mine")
    for folder, said in (
        (Path("/"), "not empty"),
        (tmp_path, "not empty"),
        (tmp_path / "file", "a file, not a folder"),
    ):
        with pytest.raises(OutputError, match=said):
            check_new_folder(folder)
        with pytest.raises(OutputError, match=said), atomic_folder(folder):
            pass
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "disk")
    with pytest.raises(OutputError, match="a disk is mounted there; name a new folder in it"):
        check_new_folder(tmp_path / "disk")
    check_new_folder(tmp_path / "disk" / "in it")


def test_json_of_finite_numbers():
    assert finite_json('{"a": [1, -2.5e3, "NaN", null]}') == {"a": [1, -2500.0, "NaN", None]}
    for number in ("NaN", "-Infinity", "1e999"):
        with pytest.raises(ValueError, match=f"{number} is not a finite number"):
            finite_json(f"[1.0, {number}]")

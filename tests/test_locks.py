"""One process at a time writes in a folder; what a dead one has left is taken over."""

import contextlib
import errno
import fcntl
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from zeroseg.errors import OutputError
from zeroseg.locks import held


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_held_by_one_process_at_a_time(tmp_path: Path):
    """Two commands that share a run must not write one log; what a dead process has left is taken over."""
    folder = tmp_path / "runs/ours-0"
    with held(folder):
        assert (tmp_path / "runs/ours-0.lock").read_text() == str(os.getpid())
        with pytest.raises(OutputError, match=f"process {os.getpid()}"), held(folder):
            pass
        assert (tmp_path / "runs/ours-0.lock").exists()
    assert not (tmp_path / "runs/ours-0.lock").exists()
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / "runs/ours-0.lock").write_text(str(dead.pid))
    with held(folder):
        pass
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"0", b"12 monkeys", b"9" * 30, "²".encode()])
def test_a_lock_that_names_no_process_is_taken_over(content: bytes, tmp_path: Path):
    (tmp_path / "run.lock").write_bytes(content)
    with held(tmp_path / "run"):
        assert (tmp_path / "run.lock").read_text() == str(os.getpid())
    assert names_in(tmp_path) == []


def test_a_lock_is_complete_from_the_moment_it_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another process looks at every point of time: before and after each call that makes a file."""
    seen: list[str] = []

    def watched(call: Callable[..., object]) -> Callable[..., object]:
        def look(*arguments: object, **options: object) -> object:
            result = call(*arguments, **options)
            seen.extend(path.read_text() for path in tmp_path.glob("run.lock"))
            return result

        return look

    for owner, name in ((os, "open"), (os, "write"), (os, "link"), (Path, "write_text")):
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    with held(tmp_path / "run"):
        pass
    assert set(seen) == {str(os.getpid())}


def test_a_lock_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As on exFAT. The folder is refused while it is held, also there."""

    def link(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    with held(tmp_path / "run"):
        assert (tmp_path / "run.lock").read_text() == str(os.getpid())
        with pytest.raises(OutputError, match=f"process {os.getpid()}"), held(tmp_path / "run"):
            pass
    assert names_in(tmp_path) == []


def test_a_lock_that_another_process_takes_over_first_stays_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Both have read the number of the dead process; the other one is faster."""
    lock = tmp_path / "run.lock"
    lock.write_text("dead")
    rename = Path.rename

    with contextlib.ExitStack() as other:

        def late(path: Path, target: Path) -> Path:
            lock.write_text(str(os.getppid()))
            fcntl.flock(other.enter_context(lock.open("rb")), fcntl.LOCK_EX)
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", late)
        with pytest.raises(OutputError, match=f"process {os.getppid()}"), held(tmp_path / "run"):
            pass
    assert names_in(tmp_path) == ["run.lock"]
    assert lock.read_text() == str(os.getppid())


def test_the_number_of_a_running_process_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In a container the process that was killed had the number of this one; only without locks numbers decide."""
    for number in (os.getpid(), os.getppid()):
        (tmp_path / "run.lock").write_text(str(number))
        with held(tmp_path / "run"):
            assert (tmp_path / "run.lock").read_text() == str(os.getpid())

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    (tmp_path / "run.lock").write_text(str(os.getppid()))
    with pytest.raises(OutputError, match=f"process {os.getppid()}"), held(tmp_path / "run"):
        pass


def test_a_lock_inside_a_folder_and_one_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with held(Path(), inside=True):
        assert names_in(tmp_path) == [".lock"]
        with pytest.raises(OutputError, match="is in use"), held(tmp_path, inside=True):
            pass
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="a file, not a folder"), held(tmp_path / "file" / "run"):
        pass
    assert names_in(tmp_path) == ["file"]

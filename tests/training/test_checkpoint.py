"""A checkpoint is whole, or the one before it is used; what cannot be read is said."""

import errno
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroseg.errors import OutputError, TrainingError
from zeroseg.training.checkpoint import Checkpoints, checkpoints_in, remove_checkpoints, remove_left_overs

STATE: dict[str, Any] = {
    "model": {"weight": torch.arange(6.0).view(2, 3)}, "optimiser": [], "step": 7, "bad": 1, "words": "as they are",
}  # fmt: skip


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def saved(folder: Path, *steps: int) -> list[Path]:
    """A run with checkpoints after some steps; those that are left, newest first."""
    checkpoints = Checkpoints(folder)
    for step in steps:
        checkpoints.save(STATE | {"step": step})
    return checkpoints_in(folder)


def test_state_comes_back_as_it_was(tmp_path: Path):
    (path,) = saved(tmp_path / "run", 7)
    loaded = Checkpoints(tmp_path / "run").load()
    assert torch.equal(loaded["model"]["weight"], STATE["model"]["weight"])
    assert {key: loaded[key] for key in ("step", "bad", "words")} == {"step": 7, "bad": 1, "words": "as they are"}
    assert names_in(tmp_path / "run") == [path.name]


def test_the_two_newest_are_kept_and_the_newest_is_read(tmp_path: Path):
    left = saved(tmp_path, 5, 10, 15, 20)
    assert [path.name[:19] for path in left] == ["checkpoint-00000020", "checkpoint-00000015"]
    assert len(names_in(tmp_path)) == 2
    assert Checkpoints(tmp_path).load()["step"] == 20
    remove_checkpoints(tmp_path)
    assert names_in(tmp_path) == []


def flip(content: bytes, place: int) -> bytes:
    return content[: place // 8] + bytes([content[place // 8] ^ 1 << place % 8]) + content[place // 8 + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut off": lambda content: content[:-200],
    "longer": lambda content: content + b"0",
    "garbage": lambda _: b"garbage",
    "a zip's head": lambda _: b"PK\x03\x04 no zip",
    "zeros": lambda content: bytes(len(content)),
    "pickle": lambda _: b"\x80\x02K\x01.",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_one_is_said_and_the_one_before_it_is_used(
    damage: Callable[[bytes], bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    newest, before = saved(tmp_path, 5, 10)
    newest.write_bytes(damage(newest.read_bytes()))
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.load()["step"] == 5
    assert caplog.messages == [f"{newest} is damaged; the run continues from step 5, with {before.name}."]
    checkpoints.save(STATE | {"step": 9})
    assert before in checkpoints_in(tmp_path)  # the one that is known to be whole is kept, not the damaged one
    assert newest not in checkpoints_in(tmp_path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_is_noticed(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("flipped")
    newest, _ = saved(folder, 5, 10)
    content = newest.read_bytes()
    newest.write_bytes(flip(content, data.draw(st.integers(0, 8 * len(content) - 1))))
    assert Checkpoints(folder).load()["step"] == 5


def test_if_all_are_damaged_that_is_said(tmp_path: Path):
    for path in saved(tmp_path, 5, 10):
        path.write_bytes(b"")
    with pytest.raises(TrainingError, match=r"no checkpoint in .* can be read, they are damaged .*start again"):
        Checkpoints(tmp_path).load()


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_checkpoint_of_an_earlier_version_is_read_last(tmp_path: Path, content: bytes | None):
    """It has no checksum; what torch cannot read is damaged."""
    torch.save(STATE, tmp_path / "checkpoint.pt")
    assert Checkpoints(tmp_path).load()["step"] == 7
    (newer,) = saved(tmp_path, 8)  # by a process that knows of none before
    assert names_in(tmp_path) == [newer.name]
    torch.save(STATE, tmp_path / "checkpoint.pt")
    assert Checkpoints(tmp_path).load()["step"] == 8
    newer.unlink()
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    with pytest.raises(TrainingError, match=r"checkpoint\.pt"):
        Checkpoints(tmp_path).load()


class Full(BytesIO):
    """A file on a disk that takes only so many bytes."""

    def __init__(self, room: int, error: int) -> None:
        super().__init__()
        self.room, self.error = room, error

    def write(self, content: Any, /) -> int:
        self.room -= len(content)
        if self.room < 0:
            raise OSError(self.error, os.strerror(self.error))
        return len(content)


@pytest.mark.parametrize("room", [0, 100, 1500], ids=["at once", "in the head", "half-way"])
@pytest.mark.parametrize(
    ("error", "said"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "the disk is read-only")]
)
def test_a_disk_that_takes_no_more_is_said_and_the_old_checkpoint_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, error: int, said: str
):
    """torch gives an error of its own, which says nothing of the disk."""
    (path,) = saved(tmp_path, 7)
    before, opened = path.read_bytes(), Path.open

    def full(self: Path, *mode: Any, **options: Any) -> Any:
        opened(self, *mode, **options).close()
        return Full(room, error)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full)
        with pytest.raises(OutputError, match=said):
            Checkpoints(tmp_path).save(STATE | {"step": 8})
    assert path.read_bytes() == before
    assert names_in(tmp_path) == [path.name]  # and no litter
    assert Checkpoints(tmp_path).load()["step"] == 7


@pytest.mark.parametrize("error", [KeyboardInterrupt("ctrl-c"), RuntimeError("torch")])
def test_a_save_that_fails_otherwise_leaves_the_old_checkpoint_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
):
    (path,) = saved(tmp_path, 7)

    def failing(_: Any, file: Any) -> None:
        file.write(b"half of a checkpoint")
        raise error

    monkeypatch.setattr(torch, "save", failing)
    with pytest.raises(type(error), match=str(error)):
        Checkpoints(tmp_path).save(STATE | {"step": 8})
    assert names_in(tmp_path) == [path.name]


def test_nothing_to_resume_is_said(tmp_path: Path):
    with pytest.raises(TrainingError, match="start again"):
        Checkpoints(tmp_path).load()


class Trap:
    """Would run code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a checkpoint ran code",))


def test_checkpoint_that_would_run_code_is_refused(tmp_path: Path):
    torch.save({"model": Trap()}, tmp_path / "checkpoint.pt")
    with pytest.raises(TrainingError, match="can be read"):
        Checkpoints(tmp_path).load()


def test_what_killed_processes_left_is_removed(tmp_path: Path):
    """But not what another process is doing now to ask for the folder."""
    (tmp_path / "student").mkdir()
    for name in (".zeroseg-1.pt", "student/.zeroseg-2.safetensors", ".zeroseg-3.lock", "log.jsonl"):
        (tmp_path / name).write_bytes(b"some")
    remove_left_overs(tmp_path)
    assert names_in(tmp_path) == [".zeroseg-3.lock", "log.jsonl", "student"]
    assert names_in(tmp_path / "student") == []

"""A checkpoint is whole or it is the one before; what cannot be read is said."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from zeroseg.errors import OutputError, TrainingError
from zeroseg.training.checkpoint import NAME, load_checkpoint, save_checkpoint

STATE = {"model": {"weight": torch.arange(6.0).view(2, 3)}, "step": 7, "bad": 1, "words": "as they are"}


def test_state_comes_back_as_it_was(tmp_path: Path):
    save_checkpoint(tmp_path / "run", STATE)
    loaded = load_checkpoint(tmp_path / "run")
    assert torch.equal(loaded["model"]["weight"], STATE["model"]["weight"])
    assert {key: loaded[key] for key in ("step", "bad", "words")} == {"step": 7, "bad": 1, "words": "as they are"}
    assert [path.name for path in (tmp_path / "run").iterdir()] == [NAME]


@pytest.mark.parametrize("when", ["at once", "half-way"])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt("ctrl-c"), RuntimeError("torch")]
)
def test_save_that_fails_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, error: BaseException
):
    save_checkpoint(tmp_path, STATE)
    before = (tmp_path / NAME).read_bytes()

    def failing(_: Any, path: Path) -> None:
        if when == "half-way":
            Path(path).write_bytes(b"half of a checkpoint")
        raise error

    monkeypatch.setattr(torch, "save", failing)
    expected = OutputError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected, match="the disk is full" if isinstance(error, OSError) else str(error)):
        save_checkpoint(tmp_path, STATE | {"step": 8})
    assert (tmp_path / NAME).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [NAME]  # and no litter
    assert load_checkpoint(tmp_path)["step"] == 7


def test_nothing_to_resume_is_said(tmp_path: Path):
    with pytest.raises(TrainingError, match="start again"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 no zip", None])
def test_damaged_checkpoint_is_said_to_be_unreadable(tmp_path: Path, content: bytes | None):
    save_checkpoint(tmp_path, STATE)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    with pytest.raises(TrainingError, match=re.escape(str(path))):
        load_checkpoint(tmp_path)


class Trap:
    """Would run code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a checkpoint ran code",))


def test_checkpoint_that_would_run_code_is_refused(tmp_path: Path):
    torch.save({"model": Trap()}, tmp_path / NAME)
    with pytest.raises(TrainingError, match="cannot be read as a checkpoint"):
        load_checkpoint(tmp_path)

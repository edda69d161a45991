"""The log: a damaged line is left out and said; a clock that is set back does no harm."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroseg.errors import OutputError
from zeroseg.training.monitor import Monitor, forget_after, line_of, read_log

ROWS = [{"step": step, "loss": 1.25 - step / 8, "images": [f"ü{step}.png"]} for step in range(4)]


def write(folder: Path, *lines: str | bytes) -> Path:
    path = folder / "log.jsonl"
    path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return path


def test_records_come_back(tmp_path: Path):
    write(tmp_path, *map(line_of, ROWS))
    assert read_log(tmp_path) == ROWS
    assert read_log(tmp_path / "none") == []


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe not UTF-8\n", b"{no JSON\n", b"[1, 2]\n", b'"words"\n', b'{"loss": 3.0}\n', b'{"step": "1"}\n',
        b"\n", b'{"step": 1, "loss": 9.0}\n', line_of(ROWS[1]).replace("1.125", "1.225").encode(),
        b"[" * 99999 + b"\n",
    ],
    ids=["bytes", "no JSON", "list", "text", "no step", "no number", "empty", "no checksum", "digit", "deep"],
)  # fmt: skip
def test_a_damaged_line_is_left_out_and_said_once(line: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = write(tmp_path, line_of(ROWS[0]), line, line_of(ROWS[2]))
    assert read_log(tmp_path) == [ROWS[0], ROWS[2]]
    assert caplog.messages == [f"1 of 3 lines of {path} are damaged and are left out."]
    forget_after(tmp_path, 2)
    caplog.clear()
    assert read_log(tmp_path) == [ROWS[0]]
    assert not caplog.messages


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 8 * len(line_of(ROWS[1]).encode()) - 9))
def test_no_flipped_bit_changes_a_record(place: int, tmp_path_factory: pytest.TempPathFactory):
    """Of all lines but the last sign of one, its end: two lines that become one are both left out."""
    folder = tmp_path_factory.mktemp("log")
    line = bytearray(line_of(ROWS[1]).encode())
    line[place // 8] ^= 1 << place % 8
    write(folder, line_of(ROWS[0]), bytes(line), line_of(ROWS[2]))
    assert [row for row in read_log(folder) if row not in ROWS] == []


def test_a_line_that_was_being_written_is_no_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write(tmp_path, line_of(ROWS[0]), line_of(ROWS[1])[:20])
    assert read_log(tmp_path) == [ROWS[0]]
    assert not caplog.messages


def test_a_log_of_an_earlier_version_has_no_checksums(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = write(tmp_path, '{"step": 0, "loss": 1.0}\n', '{"step": 1, "loss": 0.5}\n', "{\n")
    assert read_log(tmp_path) == [{"step": 0, "loss": 1.0}, {"step": 1, "loss": 0.5}]
    forget_after(tmp_path, 1)
    assert read_log(tmp_path) == [{"step": 0, "loss": 1.0}]
    assert '"check"' in path.read_text(encoding="utf-8")
    assert len(caplog.messages) == 2


def test_a_clock_that_is_set_back_changes_no_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The time in a record is that of the clock; rates come from a clock that never goes back."""
    wall, steady = iter([1000.0, 400.0, -5.0]), iter(range(0, 1000, 2))
    monkeypatch.setattr(time, "time", lambda: next(wall))
    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: float(next(steady)))
        with Monitor(tmp_path, "toy", 3, 0, quiet=True) as monitor:
            for step in range(3):
                monitor.advance(step, 6)
                monitor.record(step, {"loss": 1.0})
    rows = read_log(tmp_path)
    assert [row["time"] for row in rows] == [1000.0, 400.0, -5.0]
    rates = [row["images_per_second"] for row in rows]
    assert all(0 < rate <= 3.0 for rate in rates)


def test_no_time_at_all_is_no_division_by_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: 7.0)
        with Monitor(tmp_path, "toy", 3, 0, quiet=True) as monitor:
            monitor.advance(0, 6)
            monitor.record(0, {"loss": 1.0})
    assert read_log(tmp_path)[0]["images_per_second"] > 0


def test_logs_of_queues_say_how_long_a_run_takes_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Not on a terminal. The time of evaluations counts, that of steps before the run was resumed does not."""
    clock = [0.0]
    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: clock[0])
        with Monitor(tmp_path, "toy", 1000, 600) as monitor:
            for clock[0], metrics in ((10.0, {"loss": 1.0}), (40.0, {"miou": 1.0})):
                monitor.record(601, metrics)
    said = [line.split("  ")[:2] for line in capsys.readouterr().err.splitlines()]
    assert said == [["toy 602/1000", "33 min left"], ["toy 602/1000", "2 h 13 min left"]]


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"Cannot write '.*log\.jsonl': a folder of that name is in the way"):
        Monitor(tmp_path, "toy", 3, 0, quiet=True).__enter__()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a file of Linux")
def test_a_full_disk_is_said_by_the_log_too(tmp_path: Path):
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    with (
        pytest.raises(OutputError, match=r"log\.jsonl': the disk is full"),
        Monitor(tmp_path, "toy", 3, 0, quiet=True) as monitor,
    ):
        monitor.record(0, {"loss": 1.0})

"""Speed: rows are timed in turn, and what slows the machine for a while slows them alike."""

import json
from pathlib import Path

import pytest

from tests.experiments import toy
from zeroseg.errors import DatasetError
from zeroseg.experiments import plan
from zeroseg.reproduce.speed import Speed, measure_speed, read_speed


def test_a_speed_up_is_that_of_a_round_with_itself():
    """A round at half the speed for both changes nothing; medians and quarters of 0, 100, 100, 100, 300 by hand."""
    speed = Speed({"a": [1.0, 1.0, 4.0, 1.0, 2.0], "b": [0.5, 0.5, 2.0, 1.0, 0.5]}, 2, 1, "cpu")
    assert speed.speed_up("b", "a") == (100.0, 50.0, 200.0)
    assert speed.speed_up("a", "a") == (0.0, 0.0, 0.0)
    assert speed.speed_up("c", "a") is None
    assert Speed({"a": [1.0], "b": [0.5]}, 2, 1, "cpu").speed_up("b", "a") == (100.0, 100.0, 100.0)


def test_every_row_is_timed_in_every_round_and_kept(tmp_path: Path):
    context = toy.context(tmp_path)
    runs = plan(toy.experiment(tmp_path), context, 1)
    heard: list[int] = []
    speed = measure_speed(runs, context, rounds=3, progress=heard.append)
    assert {row: len(times) for row, times in speed.seconds.items()} == {"base": 3, "centred": 3, "batch-1": 3}
    assert all(took > 0 for times in speed.seconds.values() for took in times)
    assert len(heard) == 3 * (3 + 2)
    assert (speed.batch_size, speed.device) == (2, "cpu")
    path = tmp_path / "speed.json"
    speed.write(path)
    assert read_speed(path) == speed
    assert read_speed(tmp_path / "none.json") is None
    assert speed.covers(["base", "batch-1"], 3)
    assert not speed.covers(["base"], 4)
    assert not speed.covers(["other"], 1)


@pytest.mark.parametrize("seconds", [None, 5, {}, {"a": 5}, {"a": []}, {"a": [1.0], "b": [1.0, 2.0]}, {"a": [0.0]}])
def test_damaged_speeds_are_refused(seconds: object, tmp_path: Path):
    path = tmp_path / "speed.json"
    rest = {"batch_size": 2, "threads": 1, "device": "cpu", "versions": {}}
    path.write_text(json.dumps(rest if seconds is None else {**rest, "seconds": seconds}))
    with pytest.raises(DatasetError, match="speed"):
        read_speed(path)

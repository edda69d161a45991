"""Kill a training run at random moments, resume it, and compare its weights with those of a run that nobody disturbed.

python -m scripts.kill_runs [--kills N] [--steps N] [--seed N] [--work FOLDER]

A student learns from a cache of scenes. Its process gets SIGKILL at a random moment, from its start to its last step,
and the same command with --resume goes on, until the run is finished; runs follow each other until there were so many
kills. Each finished run must have the very weights of the undisturbed one. Then a run gets SIGTERM: how long does it
take until its checkpoint is complete and all its processes are gone? The exit code is 1 if anything is not as it must
be. Each process is a fork of this one, which has loaded everything: so its start takes no time.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from zeroseg.cli import main as zeroseg
from zeroseg.feature_cache import FeatureCache
from zeroseg.training.checkpoint import Checkpoints, checkpoints_in
from zeroseg.training.monitor import LOG_NAME, read_log
from zeroseg.training.run import train

SCENES, LONGEST, TERM_LIMIT = 24, 600.0, 10.0  # seconds of a process, and of its end after SIGTERM
LOADED = (train, FeatureCache)  # imported here, so that no fork has to


@dataclass
class Outcome:
    """What came of all kills."""

    kills: int = 0
    runs: int = 0
    equal: int = 0
    before_first: int = 0  # kills before there was a checkpoint
    left_over: int = 0  # temporary files that kills left; the next start removes them
    steps_lost: int = 0
    workers_gone: float = 0.0  # seconds after SIGKILL until the workers were gone, at most
    refused: int = 0  # processes that ended by themselves without finishing


def start(words: Sequence[str], log: Path) -> int:
    """A process of its own with a command of `zeroseg`; its number."""
    process = os.fork()
    if process:
        return process
    os.setsid()
    with log.open("ab", buffering=0) as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = 1
    try:
        code = zeroseg([*words])
    finally:
        os._exit(code)


def ended(process: int, seconds: float) -> int | None:
    """The exit code of a process that ends by itself within some seconds, else None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


def gone(group: int, seconds: float) -> float:
    """Seconds until no process of a group is there; infinite if that takes longer."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return time.monotonic() - begun
        time.sleep(0.005)
    return float("inf")


def command(work: Path, run: Path, steps: int, *more: str) -> list[str]:
    """Training with a checkpoint every fifth step."""
    words = ["distill", "--recipe", "picturebook", "--images", str(work / "scenes"), "--cache", str(work / "cache")]
    words += ["--out", str(run), "--validate-on", "none", "--steps", str(steps), "--batch-size", "4"]
    return [*words, "--loop.workers", "1", "--loop.checkpoint-every", "5", "--loop.log-every", "1", *more]


def same(one: Path, other: Path) -> bool:
    """Whether two finished runs have the same weights, optimiser and student, bit for bit."""
    first, second = (Checkpoints(run).load() for run in (one, other))
    weights = all(torch.equal(weight, second["model"][name]) for name, weight in first["model"].items())
    states = [part["state"] for part in first["optimiser"]], [part["state"] for part in second["optimiser"]]
    equal_states = all(
        torch.equal(value, theirs[number][name])
        for ours, theirs in zip(*states, strict=True)
        for number, state in ours.items()
        for name, value in state.items()
    )
    students = [(run / "student" / "model.safetensors").read_bytes() for run in (one, other)]
    logs = [[(row["step"], row["loss"]) for row in read_log(run)] for run in (one, other)]
    return weights and equal_states and students[0] == students[1] and logs[0] == logs[1]


def newest_step(run: Path) -> int:
    """The step of the newest checkpoint; 0 without one."""
    names = [path.name for path in checkpoints_in(run)]
    return int(names[0].split("-")[1]) if names else 0


def kill_until_done(work: Path, run: Path, steps: int, most: int, pace: float, found: Outcome) -> None:
    """One run, killed again and again at random moments, until it is finished or there were enough kills."""
    log = work / "output.txt"
    while True:
        begun = (run / "settings.json").exists()
        if begun and not checkpoints_in(run):  # killed before its first checkpoint: there is nothing to resume
            for path in sorted(run.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            begun = False
        process = start(command(work, run, steps, *(["--resume"] if begun else [])), log)
        code = ended(process, random.uniform(0, pace) if found.kills < most else LONGEST)
        if code is None:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            found.kills += 1
            found.before_first += not checkpoints_in(run)
            found.left_over += len(list(run.glob(".zeroseg-*")))
            rows = (run / LOG_NAME).read_bytes().count(b"\n") if (run / LOG_NAME).exists() else 0
            found.steps_lost += max(0, rows - newest_step(run))
            found.workers_gone = max(found.workers_gone, gone(process, 15))
        elif code == 0:
            return
        else:
            found.refused += 1
            if found.refused > 3:
                sys.exit(f"the run does not go on:\n{log.read_text(encoding='utf-8')[-2000:]}")


def terminate(work: Path, steps: int) -> tuple[float, bool]:
    """Seconds from SIGTERM until all processes of a run are gone, and whether all steps until then were saved."""
    run = work / "terminated"
    process = start(command(work, run, steps), work / "output.txt")
    while newest_step(run) < 5:
        time.sleep(0.01)
    os.kill(process, signal.SIGTERM)
    begun = time.monotonic()
    with contextlib.suppress(ChildProcessError):
        ended(process, 60)
    gone(process, 60)
    seconds = time.monotonic() - begun
    state = Checkpoints(run).load()
    return seconds, state["step"] == len(read_log(run))


def main() -> int:
    """Kill, resume, compare, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--steps", type=int, default=100, help="of a run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--work", type=Path, help="a folder to work in (default: a temporary one)")
    given = parser.parse_args()
    random.seed(given.seed)
    torch.set_num_threads(1)
    with contextlib.ExitStack() as kept:
        work = given.work or Path(kept.enter_context(tempfile.TemporaryDirectory()))
        scenes = [
            "picturebook",
            "write",
            "--split",
            "unlabelled",
            "--count",
            str(SCENES),
            "--out",
            str(work / "scenes"),
        ]
        cache = ["cache", str(work / "scenes"), "--recipe", "picturebook", "--out", str(work / "cache")]
        for words in (scenes, cache):
            if ended(start(words, work / "output.txt"), LONGEST) != 0:
                sys.exit((work / "output.txt").read_text(encoding="utf-8"))
        begun = time.monotonic()
        if ended(start(command(work, work / "whole", given.steps), work / "output.txt"), LONGEST) != 0:
            sys.exit((work / "output.txt").read_text(encoding="utf-8"))
        pace, found = time.monotonic() - begun, Outcome()
        while found.kills < given.kills:
            run = work / f"killed-{found.runs}"
            kill_until_done(work, run, given.steps, given.kills, pace / 4, found)
            found.runs += 1
            found.equal += same(work / "whole", run)
        seconds, saved = terminate(work, 100 * given.steps)
    print(f"| undisturbed run of {given.steps} steps, s | {pace:.1f} |\n|---|---|")
    print(f"| kills (SIGKILL), of which before the first checkpoint | {found.kills}, {found.before_first} |")
    print(f"| steps that kills cost, in all | {found.steps_lost} |")
    print(f"| unfinished files that kills left | {found.left_over} |")
    print(f"| from SIGKILL until all workers were gone, at most, s | {found.workers_gone:.1f} |")
    print(f"| runs finished so, and equal to the undisturbed one in every bit | {found.runs}, {found.equal} |")
    print(f"| resumes that were refused | {found.refused} |")
    print(f"| from SIGTERM until saved and all processes gone, s | {seconds:.1f}{'' if saved else ', steps lost'} |")
    fine = found.equal == found.runs and not found.refused and saved
    return 0 if fine and max(seconds, found.workers_gone) < TERM_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())

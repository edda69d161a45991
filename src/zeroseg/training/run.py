"""A run: steps, evaluations and checkpoints of an objective in a folder."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from zeroseg.errors import ConfigError, TrainingError, ZeroSegError
from zeroseg.locks import held
from zeroseg.training import processes, run_settings
from zeroseg.training.average import Average
from zeroseg.training.batch import Batch
from zeroseg.training.checkpoint import Checkpoints, State, checkpoints_in, expect_checkpoint, remove_left_overs
from zeroseg.training.forwards import adapted, expect_blocks
from zeroseg.training.gradient_scale import GradientScale
from zeroseg.training.interruption import Interruption
from zeroseg.training.loop import Metrics, Objective
from zeroseg.training.monitor import Monitor, forget_after
from zeroseg.training.optimiser import build_optimiser
from zeroseg.training.prefetch import prefetch
from zeroseg.training.trackers import TRACKERS, expect_trackers
from zeroseg.training.update import update


@runtime_checkable
class Judge(Protocol):
    """Looks at each evaluation, and remembers something that a resumed run needs."""

    def see(self, step: int, metrics: Metrics) -> None:
        """The metrics after step `step` (-1: before the first one); the model is as it was measured."""
        ...

    def state_dict(self) -> State:
        """What it remembers, as tensors and plain values."""
        ...

    def load_state_dict(self, state: State | None) -> None:
        """Restore it; None: the run was started by an earlier version, which did not save it."""
        ...


def train(
    objective: Objective[Any],
    run: Path,
    evaluate: Callable[[], Metrics] | None = None,
    resume: bool = False,
    quiet: bool = False,
    judge: Judge | None = None,
) -> bool:
    """Train `objective.model` for `objective.loop.steps` steps; True if all are done, False after an interruption.

    The folder `run` receives `settings.json`, `log.jsonl` and checkpoints; it is locked meanwhile. `judge` is told of
    each evaluation. A signal during an evaluation ends it; a resumed run makes it first. Of several processes
    (`training.processes`) the first one writes and evaluates; after a restart by torchrun a run resumes by itself.

    Raises `TrainingError` after `patience` steps whose loss was not finite, if the run cannot be resumed, or if one of
    several processes has other settings or images, and `OutputError` if another process trains it or if the folder
    cannot be written.
    """
    training = _Training(objective, run, evaluate, judge)
    training.expect_shared()
    with contextlib.ExitStack() as kept:
        training.begin(processes.on_first(lambda: training.open(kept, resume)))
        monitor = Monitor(run, objective.title, objective.loop.steps, training.done, quiet, processes.is_first())
        names = objective.loop.log_to if processes.is_first() else ()
        monitor.trackers = [TRACKERS[name](run, training.done, training.settings) for name in names]
        kept.enter_context(adapted(objective.model, objective.loop.compile, objective.loop.checkpoint_activations))
        return training.work(kept.enter_context(monitor))


class _Training:
    """A run at work: `done` steps are taken, `bad` of them skipped; `due`: they are not evaluated yet."""

    def __init__(
        self, objective: Objective[Any], run: Path, evaluate: Callable[[], Metrics] | None, judge: Judge | None
    ) -> None:
        self.objective, self.run = objective, run
        self.settings = run_settings.plain(objective.settings | {"loop": asdict(objective.loop)})
        self.evaluate, self.judge = evaluate, judge
        self.device = next(objective.model.parameters()).device
        self.optimiser = build_optimiser(objective.model, objective.loop.optimiser)
        self.checkpoints, self.interruption = Checkpoints(run), Interruption(processes.is_launched())
        self.done, self.bad, self.due = 0, 0, evaluate is not None
        self.stop = False  # whether any process was asked to
        if objective.loop.precision == "fp16":
            self.optimiser.scale = GradientScale()
        self.average = Average(objective.model, objective.loop.ema) if objective.loop.ema else None

    def expect_shared(self) -> None:
        """Raise `TrainingError` if this process has other settings or images than the first one, on another machine."""
        changed = run_settings.differences(processes.from_process(0, self.settings), self.settings)
        processes.expect_everywhere(
            not changed,
            f"a process of this run has other settings than the first one ({changed}): all must see the same "
            "images and the same cache, also on other machines.",
        )

    def open(self, kept: contextlib.ExitStack, resume: bool) -> State | None:
        """Lock the folder until the end of `kept`; the state to continue from, None for a new run."""
        self.objective.loop.check_shared(processes.count())
        loop = self.objective.loop
        if loop.precision == "fp16" and self.device.type != "cuda":
            raise ConfigError('precision "fp16" needs a GPU with CUDA: choose bf16 or fp32 on this machine.')
        if loop.compile and self.device.type != "cuda":
            raise ConfigError("compile needs a GPU with CUDA, on which it gains something: turn it off here.")
        expect_blocks(self.objective.model, loop.compile, loop.checkpoint_activations)
        expect_trackers(self.objective.loop.log_to)
        begun = run_settings.is_run(self.run)
        restarted = processes.is_restarted() and begun
        if resume and not begun:  # one that was killed before its first checkpoint begins again
            expect_checkpoint(self.run)
        kept.enter_context(held(self.run, inside=True))
        remove_left_overs(self.run)
        if not resume and not restarted:
            run_settings.start(self.run, self.settings)
            return None
        state = self.checkpoints.load() if checkpoints_in(self.run) else None
        run_settings.expect_same(self.run, self.settings, None if state is None else state.get("settings"))
        forget_after(self.run, -1 if state is None else state["step"])
        if state is not None and self.judge is not None:
            self.judge.load_state_dict(state.get("judge"))
        return state

    def begin(self, state: State | None) -> None:
        """Continue from a state, with the weights of the first process everywhere."""
        if state is not None:
            self.restore(state)
        model = self.objective.model
        processes.broadcast([*(weight.detach() for weight in model.parameters()), *model.buffers()])
        if self.average is not None and state is None:
            self.average.load_state_dict({name: weight.detach() for name, weight in model.named_parameters()})

    def restore(self, state: State) -> None:
        """Continue from a state."""
        try:
            self.objective.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            if self.optimiser.scale is not None:
                self.optimiser.scale.load_state_dict(state["scale"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            said = str(error).strip().splitlines()[0].rstrip(".: ")
            raise TrainingError(
                f"the newest checkpoint in {self.run} is of another model ({said}): delete the folder and start again."
            ) from error
        self.done, self.bad = state["step"], state["bad"]
        self.due = self.evaluate is not None and state.get("due", False)

    def save(self) -> None:
        """Write a checkpoint."""
        state: State = {
            "model": self.objective.model.state_dict(), "optimiser": self.optimiser.state_dict(),
            "step": self.done, "bad": self.bad, "due": self.due, "settings": self.settings,
        }  # fmt: skip
        parts = {"judge": self.judge, "average": self.average, "scale": self.optimiser.scale}
        state |= {name: part.state_dict() for name, part in parts.items() if part is not None}
        processes.on_first(lambda: self.checkpoints.save(state))

    def work(self, monitor: Monitor) -> bool:
        """Take the steps that are left; False after an interruption."""
        loop = self.objective.loop
        with self.interruption:
            if self.due:
                self.measure(monitor)
                if self.stop or self.done:
                    self.save()
            if self.stop and (self.due or self.done < loop.steps):
                return self.stopped(monitor)
            for step, batch in enumerate(prefetch(self.objective, self.done), self.done):
                if processes.any_of(isinstance(batch, ZeroSegError)):
                    self.give_up(batch)
                self.take(step, batch, monitor)
                self.done, is_last = step + 1, step + 1 == loop.steps
                self.due = self.evaluate is not None and (self.done % loop.evaluate_every == 0 or is_last)
                if self.due and not self.stop:
                    self.measure(monitor)
                if self.done % loop.checkpoint_every == 0 or is_last or self.stop:
                    self.save()
                if self.stop and (self.due or not is_last):
                    return self.stopped(monitor)
        if self.average is not None:
            self.average.give(self.average.weights)
        return True

    def give_up(self, batch: Batch | ZeroSegError) -> None:
        """Save what is done, and raise the error that a process has in place of a batch; the other ones just end."""
        if self.done:
            self.save()
        processes.end_after(batch if isinstance(batch, ZeroSegError) else None)

    def take(self, step: int, batch: Batch, monitor: Monitor) -> None:
        """Take a step and log it. Raises `TrainingError` if too many were skipped."""
        loop = self.objective.loop
        is_logged = step % loop.log_every == 0 or step + 1 == loop.steps
        if processes.count() > 1 and batch.parts is None:
            raise processes.failure(f"this training ({self.objective.title}) cannot be shared: start one process.")
        metrics = update(self.objective, self.optimiser, batch.to(self.device), step, is_logged)
        if self.average is not None:
            self.average.update()
        monitor.advance(step, len(batch.names))
        if not math.isfinite(metrics["loss"]):
            self.bad += 1
            self.report_bad(step, batch.names, monitor)
        if is_logged:
            monitor.record(step, metrics | {"learning_rate": self.optimiser.param_groups[0]["lr"]})
        self.stop = processes.any_of(self.interruption.requested)

    def measure(self, monitor: Monitor) -> None:
        """Evaluate in the first process, unless a signal ends it; then it stays due."""
        self.due = not processes.on_first(lambda: self.measured(monitor))
        self.stop = processes.any_of(self.interruption.requested)

    def measured(self, monitor: Monitor) -> bool:
        """Evaluate, log, and tell the judge; False if a signal ended it."""
        assert self.evaluate is not None
        with contextlib.nullcontext() if self.average is None else self.average.in_place():
            try:
                with self.interruption.at_once():
                    metrics = self.evaluate()
            except KeyboardInterrupt:
                if not self.interruption.requested:
                    raise
                return False
            monitor.record(self.done - 1, metrics)
            if self.judge is not None:
                self.judge.see(self.done - 1, metrics)
        return True

    def stopped(self, monitor: Monitor) -> bool:
        """Say where the run was stopped; False, for `work` to return."""
        monitor.say(f"stopped after step {self.done} of {self.objective.loop.steps}, all saved.")
        return False

    def report_bad(self, step: int, names: list[str], monitor: Monitor) -> None:
        """Report a step that was skipped. Raises `TrainingError` after too many of them."""
        monitor.record(step, {"skipped": self.bad, "images": names})
        monitor.say(
            f"step {step}: the loss or its gradient is not finite; skipped ({self.bad} so far). "
            f"Images: {', '.join(names[:8])}"
        )
        if self.bad >= self.objective.loop.patience:
            raise processes.failure(
                f"the loss was not finite {self.bad} times, the last time at step {step}; the images are in "
                f"{self.run / 'log.jsonl'}. Lower the learning rate, or look at these images."
            )

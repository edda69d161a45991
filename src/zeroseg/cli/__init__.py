"""The command line, `zeroseg COMMAND ...`: one module of this package for each command.

This module chooses the command and loads nothing else: `zeroseg --help` prints at once, and torch is only loaded by
commands that need it. An error is one sentence on stderr and an exit code: 1 if something failed, 2 for wrong
arguments, 130 if interrupted. SIGTERM interrupts like Ctrl-C, so what a command saves then it saves in both cases.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module

import zeroseg
from zeroseg.cli.messages import UsageError, complain
from zeroseg.errors import hint

COMMANDS = {
    "segment": "find in photos what you name: masks, overlays with a legend, fractions",
    "models": "which models are bundled, on this machine, or can be fetched",
    "serve": "a page and an API: masks in a browser, and for programs",
    "demo": "the whole method in a few minutes, with a report at the end",
    "teach": "train a small CLIP on images with captions",
    "cache": "embed the views of images with a teacher, once",
    "distill": "train a student on cached views, without labels",
    "runs": "how far training runs are: steps, losses, rates, checkpoints",
    "evaluate": "mIoU of a student, or of baselines that use only its teacher",
    "experiment": "short runs, compared with each other: records and a page",
    "reproduce": "the paper's tables at small scale, compared with the paper",
    "study": "ask people which of two segmentations is better: draw, serve, report",
    "label-studio": "a model for Label Studio: masks for the labels of a project",
    "picturebook": "show scenes of the embedded data set, or write them to files",
    "export": "a model as files for ONNX Runtime, OpenVINO or torch.export",
    "cost": "parameters and FLOPs of a recipe",
    "bench": "how fast things are, each beside the least that it could take",
}
HELP = f"""usage: zeroseg COMMAND [options]

Open-vocabulary segmentation learnt from CLIP alone: no masks, no captions, no class labels.

commands:
{chr(10).join(f"  {name:<13}{summary}" for name, summary in COMMANDS.items())}

examples:
  zeroseg segment photo.jpg --labels "dog, grass, traffic light"
  zeroseg picturebook show --out sheet.png
  zeroseg evaluate --dataset picturebook-voc

zeroseg COMMAND --help   what a command does, with all its options
zeroseg --version        the version
--debug                  with any command: show errors with a traceback
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; `arguments` are those of this process by default. Returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _prepare()
    if arguments is None:  # this process is the command's own
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = _run([word for word in given if word != "--debug"])
        sys.stdout.flush()  # here, where it may fail
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in given:
            traceback.print_exc()
        return complain(error)
    return code


def _run(words: list[str]) -> int:
    name = words[0] if words else "--help"
    if name in {"--help", "-h", "help"}:
        print(HELP, end="")
        return 0
    if name == "--version":
        print(f"zeroseg {zeroseg.__version__}")
        return 0
    if name not in COMMANDS:
        raise UsageError(
            f"there is no command {name!r}{hint(name, COMMANDS, '`{}`')}: `zeroseg --help` lists all of them."
        )
    try:
        return import_module(f"zeroseg.cli.{name.replace('-', '_')}").main(words[1:])
    except SystemExit as stop:  # after --help
        return stop.code if isinstance(stop.code, int) else 0


def _prepare() -> None:
    """Switch off progress bars and warnings of libraries, and threads that spin; make every file name printable."""
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of damage beside the pixels
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    # Threads that wait for others sleep, and leave their cores to other processes: else two processes at once take many
    # times as long as one (`zeroseg bench shared`). OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else it prints warnings about worker processes
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

"""The command line, `zeroseg COMMAND ...`: one module of this package for each command.

This module chooses the command and loads nothing else: `zeroseg --help` answers at once, and torch comes only
with a command that needs it. What a command refuses is one sentence on stderr and an exit code: 1 when something
failed, 2 for words that make no sense, 130 when interrupted.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import zeroseg
from zeroseg.cli.messages import UsageError, complain, hint

COMMANDS = {
    "segment": "find in photos what you name: masks, overlays with a legend, shares",
    "demo": "the whole method in a few minutes, with a report at the end",
    "teach": "train a small CLIP on images with captions",
    "cache": "embed the views of images with a teacher, once",
    "distill": "train a student on cached views, without any label",
    "evaluate": "mIoU of a student, or of its teacher's own dense read-outs",
    "experiment": "short runs side by side, kept as records, written up as a page",
    "reproduce": "the paper's tables in the small, beside the paper's figures",
    "picturebook": "look at the embedded world, or write it to files",
    "cost": "parameters and FLOPs of a recipe",
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
--debug                  anywhere: where an error came from, as a traceback
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; `arguments` are those of this process by default. Returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _prepare()
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
        return import_module(f"zeroseg.cli.{name}").main(words[1:])
    except SystemExit as stop:  # a --help that has been printed
        return stop.code if isinstance(stop.code, int) else 0


def _prepare() -> None:
    """No progress bars and warnings of libraries between our lines; any file name can be printed."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # it warns of the loader's worker processes
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

"""Parsing of arguments: tyro reads the fields of a dataclass, and errors become one sentence."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
import math
import re
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from itertools import dropwhile, pairwise, takewhile
from typing import TypeVar

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from zeroseg.cli.messages import UsageError, say

T = TypeVar("T")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
QUOTED = re.compile(r"'[^']*'")
NEED, UNKNOWN, NEAR, WANTED = "Missing from ", "Unrecognized options:", "Perhaps you meant:", "Argument helptext:"
SEEN = "its fields are being read"


def parse(
    command: Callable[..., T],
    name: str,
    arguments: Sequence[str],
    description: str | None = None,
    registry: ConstructorRegistry | None = None,
    pairs: bool = False,
) -> T:
    """Build a command from its arguments. A flag that is off by default is `--flag`, one that is on `--no-flag`.

    `pairs`: every flag is there both ways, `--flag` and `--no-flag`, so that its help is right whatever its default is.

    Floats are finite: no option accepts `nan` or `inf`. `registry`: how to build values whose options on the command
    line differ from their fields.

    With `--help` among the arguments, the description (the command's docstring) and the options are printed.

    Raises `UsageError` for wrong arguments, and `SystemExit` after `--help`.
    """
    if not {"--help", "-h"}.isdisjoint(arguments):
        print(_filled(description or command.__doc__ or ""), end="\n\n", flush=True)
    said = io.StringIO()
    markers = (tyro.conf.DisallowNone,) if pairs else (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)
    try:
        with contextlib.redirect_stderr(said), RULES:
            return tyro.cli(
                command, prog=f"zeroseg {name}", description="", args=arguments, config=markers, registry=registry
            )
    except SystemExit as stop:
        if stop.code:
            raise UsageError(f"{_sentence(said.getvalue())} (see `zeroseg {name} --help`).") from None
        raise


def _finite_floats(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[float] | None:
    """How tyro reads floats."""
    if info.type is not float:
        return None

    def read(words: list[str]) -> float:
        number = float(words[0])
        if not math.isfinite(number):
            raise ValueError(f"{words[0]!r} is not a finite number")
        return number

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="FLOAT",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, int | float),
        str_from_instance=lambda value: [str(value)],
    )


def _fields_with_whole_lines(info: StructTypeInfo) -> StructConstructorSpec | None:
    """How tyro reads dataclasses: as always, but a line of their source does not end a line of the help."""
    if not dataclasses.is_dataclass(info.type) or SEEN in info.markers:
        return None
    spec = ConstructorRegistry.get_struct_spec(dataclasses.replace(info, markers=(*info.markers, SEEN)))
    if not isinstance(spec, StructConstructorSpec):
        return None
    fields = (dataclasses.replace(field, helptext=lambda field=field: _help(field)) for field in spec.fields)
    return dataclasses.replace(spec, fields=tuple(fields))


def _help(field: StructFieldSpec) -> str | None:
    """What the help says of an option, or of a group of them, as paragraphs without line breaks; None is nothing."""
    text = field.helptext() if callable(field.helptext) else field.helptext
    if text is None and dataclasses.is_dataclass(field.type):
        text = inspect.cleandoc(field.type.__doc__ or "")
    return text and "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


RULES = ConstructorRegistry()
RULES.primitive_rule(_finite_floats)
RULES.struct_rule(_fields_with_whole_lines)


def with_new_names(arguments: Sequence[str], renamed: Mapping[tuple[str, str], str]) -> list[str]:
    """The arguments with new names for old values of options; one sentence on stderr reports each change.

    `renamed`: the new value by option and old value.
    """
    new = list(arguments)
    for place, word in enumerate(arguments):
        option, equals, value = word.partition("=")
        following = value if equals else next(iter(arguments[place + 1 :]), "")
        if (option, following) in renamed:
            name = renamed[option, following]
            say(f"{option} {following} is called {option} {name} now.")
            new[place : place + 1 if equals else place + 2] = [f"{option}={name}"] if equals else [option, name]
    return new


def with_new_options(arguments: Sequence[str], renamed: Mapping[str, str]) -> list[str]:
    """The arguments with new names for options that had others; one sentence on stderr reports each change."""
    new = list[str]()
    for word in arguments:
        option, equals, value = word.partition("=")
        if option in renamed:
            say(f"{option} is called {renamed[option]} now.")
        new.append(renamed.get(option, option) + equals + value)
    return new


def check_positive(option: str, number: float | None) -> None:
    """Raise `UsageError` if a number is below 1; None is always right."""
    if number is not None and number < 1:
        raise UsageError(f"{option} must be 1 or more, not {number:g}.")


def check_iterations(refinement: int | None) -> None:
    """Raise `UsageError` if --refinement is negative; None is the model's own number."""
    if refinement is not None and refinement < 0:
        raise UsageError(f"--refinement must be 0 iterations or more, not {refinement}.")


def check_fraction(name: str, fraction: float | None) -> None:
    """Raise `UsageError` unless option `name` is None or a fraction, 0 or more and below 1."""
    if fraction is not None and not 0 <= fraction < 1:
        raise UsageError(f"{name} must be a fraction, 0 or more and below 1, not {fraction:g}.")


def check_device(name: str | None) -> None:
    """Raise `UsageError` for a device that torch does not have here; None is always right."""
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".").partition(", but got")[0]
        raise UsageError(f"--device {name} cannot be used here ({reason}): choose cpu, or cuda with a GPU.") from error


def _filled(docstring: str) -> str:
    """A docstring with paragraphs as wide as the terminal; indented lines (the examples) stay unchanged."""
    width = min(100, shutil.get_terminal_size().columns)
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(part if "\n " in part else textwrap.fill(part, width) for part in paragraphs)


def _sentence(box: str) -> str:
    """tyro's framed message as one sentence: which option is missing, unknown or does not fit."""
    unframed = [line.replace("│", " ").rstrip() for line in COLOURS.sub("", box).splitlines()]
    lines = ["" if set(line.strip()) <= set("─-") else line for line in unframed]  # lines between sections
    message = " ".join(line.strip() for line in takewhile(bool, dropwhile(lambda line: not line, lines[1:])))
    parts: list[str] = []
    for line, following in pairwise([*lines, ""]):
        text, after = line.strip(), following.strip()
        if text.startswith(NEED):
            section = list(takewhile(bool, lines[lines.index(following) :]))
            options = [part.strip() for part in section if _indent(part) == _indent(following)]
            verb = "are" if len(options) > 1 else "is"
            parts.append(f"{' and '.join(f'`{option}`' for option in options)} {verb} missing")
        elif text.startswith(UNKNOWN):
            given = text.removeprefix(UNKNOWN).strip() or after
            options = [word for word in given.split(", ") if word.startswith("-")]  # without their values
            parts.append(f"there is no option {', '.join(options) or given}")
        elif text.startswith(NEAR):
            parts.append(f"perhaps you meant `{after}`")
        elif text.startswith(WANTED):
            message = f"{', '.join(QUOTED.findall(message)) or 'what was given'} does not fit `{after}`"
    choice = message.replace("'None', ", "").replace(", 'None'", "").replace(". Expected", ": expected")
    return ", ".join(parts) or (choice[:1].lower() + choice[1:]).rstrip(".")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())

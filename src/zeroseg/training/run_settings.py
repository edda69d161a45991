"""The settings of a run in its folder: a run is resumed with the settings that it was started with.

They are also in each checkpoint, which has a checksum: so a file of settings that is damaged or lost is written again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zeroseg.errors import TrainingError
from zeroseg.files import write_text_atomically

NAME = "settings.json"
FREE_TO_CHANGE = (
    "workers", "micro_batches", "compile", "checkpoint_activations", "log_to", "checkpoint_every", "log_every"
)  # fmt: skip
"""Settings of the loop that change only speed and memory, and what is written when."""
MOST_SAID, LONGEST_VALUE = 3, 60  # settings, and letters of a value, in a message
LATER = {"encoder": "vit", "trainable_blocks": None, "encoder_rate": 1.0, "ema": 0.0, "own_resolution": False}
"""Settings that runs of earlier versions do not name, with the values that these runs have."""
SINCE = ("order",)
"""Settings that runs of earlier versions do not name, and whose values nobody knows any more."""

Settings = dict[str, Any]


def start(run: Path, settings: Settings) -> None:
    """Write the settings of a new run. Raises `TrainingError` if the folder has a run already."""
    path = run / NAME
    if is_run(run):
        raise TrainingError(f"{run} already holds a run: name another --out, or continue with --resume.")
    write_text_atomically(path, json.dumps(settings, indent=2) + "\n")


def is_run(run: Path) -> bool:
    """Whether a folder has a run, begun at least."""
    return (run / NAME).exists()


def expect_same(run: Path, settings: Settings, saved: Settings | None = None) -> None:
    """Raise `TrainingError` unless a run was started with these settings; some are free to change.

    `saved`: the settings that its checkpoint has; those of earlier versions have none. Raises `OutputError`.
    """
    path, settings = run / NAME, plain(settings)
    if saved is not None and _stored(path) != saved:
        write_text_atomically(path, json.dumps(saved, indent=2) + "\n")
    try:
        former = _with_later(json.loads(path.read_text(encoding="utf-8")), settings)
        for name in FREE_TO_CHANGE:
            if name in settings["loop"]:
                former["loop"][name] = settings["loop"][name]
        former = {name: settings[name] for name in SINCE if name in settings} | former
        _free_teachers_place(former, settings)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TrainingError(f"{path} is missing or damaged: delete the folder and start again.") from error
    changed = _said(_changes(former, settings, "now"))
    if changed:
        raise TrainingError(f"{run} was started with other settings ({changed}): resume with the same ones.")


def differences(first: Settings, own: Settings) -> str:
    """How the settings of a process (as `plain` makes them) differ from the first one's; the empty text if nowhere."""
    first = plain(first)
    _free_teachers_place(first, own)
    return _said(_changes(first, own, "here"))


def plain(settings: Settings) -> Settings:
    """Settings as the file has them."""
    return json.loads(json.dumps(settings))


def _stored(path: Path) -> Any:
    """What the file has; None if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _said(changed: list[str]) -> str:
    return "; ".join(changed[:MOST_SAID]) + (" .." if len(changed) > MOST_SAID else "")


def _changes(former: Settings, settings: Settings, word: str, place: str = "") -> list[str]:
    """The settings that differ, with both values; where one side has no such group, each of its settings is named."""
    found: list[str] = []
    for key in sorted(former.keys() | settings.keys()):
        old, new, name = former.get(key), settings.get(key), f"{place}{key}"
        inner = [one for one in (old, new) if isinstance(one, dict)]
        if len(inner) == 2 or (inner and inner[0] and not (key in former and key in settings)):
            found += _changes(old or {}, new or {}, word, f"{name}.")
        elif old != new and name in SINCE and old and new:
            found.append("images with other names, or in another order")
        elif old != new:
            was, now = (_short(values[key]) if key in values else "not named" for values in (former, settings))
            found.append(f"{name} {was}, {word} {now}")
    return found


def _short(value: Any) -> str:
    """A value; of a long one the beginning and the end, where long paths and lists differ."""
    said = repr(value)
    return said if len(said) <= LONGEST_VALUE else f"{said[: LONGEST_VALUE // 2]} .. {said[-LONGEST_VALUE // 2 :]}"


def _free_teachers_place(former: Settings, settings: Settings) -> None:
    """A student's teacher may be elsewhere, as on another machine: its fingerprint says whether it is the same."""
    if isinstance(settings.get("teacher"), str) and former.get("teacher") == settings["teacher"]:
        for key, config in settings.items():
            if isinstance(config, dict) and isinstance(config.get("student"), dict) and "teacher" in config["student"]:
                former[key]["student"]["teacher"] = config["student"]["teacher"]


def _with_later(former: Settings, settings: Settings) -> Settings:
    """Former settings, with those that came later."""
    later = {key: value for key, value in LATER.items() if key in settings and key not in former}
    nested = {
        key: _with_later(value, settings[key])
        for key, value in former.items()
        if isinstance(value, dict) and isinstance(settings.get(key), dict)
    }
    return {**former, **nested, **later}

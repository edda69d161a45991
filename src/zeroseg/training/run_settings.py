"""The settings of a run in its folder: a run is resumed with the settings that it was started with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zeroseg.errors import TrainingError
from zeroseg.files import write_text_atomically

NAME = "settings.json"
FREE_TO_CHANGE = ("workers", "micro_batches")  # settings of the loop that change only speed and memory
MOST_SAID, LONGEST_VALUES = 3, 100  # settings, and letters, in a message
LATER = {"encoder": "vit", "trainable_blocks": None, "encoder_rate": 1.0}
"""Settings that runs of earlier versions do not name, with the values that these runs have."""

Settings = dict[str, Any]


def start(run: Path, settings: Settings) -> None:
    """Write the settings of a new run. Raises `TrainingError` if the folder has a run already."""
    path = run / NAME
    if path.exists():
        raise TrainingError(f"{run} already holds a run: name another --out, or continue with --resume.")
    write_text_atomically(path, json.dumps(settings, indent=2) + "\n")


def expect_same(run: Path, settings: Settings) -> None:
    """Raise `TrainingError` unless a run was started with these settings; some are free to change."""
    path, settings = run / NAME, json.loads(json.dumps(settings))
    try:
        former = _with_later(json.loads(path.read_text(encoding="utf-8")), settings)
        for name in FREE_TO_CHANGE:
            former["loop"][name] = settings["loop"][name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{path} is missing or damaged: delete the folder and start again.") from error
    changed = _changes(former, settings)
    if changed:
        said = "; ".join(changed[:MOST_SAID]) + (" .." if len(changed) > MOST_SAID else "")
        raise TrainingError(f"{run} was started with other settings ({said}): resume with the same ones.")


def _changes(former: Settings, settings: Settings, place: str = "") -> list[str]:
    """The settings that differ, with both values where these are short."""
    found: list[str] = []
    for key in sorted(former.keys() | settings.keys()):
        old, new, name = former.get(key), settings.get(key), f"{place}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            found += _changes(old, new, f"{name}.")
        elif old != new:
            was, now = (repr(values[key]) if key in values else "not named" for values in (former, settings))
            values = f" {was}, now {now}"
            found.append(name + (values if len(values) < LONGEST_VALUES else ""))
    return found


def _with_later(former: Settings, settings: Settings) -> Settings:
    """Former settings, with those that came later."""
    later = {key: value for key, value in LATER.items() if key in settings and key not in former}
    nested = {
        key: _with_later(value, settings[key])
        for key, value in former.items()
        if isinstance(value, dict) and isinstance(settings.get(key), dict)
    }
    return {**former, **nested, **later}

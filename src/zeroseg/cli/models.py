"""`zeroseg models`: what is bundled, what is on this machine, what can be fetched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from zeroseg.cli.parsing import parse
from zeroseg.models import BUNDLED, CATALOGUE, DEFAULT


@dataclass(frozen=True)
class Models:
    """List the models that --model and --teacher can name.

    Bundled models are students with their teachers. Those in the hub's cache on this machine are students and teachers
    that can be loaded without the network. Those that can be fetched are teachers: `zeroseg segment --method naclip`
    segments with one, `zeroseg cache` and `zeroseg distill` train a student from it. A name is enough: a model that is
    not here is fetched when it is used. This command never uses the network.

    example:
      zeroseg models --json
    """

    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """List, and print."""
        rows = _rows()
        if self.json:
            print(json.dumps({"default": DEFAULT, **rows}, indent=2))
            return 0
        table = Table("name", "part", "where", "MB", "licence", "knows")
        table.columns[0].min_width = max(len(model["name"]) for models in rows.values() for model in models)
        table.columns[3].justify = "right"
        table.columns[5].overflow = "fold"
        for where, models in rows.items():
            for model in models:
                words = (model["name"], model["part"], where, f"{model['bytes'] / 1e6:,.0f}")
                table.add_row(*words, _licence(model), model.get("knows", ""))
            table.add_section()
        console = Console(highlight=False, soft_wrap=True, markup=False)
        console.print(table)
        console.print(f"without --model: {DEFAULT}")
        return 0


def _rows() -> dict[str, list[dict[str, Any]]]:
    """The models by where they are; those on this machine are not listed again as models to fetch."""
    from zeroseg.hub import cached_models

    bundled = [
        {"name": model.name, "part": "student and teacher", "bytes": model.bytes, "licence": model.licence,
         "commercial": True, "knows": model.knows}
        for model in BUNDLED.values()
    ]  # fmt: skip
    known = {model.name: {**asdict(model), "part": "teacher", "bytes": model.bytes} for model in CATALOGUE}
    here = [{**known.get(model.name, {}), **asdict(model)} for model in cached_models()]
    names = {model["name"] for model in here}
    return {"bundled": bundled, "cached": here, "hub": [known[name] for name in known if name not in names]}


def _licence(model: dict[str, Any]) -> str:
    """Its licence, marked if it allows no commercial use; empty if it is not known."""
    return model.get("licence", "") + ("" if model.get("commercial", True) else ", not commercial")


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Models, "models", arguments).run()

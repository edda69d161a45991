"""`zeroseg bench`: how fast things are, each beside its floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from zeroseg.bench import MODELS, PARTS, Setting, figures_of
from zeroseg.bench.page import facts_of, markdown, write_json, write_page
from zeroseg.cli.messages import UsageError, say
from zeroseg.cli.parsing import check_device, check_positive, parse
from zeroseg.errors import hint
from zeroseg.files import check_target

NAMES = ", ".join(PARTS)


@dataclass(frozen=True)
class Bench:
    """Measure how fast things are, each beside its floor: the least that it could take, in the same process.

    Both take turns, so other work on the machine slows down both; the figure is the median of the rounds' ratios.
    Parts: encode (a photo to its class map), name (1 to 1,000 labels, a second vocabulary), words (kept on disk),
    memory (for 1,000 labels), refine, sizes (of a photo), segment (a folder to files), peers (CLIPSeg, GroupViT and
    SCLIP with random weights), cache (views of a folder), loader (batches for training), step (of training), startup,
    shared (two processes at once).

    examples:
      zeroseg bench encode name --model photos --rounds 20
      zeroseg bench cache loader --json bench.json
    """

    parts: Positional[Annotated[tuple[str, ...], arg(metavar="PART...", help_behavior_hint="(default: all)")]] = ()
    """What is measured."""
    model: UseAppendAction[
        Annotated[tuple[str, ...], arg(metavar="MODEL", help_behavior_hint="(default: photos, vitb16)")]
    ] = ()
    """A student: a bundled one by name, a folder, a hub name, or vitb16 with random weights. May be given several
    times."""
    side: int = 448
    """The photo's shorter side, pixels."""
    rounds: int = 9
    """How often both take turns, at most."""
    seconds: float = 15.0
    """After which no further round of a figure begins; three are made anyway."""
    count: int = 32
    """Photos in the folder of the parts segment, cache, loader and step."""
    device: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: cuda if there is one)")] = None
    """Where the networks run."""
    json: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """A file for the figures, for programs."""
    page: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """A page of Markdown for them, with a plot in images/ beside it."""

    def run(self) -> int:
        """Measure, and print a table."""
        for name in self.parts:
            if name not in PARTS:
                raise UsageError(f"there is no part {name!r}{hint(name, PARTS)}: choose some of {NAMES}.")
        for name in ("side", "rounds", "seconds", "count"):
            check_positive(f"--{name}", getattr(self, name))
        check_device(self.device)
        for path in (self.json, self.page):
            if path is not None:
                check_target(path)
        with TemporaryDirectory() as folder:
            models = tuple(self.model) or MODELS
            setting = Setting(
                Path(folder), models, self.side, self.rounds, self.device or "", self.count, self.seconds, say
            )
            figures = []
            for figure in figures_of(self.parts or tuple(PARTS), setting):
                say(f"{figure.part}: {figure.what}: {figure.ratio:.3f} times {figure.floor_is}")
                figures.append(figure)
            facts = facts_of(setting)
        print(markdown(figures, facts), end="")
        if self.json is not None:
            write_json(self.json, figures, facts)
        if self.page is not None:
            write_page(self.page, figures, facts)
        return 0


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Bench, "bench", arguments).run()

"""`zeroseg demo`: the whole method in a few minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from zeroseg.cli.messages import UsageError
from zeroseg.cli.parsing import parse


@dataclass(frozen=True)
class Demo:
    """Run the whole method in a few minutes, on this machine, without a network.

    Pictures from the package are segmented by words. Then features are cached, a student is distilled from scratch on
    them, and compared with the bundled one and with baselines of the teacher. The result is one HTML report.

    example:
      zeroseg demo --out demo --minutes 3
    """

    out: Annotated[Path, arg(metavar="FOLDER")] = Path("demo")
    """Where the pictures and the report go."""
    minutes: float = 3.0
    """How long the student trains."""

    def run(self) -> int:
        """Run the demo, which prints what it does."""
        if self.minutes <= 0:
            raise UsageError(f"--minutes must be above 0, not {self.minutes:g}.")
        from zeroseg.demo import run

        run(self.out, self.minutes)
        return 0


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Demo, "demo", arguments).run()

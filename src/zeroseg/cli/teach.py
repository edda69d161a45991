"""`zeroseg teach`: a small CLIP from images with captions, or with --tower a text tower for a frozen image tower."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from zeroseg.cli import teach_tower
from zeroseg.cli.loading import LoopFlags
from zeroseg.cli.messages import INTERRUPTED, say
from zeroseg.cli.parsing import parse
from zeroseg.picturebook import PicturebookPairs
from zeroseg.training.captioned import CaptionedFolder
from zeroseg.training.teach import TeachConfig, teach

SCENES = 200_000  # of the picturebook, before they repeat
OF_TOWERS = ("--tower", "--pairs")  # options that only tuning to a tower has


@dataclass(frozen=True)
class Teach:
    """Train a small CLIP on images with captions, in the format of `transformers`.

    Without --images it is trained on the picturebook, like the bundled teacher. A folder needs its captions in
    metadata.jsonl (a line {"file_name": ..., "text": ...} for each image) or captions.tsv (file name, tab, caption).
    Ctrl-C and SIGTERM save first; the same command with --resume continues.

    With --tower a text tower is tuned to a frozen image tower instead: `zeroseg teach --tower NAME --help` has the
    options for that.

    examples:
      zeroseg teach --out run
      zeroseg teach --images captioned/ --out run --steps 20000 --image-size 64
    """

    out: Annotated[Path, arg(metavar="RUN")]
    """The run's folder; the teacher will be in RUN/teacher."""
    images: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(default: picturebook scenes)")] = None
    """A folder of images with captions."""
    resume: bool = False
    """Continue the run in --out."""
    short: Annotated[LoopFlags, arg(name="")] = field(default_factory=LoopFlags)
    config: Annotated[TeachConfig, arg(name="")] = field(default_factory=TeachConfig)

    def run(self) -> int:
        """Train, and print where the teacher is."""
        config = replace(self.config, loop=self.short.over(self.config.loop))
        if self.images is None:
            source, name = PicturebookPairs(SCENES, config.image_size), "picturebook"
        else:
            source, name = CaptionedFolder(self.images, config.image_size), str(self.images.resolve())
        if teach(source, config, self.out, name, self.resume) is None:
            say("continue with --resume.")
            return INTERRUPTED
        folder = shlex.quote(str(self.out / "teacher"))
        print(f"the teacher is in {folder}; embed images with it:")
        print(f"  zeroseg cache IMAGES --teacher {folder} --out CACHE")
        return 0


def main(arguments: Sequence[str]) -> int:
    """Parse, and run; --tower has options of its own (`teach_tower`)."""
    if any(word.partition("=")[0] in OF_TOWERS for word in arguments):
        return teach_tower.main(arguments)
    return parse(Teach, "teach", arguments).run()

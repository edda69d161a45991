"""`zeroseg picturebook show|write`: scenes of the picturebook on one sheet, or as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from zeroseg.cli.messages import UsageError, say
from zeroseg.cli.parsing import parse
from zeroseg.cli.progress import counting

COLUMNS = 8  # of a sheet: a scene, its mask, a scene, its mask ...
Split = Literal["teacher", "unlabelled", "validation", "held-out"]


@dataclass(frozen=True)
class Show:
    """Draw scenes on one sheet, each next to its mask, to look at them.

    example:
      zeroseg picturebook show --split held-out --count 24 --out sheet.png
    """

    out: Annotated[Path, arg(metavar="FILE")]
    """The sheet, a .png or .jpg."""
    split: Split = "held-out"
    """Which scenes."""
    count: int = 24
    """How many."""
    first: int = 0
    """The number of the first."""
    side: int = 192
    """Pixels of a scene's side on the sheet."""

    def run(self) -> int:
        """Draw the sheet."""
        from zeroseg.drawing import contact_sheet, overlay_palette, save_image
        from zeroseg.picturebook import draw_scene, name_of
        from zeroseg.picturebook.writing import MASK_NAMES, mask_picture

        _check_side(self.side)
        pictures, captions = [], []
        for number in _numbers(self.first, self.count):
            scene = draw_scene(self.split, number, side=self.side)
            pictures += [scene.image, mask_picture(scene, overlay_palette(len(MASK_NAMES)))]
            captions += [f"{self.split} {number}", ", ".join(dict.fromkeys(map(name_of, scene.contents)))]
        save_image(contact_sheet(pictures, COLUMNS, captions, self.side), self.out)
        print(f"{self.count} scenes with their masks: {self.out}")
        return 0


@dataclass(frozen=True)
class Write:
    """Write scenes as image files, optionally with captions and masks.

    Captions are written to metadata.jsonl in the images' folder, a line {"file_name": ..., "text": ...} for each. Masks
    are PNGs with a palette; labels.json names their numbers. They need a separate folder, so that no command reads them
    as photos. Files that exist are not changed: after an interruption, the same command continues.

    examples:
      zeroseg picturebook write --split unlabelled --count 5000 --out scenes
      zeroseg picturebook write --split teacher --count 1000 --out pairs --captions
      zeroseg picturebook write --split held-out --count 100 --out scenes --masks scenes-masks
    """

    out: Annotated[Path, arg(metavar="FOLDER")]
    """The images' folder."""
    split: Split = "unlabelled"
    """Which scenes."""
    count: int = 1000
    """How many."""
    first: int = 0
    """The number of the first."""
    side: int = 96
    """Pixels of a scene's side; the bundled networks were trained on 96."""
    format: Literal["png", "jpg"] = "png"
    """How images are stored."""
    masks: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(default: no masks)")] = None
    """Also write masks, into this folder."""
    captions: bool = False
    """Also write captions."""

    def run(self) -> int:
        """Write the missing files."""
        from zeroseg.drawing import palette
        from zeroseg.picturebook.writing import MASK_NAMES, ImageKind, Masks, write_scenes

        if self.masks is not None and self.masks.resolve().is_relative_to(self.out.resolve()):
            raise UsageError("--masks must be a folder outside --out, because masks there would be read as photos.")
        _check_side(self.side)
        numbers = _numbers(self.first, self.count)
        masks = None if self.masks is None else Masks(self.masks, palette(len(MASK_NAMES)))
        kind = ImageKind(self.side, f".{self.format}")
        try:
            with counting("drawing", self.count, "scenes") as progress:
                written = write_scenes(self.out, self.split, numbers, kind, masks, self.captions, progress)
        except KeyboardInterrupt:
            say("stopped; the same command continues.")
            raise
        print(f"{written} scenes written, {self.count - written} already there: {self.out}")
        return 0


def _check_side(side: int) -> None:
    if not 16 <= side <= 1024:
        raise UsageError(f"--side must lie between 16 and 1024 pixels, not be {side}.")


def _numbers(first: int, count: int) -> range:
    if first < 0 or count < 1:
        raise UsageError(f"--first must be 0 or more and --count 1 or more, not {first} and {count}.")
    return range(first, first + count)


HELP = """usage: zeroseg picturebook show|write [options]

Show scenes of the picturebook, or write them to files. The picturebook is drawn from seeds: a scene is the same on
every machine, with exact masks and captions.

examples:
  zeroseg picturebook show --out sheet.png
  zeroseg picturebook write --split unlabelled --count 5000 --out scenes

`zeroseg picturebook show --help` and `zeroseg picturebook write --help` list the options.
"""


def main(arguments: Sequence[str]) -> int:
    """Choose show or write, parse, and run."""
    name, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if name == "show":
        return parse(Show, "picturebook show", rest).run()
    if name == "write":
        return parse(Write, "picturebook write", rest).run()
    if name in {"--help", "-h"}:
        print(HELP, end="")
        return 0
    raise UsageError(
        f"there is no `zeroseg picturebook {name}`, only show and write (see `zeroseg picturebook --help`)."
    )

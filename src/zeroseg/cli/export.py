"""`zeroseg export`: a model as files for other runtimes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from zeroseg.cli.messages import UsageError, say
from zeroseg.cli.parsing import parse
from zeroseg.files import check_new_folder
from zeroseg.method_names import Precision, Runtime
from zeroseg.models import DEFAULT


@dataclass(frozen=True)
class Export:
    """Write a model as files for ONNX Runtime, OpenVINO or torch.export (needs zeroseg[export]).

    --out receives three networks, each in a file: the image encoder (pixels of any size; any number of pictures), the
    text encoder (token ids), and the naming, which takes embeddings of regions and of words: so one export serves any
    labels. Beside them are tokenizer.json, known_words.txt if the teacher has one, and config.json with the read-out
    and the SHA-256 of every file. All commands take the folder as --model.

    fp16 stores weights as halves and computes in float32; int8 also computes the image encoder in whole numbers, with
    ranges from pictures without labels (docs/export.md has the speed and what changes in masks).

    examples:
      zeroseg export photos --to onnx --out photos-onnx
      zeroseg export photos --to web --precision fp16 --out page
      zeroseg export run/student --to openvino --precision int8 --calibrate my-photos/ --out small
    """

    model: Positional[Annotated[str, arg(metavar="MODEL", help_behavior_hint=f"(default: {DEFAULT})")]] = DEFAULT
    """A student: a bundled one by name, a folder, or the name of a hub repository."""
    to: Literal[Runtime, "web"] = "onnx"
    """The runtime, or a page for the browser."""
    precision: Precision = "fp32"
    """Of weights and of the image encoder's values."""
    out: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(required)")] = None
    """A new folder."""
    teacher: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the one the model names)")] = None
    """The teacher whose text encoder is exported: a bundled one, a folder, or the name of a hub repository."""
    calibrate: Annotated[
        tuple[Path, ...], arg(metavar="PHOTO...", help_behavior_hint="(default: the bundled pictures)")
    ] = ()
    """With int8: pictures like those that the model will see, or folders of them. 100 to 200 are enough."""
    runtime: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="(default: fetched with npm)")] = None
    """With --to web: a folder of the npm package onnxruntime-web."""

    def run(self) -> int:
        """Export, and say where."""
        if self.out is None:
            raise UsageError("name a new folder with --out.")
        if self.calibrate and self.precision != "int8":
            raise UsageError("--calibrate goes with --precision int8.")
        if self.runtime is not None and self.to != "web":
            raise UsageError("--runtime goes with --to web.")
        check_new_folder(self.out)
        from zeroseg.hub import locate

        locate(self.model, self.teacher, "student")
        from zeroseg.export import Form, bundled_pictures, export, export_page, pixels_of
        from zeroseg.segmenter import Segmenter

        form = Form("onnx" if self.to == "web" else self.to, self.precision)
        pictures = self._pictures() if self.precision == "int8" else []
        segmenter = Segmenter.from_pretrained(self.model, self.teacher, "cpu")
        calibration = pixels_of(pictures, segmenter.encoder)
        if self.to == "web":
            export_page(segmenter, self.out, form, bundled_pictures(self.model), calibration, self.runtime, _say)
        else:
            export(segmenter, self.out, form, calibration, _say)
        size = sum(path.stat().st_size for path in self.out.rglob("*") if path.is_file())
        print(f"{self.out}: {self.model} for {self.to}, {self.precision}, {size / 1e6:,.1f} MB")
        return 0

    def _pictures(self) -> list[Path]:
        """The pictures of --calibrate, all of which can be read: they are needed after a minute of other work."""
        from zeroseg.export import bundled_pictures
        from zeroseg.images import borrow_image, no_picture_in, search_images

        search = search_images(self.calibrate or [bundled_pictures(self.model)])
        if search.problems or not search.pictures:
            raise search.problems[0] if search.problems else no_picture_in(self.calibrate)
        for found in search.pictures:
            borrow_image(found.path)
        return [found.path for found in search.pictures]


def _say(step: str) -> None:
    say(f"exporting: {step}")


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(Export, "export", arguments).run()

"""`zeroseg label-studio`: a model for Label Studio, as a small server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from zeroseg.cli.messages import UsageError, say
from zeroseg.cli.parsing import parse
from zeroseg.models import DEFAULT

KEY = "LABEL_STUDIO_API_KEY"
LARGEST_PORT = 65_535


@dataclass(frozen=True)
class LabelStudio:
    """Answer Label Studio with masks for the labels of a project.

    In the project's settings, connect the printed address as a model. Its labels are what is looked for: BrushLabels
    receive masks, PolygonLabels outlines, RectangleLabels boxes. A label's hint may have other words for it,
    separated by commas.

    Images are read from files below --root, and from the Label Studio that --label-studio names, with the access token
    in the environment variable LABEL_STUDIO_API_KEY. No other address is ever fetched.

    examples:
      zeroseg label-studio --root photos/
      zeroseg label-studio --label-studio http://localhost:8080 --model photos
    """

    root: Annotated[Path, arg(metavar="FOLDER")] = Path()
    """The folder of local files: Label Studio's LOCAL_FILES_DOCUMENT_ROOT, or its media folder."""
    label_studio: Annotated[str, arg(metavar="URL", help_behavior_hint="(default: none)")] = ""
    """The Label Studio that files are fetched from if they are not below --root."""
    model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint=f"(default: {DEFAULT})")] = None
    """A student: a bundled one by name, a folder, or the name of a hub repository."""
    teacher: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the one the model names)")] = None
    """The teacher whose text encoder reads the labels: a bundled one, a folder, or the name of a hub repository."""
    absent: Literal["drop", "keep"] = "drop"
    """Labels of which it is doubtful that they are in the image at all: drop their areas, or keep them."""
    host: str = "localhost"
    """Where to listen. The server has no password: open it to other machines only in a network that you trust."""
    port: int = 9090
    """0 for any free one."""

    def run(self) -> int:
        """Serve until Ctrl-C."""
        from zeroseg.label_studio import Backend, Server, TaskImages
        from zeroseg.segmenter import Segmenter

        self._check()
        images = TaskImages(self.root, self.label_studio, os.environ.get(KEY, ""))
        segmenter = Segmenter.from_pretrained(self.model or DEFAULT, self.teacher)
        segmenter = segmenter.reading(smallest_region=segmenter.read_out.without_specks().smallest_region)
        try:
            server = Server(Backend(segmenter, images, say, self.absent == "drop"), self.host, self.port)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {self.host}, port {self.port} ({error.strerror}): choose another --host or --port."
            ) from error
        with server:
            print(f"http://{self.host}:{server.server_port} answers Label Studio; Ctrl-C ends it.", flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print("ended.", flush=True)
        return 0

    def _check(self) -> None:
        """Raise `UsageError`."""
        if not self.root.is_dir():
            raise UsageError(f"--root {str(self.root)!r} is no folder: name the one with the images.")
        if self.label_studio and not self.label_studio.startswith(("http://", "https://")):
            raise UsageError("--label-studio must be an address such as http://localhost:8080.")
        if not 0 <= self.port <= LARGEST_PORT:
            raise UsageError(f"--port must be 0 to {LARGEST_PORT}, not {self.port}.")


def main(arguments: Sequence[str]) -> int:
    """Parse, and run."""
    return parse(LabelStudio, "label-studio", arguments).run()

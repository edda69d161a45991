"""A page that runs an exported model in the browser: static files, for any server of files."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from zeroseg.errors import ConfigError
from zeroseg.export.making import Form, Say, export
from zeroseg.exported.folder import TOKENIZER
from zeroseg.files import atomic_folder, write_bytes_atomically
from zeroseg.rules import Margin
from zeroseg.segmenter import Segmenter

OWN = Path(__file__).parent / "page"
SHARED = Path(__file__).parents[1] / "web" / "page"  # of the page of `zeroseg serve`
REUSED = ("icon.svg", "paint.js", "palette.js", "scores.js", "style.css", "words.js")
PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
SECONDS = 300  # for the download, 33 MB


def export_page(
    segmenter: Segmenter,
    folder: Path,
    form: Form,
    samples: Path,
    calibration: Iterable[Float[Tensor, "_ 3 _ _"]] = (),
    runtime: Path | None = None,
    say: Say = lambda _: None,
) -> None:
    """Write a page with its model, its runtime and samples, completely or not at all.

    `form`: of the model, to ONNX; `calibration` as in `making.export`. `samples`: a folder of pictures, with a
    pictures.json (`bundled_pictures`). `runtime`: the folder of the npm package onnxruntime-web; None to fetch it.

    Raises `ConfigError` for a model whose read-out or tokenizer the page does not have, and if the runtime cannot be
    had; `WeightsError`, `TeacherError`, `OutputError`.
    """
    read_out = segmenter.read_out
    if read_out.naming != "patches" or not isinstance(read_out.background, Margin):
        raise ConfigError('the page shows models that name patches by the rule "margin": export this one to onnx.')
    with atomic_folder(folder) as place, tempfile.TemporaryDirectory() as temporary:
        for name, content in runtime_files(runtime, Path(temporary), say).items():
            write_bytes_atomically(place / "runtime" / name, content)
        export(segmenter, place / "model", form, calibration, say)
        if not is_clips(json.loads((place / "model" / TOKENIZER).read_text(encoding="utf-8"))):
            raise ConfigError("the page reads words as CLIP does, not as this model's teacher: export it to onnx.")
        for path in (*sorted(OWN.iterdir()), *(SHARED / name for name in REUSED)):
            write_bytes_atomically(place / path.name, path.read_bytes())
        for path in sorted(samples.iterdir()):
            write_bytes_atomically(place / "samples" / path.name, path.read_bytes())


def is_clips(tokenizer: Mapping[str, Any]) -> bool:
    """Whether the values of a tokenizer.json are those of byte pairs as in CLIP, which page/tokenizer.js has."""
    model, ends = tokenizer["model"], tokenizer["post_processor"]
    return model.get("end_of_word_suffix") == "</w>" and ends is not None and ends["type"] == "RobertaProcessing"


def runtime_files(runtime: Path | None, temporary: Path, say: Say) -> Mapping[str, bytes]:
    """The files of ONNX Runtime that the page needs, from a folder or from npm. Raises `ConfigError`."""
    if runtime is None:
        say(f"{PACKAGE} {VERSION} from npm")
        return _fetched(temporary)
    places = (runtime / "dist", runtime / "node_modules" / PACKAGE / "dist", runtime)
    found = next((place for place in places if all((place / name).is_file() for name in RUNTIME)), None)
    if found is None:
        raise ConfigError(f"{runtime} is no folder of the npm package {PACKAGE}: it has no {RUNTIME[0]}.")
    return {name: (found / name).read_bytes() for name in RUNTIME}


def _fetched(folder: Path) -> dict[str, bytes]:
    """The runtime's files from npm, which checks what it fetches."""
    npm = shutil.which("npm")
    if npm is None:
        raise ConfigError(f"npm is not installed: install Node.js, or name a folder of {PACKAGE} with --runtime.")
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--silent", "--fetch-retries=1"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS)
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            files = {name: archive.extractfile(f"package/dist/{name}") for name in RUNTIME}
            return {name: file.read() for name, file in files.items() if file is not None}
    except (subprocess.SubprocessError, OSError, tarfile.TarError, KeyError, StopIteration) as error:
        raise ConfigError(
            f"npm could not fetch {PACKAGE} ({type(error).__name__}): check your connection, or name a folder of it "
            "with --runtime."
        ) from error

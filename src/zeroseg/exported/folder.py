"""The folder of an exported model: which files it has, its config.json, and how they are checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from zeroseg.errors import ConfigError, WeightsError
from zeroseg.files import finite_json
from zeroseg.method_names import Precision, Runtime
from zeroseg.models import CONFIG, EXPORTED_KIND, kind_of
from zeroseg.student.config import StudentConfig

IMAGE, TEXT, NAMING = "image", "text", "naming"  # the networks, by the names of their files
SUFFIXES: Mapping[Runtime, str] = {"onnx": ".onnx", "openvino": ".xml", "torch": ".pt2"}
TOKENIZER = "tokenizer.json"  # of the library `tokenizers`, with the length to which texts are cut and padded
OUTPUTS = ("image", "segments", "masks", "teacher_mean")  # of the image encoder, in this order, then perhaps:
PATCHES = "patches"
PIXELS, TOKENS, EMBEDDINGS = "pixels", "tokens", "embeddings"
CHECKSUM = "checksum"  # in config.json
REGIONS, WORDS, MEAN, SIMILARITIES = "regions", "words", "mean", "similarities"


@dataclass(frozen=True)
class TextDescription:
    """What is known of a teacher's text tower besides its network and its tokenizer (see `teacher.Teacher`).

    `mean`: of the pixels that the teacher sees, red, green, blue: some protocols pad pictures with it.
    """

    width: int
    logit_scale: float
    logit_bias: float | None
    mean: tuple[float, float, float]
    text_fingerprint: str


@dataclass(frozen=True)
class Description:
    """What config.json says of an exported model.

    `student`: the student's config with its read-out. `versions`: of the software that made it. `files`: the SHA-256 of
    each other file, by name.
    """

    runtime: Runtime
    precision: Precision
    student: StudentConfig
    text: TextDescription
    versions: dict[str, str]
    files: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The values of config.json, with a checksum of all others."""
        values = {"kind": EXPORTED_KIND, **asdict(self), "student": self.student.to_json()}
        return values | {CHECKSUM: checksum(values)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Description:
        """From the values of config.json. Raises `ConfigError`, `KeyError`, `TypeError` or `ValueError` if wrong."""
        if values["runtime"] not in get_args(Runtime) or values["precision"] not in get_args(Precision):
            raise ValueError(f"there is no {values['precision']} for {values['runtime']}")
        given = values["text"]
        text = TextDescription(**given | {"mean": tuple(given["mean"])})
        student, versions, files = StudentConfig.from_json(values["student"]), values["versions"], values["files"]
        return cls(values["runtime"], values["precision"], student, text, dict(versions), dict(files))

    def path(self, folder: Path, network: str) -> Path:
        """The file of a network."""
        return folder / f"{network}{SUFFIXES[self.runtime]}"

    @property
    def fingerprint(self) -> str:
        """A hash of all that the model computes with."""
        seen = (self.runtime, self.precision, sorted(self.files.items()))
        return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def checksum(values: Mapping[str, Any]) -> str:
    """The SHA-256 of the values of a config.json, without the checksum that it has."""
    others = {name: value for name, value in values.items() if name != CHECKSUM}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def is_exported(folder: Path) -> bool:
    """Whether a folder is that of an exported model, by its config.json, or by its files if that is damaged."""
    networks = (folder / f"{NAMING}{suffix}" for suffix in SUFFIXES.values())
    return kind_of(folder) == EXPORTED_KIND or any(network.is_file() for network in networks)


def read(folder: Path) -> Description:
    """What config.json says, once all files are known to be there and whole. Raises `WeightsError`."""
    try:
        values = finite_json((folder / CONFIG).read_text(encoding="utf-8"))
        if values[CHECKSUM] != checksum(values):
            raise ValueError("its checksum is wrong")
        description = Description.from_json(values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError) as error:
        raise WeightsError(
            f"{folder / CONFIG} is damaged, was changed by hand, or is of another version: export the model again (its "
            "read-out is changed where it is used, not there)."
        ) from error
    for name, expected in description.files.items():
        if not (folder / name).is_file():
            raise WeightsError(f"the exported model in {folder} has no {name}: copy all files, or export it again.")
        if file_hash(folder / name) != expected:
            raise WeightsError(
                f"{folder / name} is damaged, or belongs to another export: copy all files of the folder again, or "
                "export it again."
            )
    for network in (IMAGE, TEXT, NAMING):
        if description.path(folder, network).name not in description.files:
            raise WeightsError(f"the config of the exported model in {folder} names no {network}: export it again.")
    return description


def file_hash(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

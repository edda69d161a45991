"""Models by name: those that come with the package, and teachers of the hub that it can load.

Text and paths only: the help of the command line shows the names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Part = Literal["student", "teacher"]

WEIGHTS = Path(__file__).parent / "weights"
CONFIG = "config.json"
STUDENT_KIND = "zeroseg-student"  # the "kind" in a student's config
EXPORTED_KIND = "zeroseg-exported"  # the "kind" in the config of an exported student with its text encoder
TEACHER_TYPES = ("clip", "siglip", "siglip2", "vision-text-dual-encoder")  # the "model_type" in those of teachers
FORMER_NAMES = {"bundled": "picturebook"}  # in configs and commands of earlier versions


@dataclass(frozen=True)
class BundledModel:
    """A student and its teacher that come with the package. Each of them has this name."""

    name: str
    student: Path
    teacher: Path
    knows: str
    licence: str = "Apache-2.0"

    def folder(self, part: Part) -> Path:
        """The folder of the student or of the teacher."""
        return self.student if part == "student" else self.teacher

    @property
    def is_complete(self) -> bool:
        """Whether both are there."""
        return all((folder / CONFIG).is_file() for folder in (self.student, self.teacher))

    @property
    def bytes(self) -> int:
        """The size of both on disk."""
        return sum(file.stat().st_size for folder in (self.student, self.teacher) for file in folder.iterdir())


def bundled_in(weights: Path) -> dict[str, BundledModel]:
    """The models that a folder of weights holds, by name; the first one is the default."""
    models = (
        BundledModel("photos", weights / "photos", weights / "photos_teacher", "photos of everyday things and scenes"),
        BundledModel("picturebook", weights / "student", weights / "teacher", "the drawings of the picturebook"),
    )
    return {model.name: model for model in models if model.is_complete}


BUNDLED: Mapping[str, BundledModel] = bundled_in(WEIGHTS)
DEFAULT = next(iter(BUNDLED))


def default_for(data_set: str) -> str:
    """The bundled model to measure on a data set."""
    return "picturebook" if data_set.startswith("picturebook") else DEFAULT


def bundled(name: str | Path) -> BundledModel | None:
    """The bundled model of this name, or of a name in `FORMER_NAMES`; None for any other name and for a `Path`.

    The name goes before a folder of the same name: `./photos` is the folder.
    """
    return BUNDLED.get(FORMER_NAMES.get(name, name)) if isinstance(name, str) else None


def kind_of(folder: Path) -> str | None:
    """What the config of a folder says that it is, `STUDENT_KIND` or `EXPORTED_KIND`; None for all other folders."""
    try:
        values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return values.get("kind") if isinstance(values, dict) else None


def is_picturebook(name: str | Path) -> bool:
    """Whether this is the name of the bundled model that knows the picturebook."""
    found = bundled(name)
    return found is not None and found.name == "picturebook"


@dataclass(frozen=True)
class HubModel:
    """A teacher of the Hugging Face hub in a format that `Teacher` reads. `parameters` are those of both towers."""

    name: str
    parameters: int
    licence: str
    knows: str
    commercial: bool = True

    @property
    def bytes(self) -> int:
        """The size of its weights, which are saved as float32."""
        return 4 * self.parameters


OPENAI = "MIT (code)"  # of the repository openai/CLIP; the model cards name no licence, and advise against deployment
CATALOGUE = (
    HubModel("openai/clip-vit-base-patch32", 151_277_313, OPENAI, "400 million web images with English captions"),
    HubModel("openai/clip-vit-base-patch16", 149_620_737, OPENAI, "the same, with finer patches"),
    HubModel("openai/clip-vit-large-patch14", 427_616_513, OPENAI, "the same, more accurate: the paper's teacher"),
    HubModel("laion/CLIP-ViT-B-16-laion2B-s34B-b88K", 149_620_737, "MIT", "2 billion images with English captions"),
    HubModel("google/siglip-base-patch16-224", 203_155_970, "Apache-2.0", "WebLI, English (needs zeroseg[siglip])"),
    HubModel("google/siglip2-base-patch16-224", 375_187_970, "Apache-2.0", "WebLI, over 100 languages"),
    HubModel(
        "facebook/metaclip-b16-400m", 149_620_737, "CC-BY-NC-4.0", "400 million images of CommonCrawl, English", False
    ),
)
"""Licences: of the model cards and of openai/CLIP; sizes: of the architectures. EVA-CLIPs are missing: on the hub they
are in the format of `transformers` with code of their own only, and code from the hub is never run."""

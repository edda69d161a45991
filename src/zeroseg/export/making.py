"""A student and its teacher's text encoder as the folder of an exported model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from zeroseg.encoding import StudentEncoder
from zeroseg.errors import ConfigError, WeightsError
from zeroseg.export.networks import ImageNetwork, NamingNetwork, TextNetwork
from zeroseg.export.tokenizer import as_file, longest, pads_fully
from zeroseg.export.tracing import Network, free
from zeroseg.export.writing import write
from zeroseg.exported import folder as names
from zeroseg.exported.folder import IMAGE, NAMING, TEXT, TOKENIZER, Description, TextDescription, file_hash
from zeroseg.files import atomic_folder, write_text_atomically
from zeroseg.method_names import Precision, Runtime
from zeroseg.models import CONFIG
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.teacher.teacher import save_known_words
from zeroseg.versions import versions

Say = Callable[[str], None]
LIBRARIES: Mapping[Runtime, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
    "torch": (),
}
EXAMPLE = (10, 14)  # patches down and across of the pictures with which a network is followed: no size is special


@dataclass(frozen=True)
class Form:
    """What a model is exported to.

    Raises `ConfigError` for int8 in torch, and if a library that the export needs is not installed.
    """

    runtime: Runtime
    precision: Precision

    def __post_init__(self) -> None:
        if (self.runtime, self.precision) == ("torch", "int8"):
            raise ConfigError("torch has no int8 that fits into one file: export to onnx or openvino, or as fp16.")
        missing = [name for name in LIBRARIES[self.runtime] if find_spec(name) is None]
        if missing:
            raise ConfigError(f'an export to {self.runtime} needs {missing[0]}: pip install "zeroseg[export]".')


def export(
    segmenter: Segmenter,
    folder: Path,
    form: Form,
    calibration: Iterable[Float[Tensor, "_ 3 _ _"]] = (),
    say: Say = lambda _: None,
) -> Description:
    """Write the folder of an exported model, completely or not at all.

    `segmenter`: a student and its teacher. `calibration`: pixels of images without labels, as the student sees them,
    from which int8 takes the ranges of values. `say`: is told what is made.

    Raises `WeightsError` if the segmenter has no student, `TeacherError` for a tokenizer that cannot be exported, and
    `OutputError`.
    """
    student, teacher = _parts(segmenter)
    networks = {IMAGE: image_network, TEXT: text_network, NAMING: naming_network}
    with atomic_folder(folder) as place:
        for name, follow in networks.items():
            say(f"{name} network")
            of_images = calibration if name == IMAGE else None
            write(follow(student, teacher), place / name, form.runtime, form.precision, of_images)
        tokenizer = teacher.text_encoder(pretrained=True).tokenizer
        write_text_atomically(place / TOKENIZER, as_file(teacher, tokenizer))
        if teacher.known_words is not None:
            save_known_words(place, teacher.known_words)
        description = Description(
            runtime=form.runtime,
            precision=form.precision,
            student=replace(student.config, read_out=segmenter.read_out),
            text=_described(teacher),
            versions=versions() | {name: version(name) for name in LIBRARIES[form.runtime]},
            files={path.name: file_hash(path) for path in sorted(place.iterdir())},
        )
        write_text_atomically(place / CONFIG, json.dumps(description.to_json(), indent=2) + "\n")
    return description


def _parts(segmenter: Segmenter) -> tuple[Student, Teacher]:
    """The networks of a segmenter, on the CPU. Raises `WeightsError` unless they are a student and its teacher."""
    encoder = segmenter.encoder
    if not isinstance(encoder, StudentEncoder):
        raise WeightsError("only a student can be exported: name one, not a model that is exported already.")
    return encoder.student.cpu(), segmenter.whole_teacher.to("cpu")


def _described(teacher: Teacher) -> TextDescription:
    red, green, blue = teacher.mean.flatten().tolist()
    scale, bias = teacher.logit_scale, teacher.logit_bias
    return TextDescription(teacher.width, scale, bias, (red, green, blue), teacher.text_fingerprint)


def image_network(student: Student, _: Teacher) -> Network:
    """The image encoder, for any number of pictures of any size."""
    patch, (rows, columns) = student.config.patch_size, EXAMPLE
    pixels = torch.rand(2, 3, rows * patch, columns * patch, generator=torch.Generator().manual_seed(0))
    sizes = {0: free("pictures"), 2: free("rows", patch), 3: free("columns", patch)}
    return Network(ImageNetwork(student), {names.PIXELS: pixels}, {names.PIXELS: sizes})


def text_network(_: Student, teacher: Teacher) -> Network:
    """The text encoder, for any number of texts; of any length, if texts are not all padded to one."""
    texts = ["a photo of a dog", "cat", "night sky"]
    sizes = {0: free("texts")} if pads_fully(teacher) else {0: free("texts"), 1: free("length", most=longest(teacher))}
    return Network(TextNetwork(teacher), {names.TOKENS: torch.tensor(teacher.token_ids(texts))}, {names.TOKENS: sizes})


def naming_network(_: Student, teacher: Teacher) -> Network:
    """The similarities of any number of regions and words."""
    width, generator = teacher.width, torch.Generator().manual_seed(0)
    inputs = {
        names.REGIONS: torch.rand(5, width, generator=generator),
        names.WORDS: torch.rand(3, width, generator=generator),
        names.MEAN: torch.rand(width, generator=generator),
    }
    return Network(
        NamingNetwork(), inputs, {names.REGIONS: {0: free("regions")}, names.WORDS: {0: free("words")}, names.MEAN: {}}
    )

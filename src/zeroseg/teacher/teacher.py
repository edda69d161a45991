"""The interface of all teachers, what all families have in common, and how a teacher is loaded.

Letters: B image, C text, T token, P patch, D embedding width, H W pixels, S the teacher's own side in pixels.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, cast, get_args

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.utils import logging

from zeroseg.errors import TeacherError
from zeroseg.files import write_text_atomically
from zeroseg.hub import folder_of
from zeroseg.images import resize
from zeroseg.known_words import KnownWords
from zeroseg.method_names import DenseMethod
from zeroseg.models import DEFAULT, EXPORTED_KIND, STUDENT_KIND
from zeroseg.precision import mixed_precision, plain_attention
from zeroseg.teacher.fingerprints import PROBE, fingerprint, text_fingerprint
from zeroseg.teacher.last_attention import Attend
from zeroseg.teacher.text_encoder import TextEncoder
from zeroseg.teacher.text_tower import KNOWN_WORDS, TextTower, read_known_words
from zeroseg.teacher.vision_tower import VisionTower

AT_ONCE, AT_ONCE_ON_CPU = 128, 16  # images: more of them do not fit into a processor's caches, and take longer
OWN_KINDS = {EXPORTED_KIND: "an exported model", STUDENT_KIND: "a student"}


class Teacher(TextTower):
    """A frozen model with its tokenizer and its pixel normalisation. It is never trained and gets no gradient.

    `size` is the side of its input in pixels, `patch_size` the side of a patch. `mean` and `std` (3 1 1) normalise
    pixels of 0..1. `width` is the width D of the shared embedding space. `logit_scale` is the learned factor on
    cosines. If `logit_bias` is None, probabilities are a softmax over texts (CLIP), else they are
    sigmoid(logit_scale * cosine + logit_bias) for each text (SigLIP).
    """

    family: ClassVar[str]
    """The name of the family."""
    model_types: ClassVar[tuple[str, ...]]
    """The values of `model_type` in the config.json of its models."""
    dense_methods: ClassVar[tuple[DenseMethod, ...]] = get_args(DenseMethod)
    """The dense read-outs that its models have. With "maskclip" alone, `patch_embeddings` does not use `attend`."""

    def __init__(
        self,
        model: Any,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        size: int,
        patch_size: int,
        width: int,
        logit_bias: float | None,
    ) -> None:
        """`model`: a model of `transformers` with a learned `logit_scale`; it is frozen here."""
        self._model: Any = model.eval().requires_grad_(False)  # only the family's own file uses it
        choose_attention(self._model)
        self.mean = torch.tensor(mean).view(3, 1, 1)
        self.std = torch.tensor(std).view(3, 1, 1)
        self.size, self.patch_size, self.width = size, patch_size, width
        self.logit_scale = float(model.logit_scale.exp())
        self.logit_bias = logit_bias

    @staticmethod
    def from_pretrained(name: str | Path = DEFAULT) -> Teacher:
        """Load a teacher in the format of `transformers`: a bundled one by name, or from a folder or by hub name.

        `openai/clip-vit-large-patch14` is such a hub name. The `model_type` in config.json decides the family.

        Raises `TeacherError` if there is no model, if its family is unknown, or if its weights are missing or belong to
        another model.
        """
        name = str(folder_of(name, "teacher"))
        import_module("zeroseg.teacher.families")  # subclasses
        families = {kind: family for family in _families(Teacher) for kind in family.model_types}
        known = " or ".join(sorted(family.family for family in set(families.values())))
        with explained(name, "teacher", f"config.json, model.safetensors and tokenizer files of {known}"):
            config = cast(Any, PreTrainedConfig).get_config_dict(name)[0]
            kind, own = config.get("model_type"), OWN_KINDS.get(config.get("kind"))
            if own is not None:
                raise TeacherError(f"{name!r} is {own}, not a teacher: name the teacher that it was distilled from.")
            if kind not in families:
                found = (
                    f"its config.json names the model type {kind!r}" if kind else "no config.json names a model type"
                )
                raise TeacherError(
                    f"{name!r} is not a teacher, {found}: name a folder or a hub model of {known} "
                    f"(model type {', '.join(families)})."
                )
            teacher = families[kind]._load(name)
            teacher.known_words = read_known_words(Path(name))
            return teacher

    @classmethod
    @abstractmethod
    def _load(cls, name: str) -> Teacher:
        """Load a model of this family. `from_pretrained` turns errors of `transformers` into a `TeacherError`."""

    @property
    def whole(self) -> Teacher:
        """Itself."""
        return self

    @property
    def fingerprint(self) -> str:
        """A hash of all weights, which identifies caches."""
        return self._fingerprint

    @property
    def text_fingerprint(self) -> str:
        """A hash of the text tower's weights and of its tokenizer, which identifies the teacher of a student."""
        return self._text_fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._model)

    @cached_property
    def _text_fingerprint(self) -> str:
        return text_fingerprint(self._model, self.token_ids(PROBE))

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self._model.device

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return sum(weight.numel() for weight in self._model.parameters())

    def to(self, device: torch.device | str) -> Teacher:
        """Move the weights; returns itself."""
        self._model.to(torch.device(device))
        choose_attention(self._model)
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    @torch.inference_mode()
    def embed_images(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Embeddings of RGB images (values 0..1), not normalised. Each image is resized to the teacher's input."""
        at_once = AT_ONCE_ON_CPU if self.device.type == "cpu" else AT_ONCE
        return torch.cat([self._embed_images(some) for some in images.split(at_once)])

    def _embed_images(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        images = resize(images, (self.size, self.size)) if images.shape[-2:] != (self.size, self.size) else images
        with mixed_precision(self.device):
            return self._embed_pixels(self._normalise(images)).float()

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of texts as the teacher embeds them: cut to the length of the text encoder, and padded."""
        return self._tokenize(list(texts)).tolist() if texts else []

    @torch.inference_mode()
    def patch_embeddings(
        self, pixels: Float[Tensor, "B 3 H W"], attend: Attend, keep_residual: bool, position_offset: float = 0.0
    ) -> Float[Tensor, "B P D"]:
        """One embedding a patch in the shared space, row by row, not normalised: a dense read-out.

        `pixels` are RGB (0..1), sides multiples of the patch size; positions are interpolated. All layers of the vision
        tower are used unchanged except the last one, in which `attend` replaces the attention. `keep_residual`: whether
        the last layer keeps its residual connection and its MLP. `position_offset`: see `baselines.DenseReadOut`; only
        CLIP's towers have one.
        """
        grid = (pixels.shape[2] // self.patch_size, pixels.shape[3] // self.patch_size)
        return self._embed_patches(self._normalise(pixels), attend, keep_residual, grid, position_offset)

    @abstractmethod
    def vision_tower(self) -> VisionTower | None:
        """The vision tower as initial weights of a student's encoder; None if no student has the tower's form."""

    @abstractmethod
    def text_encoder(self, pretrained: bool) -> TextEncoder:
        """A trainable text encoder with the sizes of this teacher's: with its weights, or with new random ones."""

    @abstractmethod
    def _embed_pixels(self, pixels: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """Embeddings of normalised pixels of the teacher's own size."""

    @abstractmethod
    def _tokenize(self, texts: list[str]) -> Int[Tensor, "C T"]:
        """Token ids, cut and padded to one length."""

    @abstractmethod
    def _embed_patches(
        self,
        pixels: Float[Tensor, "B 3 H W"],
        attend: Attend,
        keep_residual: bool,
        grid: tuple[int, int],
        position_offset: float,
    ) -> Float[Tensor, "B P D"]:
        """`patch_embeddings` of normalised pixels."""

    def _normalise(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        return (images.to(self.device) - self.mean) / self.std


def choose_attention(model: Any) -> None:
    """Choose the fastest attention of `transformers` for the model's device."""
    try:
        model.set_attn_implementation("eager" if plain_attention(model.device) else "sdpa")
    except ValueError:  # a part of the model, such as a ConvNeXt, does not have torch's fused attention
        model.set_attn_implementation("eager")


@contextmanager
def _without_bars() -> Generator[None]:
    """Within this context `transformers` shows no bar for weights, which are loaded in a moment."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def load_whole(model_class: Any, name: str) -> Any:
    """Load a model of `transformers` in float32. Raises `TeacherError` if some of its weights are missing."""
    with _without_bars():
        model, loaded = model_class.from_pretrained(name, dtype=torch.float32, output_loading_info=True)
    if loaded["missing_keys"] or loaded["mismatched_keys"]:
        raise TeacherError(
            f"the weights in {name!r} are not a complete teacher: {len(loaded['missing_keys'])} tensors missing, "
            f"{len(loaded['mismatched_keys'])} of another shape. Name a complete model, with vision and text encoder."
        )
    return model


def check_tokenizer(tokenizer: Any, words: int, name: str) -> None:
    """Raise `TeacherError` if a tokenizer has far fewer tokens than its model (`words`).

    Then its files are missing, and `transformers` has made an empty tokenizer.
    """
    if len(tokenizer) < words // 2:
        raise TeacherError(f"there is no tokenizer in {name!r}: add the tokenizer files of this model.")


def save_whole(model: Any, tokenizer: Any, processor: Any, folder: Path) -> None:
    """Write a model as a folder of `transformers`, its weights in float16, with its tokenizer and image processor."""
    model.half().save_pretrained(folder)
    model.float()
    tokenizer.save_pretrained(folder)
    processor.save_pretrained(folder)


def save_known_words(folder: Path, words: KnownWords) -> None:
    """Write the words that a teacher has learned into its folder."""
    write_text_atomically(folder / KNOWN_WORDS, words.text())


def _families(base: type[Teacher]) -> Generator[type[Teacher]]:
    """All subclasses, also those of subclasses."""
    for family in base.__subclasses__():
        yield family
        yield from _families(family)


@contextmanager
def explained(name: str, what: str, known: str) -> Generator[None]:
    """Turn the errors of `transformers` while a model is loaded into a `TeacherError`.

    `what` it should be, in one word; `known`: the files of what models are right.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise TeacherError(
            f"no {what} could be loaded from {name!r} ({_first_line(error)}): "
            f"name a folder or a hub model with {known}."
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__

"""What every teacher can do, whatever its family; and how one is loaded.

Letters: B image, C text, P patch, D embedding width, H W pixels, S the teacher's own side in pixels.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor
from transformers import PreTrainedConfig

from zeroseg.errors import TeacherError
from zeroseg.images import resize
from zeroseg.precision import mixed_precision, plain_attention
from zeroseg.teacher.last_attention import Attend
from zeroseg.teacher.text_encoder import TextEncoder

BUNDLED_NAME = "bundled"
BUNDLED = Path(__file__).parents[1] / "weights" / "teacher"
TEXTS_AT_ONCE, IMAGES_AT_ONCE = 256, 128


@dataclass(frozen=True)
class VisionTower:
    """A teacher's vision tower, all its layers, under the names of `zeroseg.student.encoder.Encoder`."""

    tensors: Mapping[str, Tensor]
    activation: str


class Teacher(ABC):
    """A frozen model with its tokenizer and its pixel normalisation. It never trains and never sees a gradient.

    `size` is the side of its input in pixels, `patch_size` that of a patch, `mean` and `std` (3 1 1) normalise pixels
    of 0..1, `width` is the width D of the shared embedding space, `fingerprint` a hash of its weights: caches are keyed
    by it. `logit_scale` is the learned factor on cosines. With `logit_bias` None its probabilities are a softmax over
    texts (CLIP's), else sigmoid(logit_scale * cosine + logit_bias), text by text (SigLIP's).
    """

    family: ClassVar[str]
    """What the family is called."""
    model_types: ClassVar[tuple[str, ...]]
    """The values of `model_type` in the config.json of its models."""

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
        """`model`: a model of `transformers` with a learned `logit_scale`; it is frozen."""
        self._model: Any = model.eval().requires_grad_(False)  # of the family alone: nobody else reaches into it
        choose_attention(self._model)
        self.mean = torch.tensor(mean).view(3, 1, 1)
        self.std = torch.tensor(std).view(3, 1, 1)
        self.size, self.patch_size, self.width = size, patch_size, width
        self.logit_scale = float(model.logit_scale.exp())
        self.logit_bias = logit_bias
        self.fingerprint = _fingerprint(model)

    @staticmethod
    def from_pretrained(name: str | Path = BUNDLED_NAME) -> Teacher:
        """Load a teacher in the format of `transformers`, from a folder or by hub name.

        `openai/clip-vit-large-patch14` is such a name; "bundled" is the small CLIP that comes with the package. The
        family is the one of the `model_type` in config.json.

        Raises `TeacherError` where there is no model, where its family is unknown, or where its weights are missing or
        another model's.
        """
        name = str(BUNDLED if name == BUNDLED_NAME else name)
        families = {kind: family for family in Teacher.__subclasses__() for kind in family.model_types}
        known = " or ".join(sorted(family.family for family in set(families.values())))
        with _explained(name, known):
            kind = cast(Any, PreTrainedConfig).get_config_dict(name)[0].get("model_type")
            if kind not in families:
                found = (
                    f"its config.json names the model type {kind!r}" if kind else "no config.json names a model type"
                )
                raise TeacherError(
                    f"{name!r} is no teacher, {found}: name a folder or a hub model of {known} "
                    f"(model type {', '.join(families)})."
                )
            return families[kind]._load(name)

    @classmethod
    @abstractmethod
    def _load(cls, name: str) -> Teacher:
        """Load a model of this family. What `transformers` raises becomes a `TeacherError` in `from_pretrained`."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._model.device

    @property
    def parameters(self) -> int:
        """The number of its weights."""
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
        return torch.cat([self._embed_images(some) for some in images.split(IMAGES_AT_ONCE)])

    def _embed_images(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        images = resize(images, (self.size, self.size)) if images.shape[-2:] != (self.size, self.size) else images
        with mixed_precision(self.device):
            return self._embed_pixels(self._normalise(images)).float()

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "C D"]:
        """Embeddings of texts, of length 1. Longer texts than the teacher can read are cut."""
        parts: list[Tensor] = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            features = self._embed_some_texts(list(texts[start : start + TEXTS_AT_ONCE]))
            parts.append(F.normalize(features.float(), dim=-1))
        return torch.cat(parts)

    @torch.inference_mode()
    def patch_embeddings(
        self, pixels: Float[Tensor, "B 3 H W"], attend: Attend, keep_residual: bool
    ) -> Float[Tensor, "B P D"]:
        """One embedding a patch in the shared space, row by row, not normalised: a dense read-out.

        `pixels` are RGB (0..1) of any size that is whole patches; positions are interpolated. All layers of the vision
        tower but the last run as they are; in the last one `attend` is the attention. `keep_residual`: whether its
        residual connection and its MLP are kept.
        """
        grid = (pixels.shape[2] // self.patch_size, pixels.shape[3] // self.patch_size)
        return self._embed_patches(self._normalise(pixels), attend, keep_residual, grid)

    @abstractmethod
    def vision_tower(self) -> VisionTower | None:
        """The vision tower as first weights of a student's encoder; None where no student has the tower's form."""

    @abstractmethod
    def text_encoder(self, pretrained: bool) -> TextEncoder:
        """A text encoder that learns, in the form of this teacher's: with its weights, or with new random ones."""

    @abstractmethod
    def _embed_pixels(self, pixels: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """Embeddings of normalised pixels of the teacher's own size."""

    @abstractmethod
    def _embed_some_texts(self, texts: list[str]) -> Float[Tensor, "C D"]:
        """Embeddings of as many texts as go through at once, not normalised."""

    @abstractmethod
    def _embed_patches(
        self, pixels: Float[Tensor, "B 3 H W"], attend: Attend, keep_residual: bool, grid: tuple[int, int]
    ) -> Float[Tensor, "B P D"]:
        """`patch_embeddings` of normalised pixels."""

    def _normalise(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        return (images.to(self.device) - self.mean) / self.std


def choose_attention(model: Any) -> None:
    """The fastest of `transformers`' attentions where the model is."""
    model.set_attn_implementation("eager" if plain_attention(model.device) else "sdpa")


def load_whole(model_class: Any, name: str) -> Any:
    """A model of `transformers` in float32. Raises `TeacherError` where some of its weights are not there."""
    model, loaded = model_class.from_pretrained(name, dtype=torch.float32, output_loading_info=True)
    if loaded["missing_keys"] or loaded["mismatched_keys"]:
        raise TeacherError(
            f"the weights in {name!r} are not a whole teacher: {len(loaded['missing_keys'])} parts are missing, "
            f"{len(loaded['mismatched_keys'])} of another shape. Name a whole model, with vision and text encoder."
        )
    return model


def check_tokenizer(tokenizer: Any, words: int, name: str) -> None:
    """Raise `TeacherError` where a tokenizer has far fewer tokens than the `words` of its model: its files are missing.

    `transformers` makes an empty tokenizer then.
    """
    if len(tokenizer) < words // 2:
        raise TeacherError(f"there is no tokenizer in {name!r}: add the tokenizer files of this model.")


def save_whole(model: Any, tokenizer: Any, processor: Any, folder: Path) -> None:
    """Write a model as a folder of `transformers`, its weights in float16, with its tokenizer and image processor."""
    model.half().save_pretrained(folder)
    model.float()
    tokenizer.save_pretrained(folder)
    processor.save_pretrained(folder)


@contextmanager
def _explained(name: str, known: str) -> Generator[None]:
    """What `transformers` and the hub raise while they load a model, as a `TeacherError`."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, HfHubHTTPError, HFValidationError) as error:
        raise TeacherError(
            f"no teacher could be loaded from {name!r} ({_first_line(error)}): name a folder or a hub model with "
            f"config.json, model.safetensors and tokenizer files of {known}."
        ) from error


def _fingerprint(model: Any) -> str:
    """A hash of every weight as float16, so that a float16 copy on disk and its float32 original agree."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().to(torch.float16).cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__

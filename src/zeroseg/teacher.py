"""The teacher: a frozen CLIP that embeds images and texts. Nothing else is known of it.

Any CLIP of `transformers` will do, from a folder or by its hub name. The bundled one has the very same format.

Letters: B image, C text, D embedding width, H W pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from zeroseg.errors import TeacherError
from zeroseg.images import resize
from zeroseg.precision import mixed_precision, plain_attention

CLIP = Any  # transformers' own annotations of CLIPModel do not hold
BUNDLED_NAME = "bundled"
BUNDLED = Path(__file__).parent / "weights" / "teacher"
TEXTS_AT_ONCE, IMAGES_AT_ONCE = 256, 128


class Teacher:
    """A frozen CLIP with its tokenizer and its pixel normalisation. It never trains and never sees a gradient.

    `size` is the side of its input in pixels, `width` the width D of the shared embedding space,
    `scale` the learned factor on cosines, `fingerprint` a hash of its weights: caches are keyed by it.
    """

    def __init__(self, model: CLIP, tokenizer: CLIPTokenizer, mean: list[float], std: list[float]) -> None:
        self.model: CLIP = model.eval().requires_grad_(False)
        choose_attention(self.model)
        self.tokenizer = tokenizer
        self.mean = torch.tensor(mean).view(3, 1, 1)
        self.std = torch.tensor(std).view(3, 1, 1)
        self.size: int = model.config.vision_config.image_size
        self.width: int = model.config.projection_dim
        self.scale: float = float(model.logit_scale.exp())
        self.fingerprint = _fingerprint(model)

    @classmethod
    def from_pretrained(cls, name: str | Path = BUNDLED_NAME) -> Teacher:
        """Load a CLIP of `transformers` from a folder or by hub name (`openai/clip-vit-large-patch14`).

        The name "bundled" is the small one that comes with the package.

        Raises `TeacherError` where there is none, or where its weights are missing or another model's.
        """
        name = BUNDLED if name == BUNDLED_NAME else name
        try:
            if cast(CLIP, CLIPConfig).get_config_dict(str(name))[0].get("model_type") != "clip":
                raise ValueError("its config.json is no CLIP's")
            model, loaded = cast(CLIP, CLIPModel).from_pretrained(
                str(name), dtype=torch.float32, output_loading_info=True
            )
            tokenizer = cast(CLIP, CLIPTokenizer).from_pretrained(str(name))
            processor = cast(CLIP, CLIPImageProcessorPil).from_pretrained(str(name))
        except (
            OSError,
            ValueError,
            KeyError,
            RuntimeError,
            SafetensorError,
            HfHubHTTPError,
            HFValidationError,
        ) as error:
            raise TeacherError(
                f"no CLIP could be loaded from {str(name)!r} ({_first_line(error)}): name a folder or a hub "
                "model with config.json, model.safetensors and tokenizer files of a CLIP."
            ) from error
        if loaded["missing_keys"] or loaded["mismatched_keys"]:
            raise TeacherError(
                f"the weights in {str(name)!r} are not a whole CLIP: {len(loaded['missing_keys'])} parts are "
                "missing. Name the folder of a CLIP model (vision and text encoder)."
            )
        if len(tokenizer) < model.config.text_config.vocab_size // 2:
            raise TeacherError(f"there is no tokenizer in {str(name)!r}: add the tokenizer files of this CLIP.")
        return cls(model, tokenizer, list(processor.image_mean), list(processor.image_std))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    def to(self, device: torch.device | str) -> Teacher:
        """Move the weights; returns itself."""
        self.model.to(torch.device(device))
        choose_attention(self.model)
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    @torch.inference_mode()
    def embed_images(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Embeddings of RGB images (values 0..1), not normalised. Each image is resized to the teacher's input."""
        return torch.cat([self._embed_images(some) for some in images.split(IMAGES_AT_ONCE)])

    def _embed_images(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        images = resize(images, (self.size, self.size)) if images.shape[-2:] != (self.size, self.size) else images
        with mixed_precision(self.device):
            pixels = (images.to(self.device) - self.mean) / self.std
            return self.model.get_image_features(pixel_values=pixels).pooler_output.float()

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "C D"]:
        """Embeddings of texts, of length 1. Longer texts than the teacher can read are cut."""
        parts: list[Tensor] = []
        longest = self.model.config.text_config.max_position_embeddings
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            some = list(texts[start : start + TEXTS_AT_ONCE])
            tokens = self.tokenizer(some, padding=True, truncation=True, max_length=longest, return_tensors="pt")
            features = self.model.get_text_features(**tokens.to(self.device))
            parts.append(F.normalize(features.pooler_output.float(), dim=-1))
        return torch.cat(parts)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of texts as they are embedded: cut to the most that the text encoder reads."""
        longest = self.model.config.text_config.max_position_embeddings
        return self.tokenizer(list(texts), truncation=True, max_length=longest)["input_ids"] if texts else []


def choose_attention(model: CLIP) -> None:
    """The fastest of `transformers`' attentions where the model is."""
    model.set_attn_implementation("eager" if plain_attention(model.device) else "sdpa")


def _fingerprint(model: CLIP) -> str:
    """A hash of every weight as float16, so that a float16 copy on disk and its float32 original agree."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().to(torch.float16).cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__

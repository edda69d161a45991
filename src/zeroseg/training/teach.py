"""Training of a small CLIP on images with captions. The bundled teacher was made with it.

Letters: B pair, H W pixels, T token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Protocol, cast, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from PIL import Image
from tokenizers import Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from zeroseg.errors import ConfigError
from zeroseg.images import to_tensor
from zeroseg.known_words import KnownWords
from zeroseg.teacher.clip import CLIP
from zeroseg.teacher.teacher import choose_attention, save_known_words, save_whole
from zeroseg.teacher.text_encoder import LARGEST_SCALE
from zeroseg.training.batch import Batch
from zeroseg.training.loop import LoopConfig, Loss, Metrics, without_loop
from zeroseg.training.optimiser import OptimiserConfig
from zeroseg.training.run import train

BEGIN, END = "<|startoftext|>", "<|endoftext|>"


@runtime_checkable
class Pairs(Protocol):
    """Images with captions, by number. A source may return several pairs (crops) for one number."""

    def __len__(self) -> int: ...

    def captions(self) -> list[str]:
        """Captions to train a tokenizer on."""
        ...

    def words(self) -> set[str]:
        """All words that captions may have, in lower case."""
        ...

    def pairs(self, index: int, random: Random) -> list[tuple[Image.Image, str]]:
        """Square RGB images of one size, each with its caption; `random` chooses crops and words."""
        ...


SMALLEST_VOCABULARY = 2 * len(ByteLevel.alphabet()) + 2  # each byte, also at the end of a word; two special tokens


@dataclass(frozen=True)
class TeachConfig:
    """A small CLIP and its training; the defaults are the bundled teacher's."""

    image_size: int = 48
    patch_size: int = 8
    vision_width: int = 128
    vision_layers: int = 4
    text_width: int = 128
    text_layers: int = 2
    heads: int = 4
    embedding_width: int = 96
    vocabulary_size: int = 1024
    longest_text: int = 32
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=4000,
            batch_size=64,  # numbers of the source, each with its pairs
            optimiser=OptimiserConfig("muon", learning_rate=3e-3, weight_decay=0.05, beta2=0.98),
        )
    )

    def __post_init__(self) -> None:
        """Raises `ConfigError` for sizes that no CLIP can have, and for micro-batches."""
        self.loop.check_whole_batches()
        for name in ("image_size", "patch_size", "vision_width", "vision_layers", "text_width", "text_layers", "heads",
                     "embedding_width", "vocabulary_size", "longest_text"):  # fmt: skip
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, not {getattr(self, name)}.")
        check_vocabulary_size(self.vocabulary_size)
        if self.image_size % self.patch_size:
            raise ConfigError(f"image_size must be a multiple of patch_size, {self.patch_size}, not {self.image_size}.")
        if self.vision_width % self.heads or self.text_width % self.heads:
            raise ConfigError(f"vision_width and text_width must be multiples of heads, {self.heads}.")


@dataclass
class PairBatch(Batch):
    """Pixels 0..255, token ids padded with the end token, and a number for each caption, equal for equal captions."""

    images: UInt8[Tensor, "B 3 H W"]
    tokens: Int[Tensor, "B T"]
    captions: Int[Tensor, " B"]


def check_vocabulary_size(size: int) -> None:
    """Raise `ConfigError` if a byte-level BPE with so few tokens cannot encode any text."""
    if size < SMALLEST_VOCABULARY:
        raise ConfigError(f"vocabulary_size must be {SMALLEST_VOCABULARY} or more, not {size}: bytes take that.")


def train_tokenizer(captions: list[str], size: int) -> CLIPTokenizer:
    """A byte-level BPE tokenizer with at most `size` tokens in CLIP's own format; it can encode any text."""
    blank = CLIPTokenizer()
    letters = sorted(ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=size - 2 - len(letters),  # room for both special tokens, and each letter at the end of a word
        initial_alphabet=letters,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = blank.backend_tokenizer.normalizer
    learner.pre_tokenizer = blank.backend_tokenizer.pre_tokenizer
    learner.train_from_iterator(captions, trainer)
    model = json.loads(learner.to_str())["model"]
    known = dict.fromkeys([BEGIN, END, *letters, *(f"{letter}</w>" for letter in letters), *model["vocab"]])
    vocabulary = {token: place for place, token in enumerate(known)}
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in model["merges"]]
    return cast(CLIP, CLIPTokenizer)(vocab=vocabulary, merges=merges)


def text_settings(width: int, layers: int, heads: int, longest: int, tokenizer: CLIPTokenizer) -> dict[str, Any]:
    """The settings of a text tower in the format of `transformers`."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "max_position_embeddings": longest,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "hidden_act": "gelu",
    }


def build_clip(config: TeachConfig, tokenizer: CLIPTokenizer) -> CLIP:
    """An untrained CLIP of `transformers` with the sizes in `config`."""
    text = text_settings(config.text_width, config.text_layers, config.heads, config.longest_text, tokenizer)
    vision = {
        "hidden_size": config.vision_width,
        "intermediate_size": 4 * config.vision_width,
        "num_hidden_layers": config.vision_layers,
        "num_attention_heads": config.heads,
        "image_size": config.image_size,
        "patch_size": config.patch_size,
        "hidden_act": "gelu",  # a fifth faster on a CPU than CLIP's own quick_gelu
    }
    torch.manual_seed(config.loop.seed)
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=config.embedding_width))


def contrastive_loss(
    images: Float[Tensor, "B D"], texts: Float[Tensor, "B D"], captions: Int[Tensor, " B"], scale: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """CLIP's symmetric loss (Radford et al. 2021); all images with the same caption count as correct for it.

    `captions`: numbers, equal for equal captions. `scale`: the factor on cosines.
    """
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    same = (captions[:, None] == captions[None, :]).float()
    truth = same / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2


class Teaching:
    """The objective: CLIP's loss on the pairs of a batch."""

    title = "teach"

    def __init__(
        self, model: CLIP, tokenizer: CLIPTokenizer, processor: CLIPImageProcessorPil, source: Pairs, name: str,
        config: TeachConfig,
    ) -> None:  # fmt: skip
        """`name` identifies the source."""
        self.model, self.tokenizer, self.source, self.name = model, tokenizer, source, name
        self.config, self.loop = config, config.loop
        self.mean = torch.tensor(processor.image_mean).view(3, 1, 1).to(model.device)
        self.std = torch.tensor(processor.image_std).view(3, 1, 1).to(model.device)

    @property
    def settings(self) -> Metrics:
        """The source's name and the config."""
        return {"source": self.name, "teach": without_loop(self.config)}

    def batch(self, step: int) -> PairBatch:
        """The batch of step 0, 1, 2 ...: all pairs of `batch_size` numbers of the source."""
        first = step * self.loop.batch_size
        numbers = range(first, first + self.loop.batch_size)
        drawn = [(n % len(self.source), Random(f"{self.loop.seed}:{n}")) for n in numbers]
        pairs = [(number, *pair) for number, random in drawn for pair in self.source.pairs(number, random)]
        texts = [text for _, _, text in pairs]
        places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        longest = self.config.longest_text
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        return PairBatch(
            torch.stack([to_tensor(image) for _, image, _ in pairs]),
            tokens["input_ids"],
            torch.tensor([places[text] for text in texts]),
            names=[str(number) for number, _, _ in pairs],
        )

    def losses(self, batch: PairBatch, _progress: float, _generator: torch.Generator) -> Iterator[Loss]:
        """The loss of the batch; also logged: accuracy (0..1, images whose nearest caption is theirs) and scale."""
        pixels = (batch.images.float() / 255 - self.mean) / self.std
        images = self.model.get_image_features(pixel_values=pixels).pooler_output.float()
        texts = self.model.get_text_features(input_ids=batch.tokens).pooler_output.float()
        scale = self.model.logit_scale.exp().clamp(max=LARGEST_SCALE)
        logits = F.normalize(images.detach(), dim=-1) @ F.normalize(texts.detach(), dim=-1).T
        right = (batch.captions[logits.argmax(dim=1)] == batch.captions).float().mean()
        loss = contrastive_loss(images, texts, batch.captions, scale)
        yield Loss(loss, {"accuracy": right, "scale": scale.detach()})


def teach(source: Pairs, config: TeachConfig, run: Path, name: str, resume: bool = False) -> CLIP | None:
    """Train a CLIP on `source` and save it, in the format of `transformers`, in the folder `run / "teacher"`.

    The words of the captions are saved beside it (`known_words.txt`). `name` identifies the source: a run cannot be
    resumed with another one. None if the run was interrupted. Raises `TrainingError`, and `ImageError` for an image
    that cannot be read.
    """
    torch.set_float32_matmul_precision("high")
    tokenizer = train_tokenizer(source.captions(), config.vocabulary_size)
    model = build_clip(config, tokenizer)
    if torch.cuda.is_available():
        model.cuda()
    choose_attention(model)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": config.image_size}, crop_size={"height": config.image_size, "width": config.image_size}
    )
    if not train(Teaching(model, tokenizer, processor, source, name, config), run, resume=resume):
        return None
    save_whole(model, tokenizer, processor, run / "teacher")
    save_known_words(run / "teacher", KnownWords(frozenset(source.words())))
    return model

"""Locked-image tuning (LiT, Zhai et al. 2022): a text tower learns to agree with a frozen image tower.

The features of the images are computed once (`tower_features`). Then a text tower in CLIP's format and both projections
are trained on them, with CLIP's loss; every text of an image counts as correct for it. What the image tower knows of
images comes from its pretraining. For an EfficientNet-Lite these are the class labels of ImageNet-1k: it stands in for
a CLIP where none can be had.

Letters: B pair, T token, E width of the tower.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, VisionTextDualEncoderConfig
from transformers import VisionTextDualEncoderModel as DualEncoder

from zeroseg.errors import ConfigError
from zeroseg.files import write_text_atomically
from zeroseg.teacher.image_tower import image_processor
from zeroseg.teacher.teacher import KNOWN_WORDS, choose_attention, save_whole
from zeroseg.teacher.text_encoder import LARGEST_SCALE
from zeroseg.training.batch import Batch
from zeroseg.training.loop import LoopConfig, Loss, Metrics, train, without_loop
from zeroseg.training.optimiser import OptimiserConfig
from zeroseg.training.sampling import numbers_of
from zeroseg.training.teach import matched_loss, text_settings, train_tokenizer
from zeroseg.training.tower_features import Crops, embed_crops
from zeroseg.training.towers import Tower
from zeroseg.training.tuning_sources import (
    Described,
    Source,
    build_sources,
    first_projection,
    is_name,
    words_of,
)  # fmt: skip
from zeroseg.vocabulary import TEMPLATES

LIT = Any  # the annotations of these models in transformers are not correct


@dataclass(frozen=True)
class LockedTuningConfig:
    """The text tower, what the image tower sees, and the training."""

    image_size: int = 224
    """Side in pixels of the images that the image tower is given, in training and later."""
    embedding_width: int = 256
    text_width: int = 256
    text_layers: int = 4
    heads: int = 4
    vocabulary_size: int = 4096
    longest_text: int = 32
    crops: int = 4
    """Random crops of an image that are embedded, beside the whole square."""
    smallest_crop: float = 0.4
    """Fraction of the square's area that a crop shows at least."""
    shares: tuple[float, ...] = ()
    """How much of a batch each folder of pairs makes up, and last the tower's classes, if it has any; () is equal."""
    templates: tuple[str, ...] = TEMPLATES
    """What names are put into; {} is the place of the name. Sentences stay as they are."""
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=3000, batch_size=512, optimiser=OptimiserConfig(learning_rate=1e-3, weight_decay=0.1)
        )
    )

    def __post_init__(self) -> None:
        """Raises `ConfigError` for values that no run can have, and for micro-batches."""
        self.loop.check_whole_batches()
        for name in ("image_size", "embedding_width", "text_width", "text_layers", "heads", "vocabulary_size",
                     "longest_text"):  # fmt: skip
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, not {getattr(self, name)}.")
        if self.text_width % self.heads:
            raise ConfigError(f"text_width must be a multiple of heads, {self.heads}, not {self.text_width}.")
        if self.crops < 0:
            raise ConfigError(f"crops must be 0 or more, not {self.crops}.")
        if not 0 < self.smallest_crop <= 1:
            raise ConfigError(f"smallest_crop must be a fraction above 0, 1 at most, not {self.smallest_crop:g}.")
        if min(self.shares, default=1) < 0 or (self.shares and not sum(self.shares)):
            raise ConfigError("shares must be 0 or more, and not all of them 0.")
        if not self.templates or any(template.count("{}") != 1 for template in self.templates):
            raise ConfigError('every template needs one place for the name, "{}".')


Counting = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""A function from a title and a total to what shows progress: it is called with the number done since its last call."""


@contextmanager
def silently(_title: str, _total: int) -> Generator[Callable[[int], None]]:
    """Show no progress."""
    yield lambda _: None


@dataclass
class TextBatch(Batch):
    """Features of images, and for each the tokens of one of its texts, padded with the end token."""

    features: Float[Tensor, "B E"]
    tokens: Int[Tensor, "B T"]
    right: Bool[Tensor, "B B"]
    """Which texts (columns) are texts of which images (rows)."""


class TextSide(nn.Module):
    """The parts of a LiT that are trained. They are shared with the whole model."""

    def __init__(self, model: LIT) -> None:
        super().__init__()
        self.text_model, self.text_projection = model.text_model, model.text_projection
        self.visual_projection, self.logit_scale = model.visual_projection, model.logit_scale


class LockedTuning:
    """The objective: CLIP's loss between features of images and texts, in which all texts of an image are correct."""

    title = "tune"

    def __init__(
        self, dual: LIT, tokenizer: CLIPTokenizer, sources: Sequence[Source], name: str, config: LockedTuningConfig
    ) -> None:
        """`name` identifies tower and pairs."""
        self.dual, self.tokenizer, self.name = dual, tokenizer, name
        self.sources = sources
        self.model = TextSide(dual)
        self.config, self.loop = config, config.loop
        self.shares = split_batch(self.loop.batch_size, config.shares or (1.0,) * len(self.sources))

    @property
    def settings(self) -> Metrics:
        """Tower and pairs, and the config."""
        return {"source": self.name, "tuning": without_loop(self.config)}

    def batch(self, step: int) -> TextBatch:
        """The batch of step 0, 1, 2 ...: of each source its share, a random crop and a random text of each image."""
        random = Random(f"{self.loop.seed}:{step}")
        features: list[Tensor] = []
        texts: list[str] = []
        owned: list[frozenset[str]] = []
        for number, (source, share) in enumerate(zip(self.sources, self.shares, strict=True)):
            for n in numbers_of(step, share, len(source.texts), self.loop.seed + number):
                features.append(source.features[n, random.randrange(source.features.shape[1])])
                texts.append(random.choice(source.texts[n]))
                owned.append(frozenset(source.texts[n]))
        said = [random.choice(self.config.templates).format(text) if is_name(text) else text for text in texts]
        longest = self.config.longest_text
        tokens = self.tokenizer(said, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        right = torch.tensor([[text in own for text in texts] for own in owned])
        return TextBatch(torch.stack(features).float(), tokens["input_ids"], right, names=texts)

    def losses(self, batch: TextBatch, _progress: float, _generator: torch.Generator) -> Iterator[Loss]:
        """The loss of the batch; also logged: accuracy (0..1, images whose nearest text is one of theirs) and scale."""
        images = self.dual.visual_projection(batch.features).float()
        texts = self.dual.get_text_features(input_ids=batch.tokens).pooler_output.float()
        scale = self.dual.logit_scale.exp().clamp(max=LARGEST_SCALE)
        cosines = F.normalize(images.detach(), dim=-1) @ F.normalize(texts.detach(), dim=-1).T
        accuracy = batch.right.gather(1, cosines.argmax(dim=1, keepdim=True)).float().mean()
        yield Loss(matched_loss(images, texts, batch.right, scale), {"accuracy": accuracy, "scale": scale.detach()})


def tune(
    tower: Tower,
    pairs: Sequence[Described],
    config: LockedTuningConfig,
    run: Path,
    resume: bool = False,
    counting: Counting = silently,
) -> LIT | None:
    """Tune a text tower to `tower` and save both, in the format of `transformers`, in the folder `run / "teacher"`.

    `pairs`: the images of each folder with their texts (`captioned.read_described`). `counting` shows how far the
    images are embedded; their features stay in `run / "features"`. None if the run was interrupted. Raises
    `TeacherError` for a tower without pooled output, `ConfigError` for sizes or shares that do not fit it, `ImageError`
    for an image that cannot be read, and `TrainingError`.
    """
    torch.set_float32_matmul_precision("high")
    _check(tower, len(pairs), config)
    images = [path for some in pairs for path, _ in some]
    with counting("embedding", len(images)) as progress:
        crops = Crops(config.image_size, config.crops, config.smallest_crop, config.loop.seed)
        features = embed_crops(tower, images, crops, run / "features", progress)
    sources = build_sources(tower, pairs, features)
    texts = [text for source in sources for several in source.texts for text in several]
    tokenizer = train_tokenizer(texts, config.vocabulary_size)
    dual = build_lit(tower, tokenizer, config)
    with torch.no_grad():
        dual.visual_projection.weight.copy_(first_projection(sources, config.embedding_width))
    listed = hashlib.sha256("\n".join([*map(str, images), *texts]).encode()).hexdigest()[:16]
    if not train(LockedTuning(dual, tokenizer, sources, f"{tower.fingerprint} {listed}", config), run, resume=resume):
        return None
    processor = image_processor(list(tower.mean), list(tower.std), config.image_size)
    save_whole(dual, tokenizer, processor, run / "teacher")
    words = sorted(words_of([*texts, *(template.format("") for template in config.templates)]))
    write_text_atomically(run / "teacher" / KNOWN_WORDS, "".join(f"{word}\n" for word in words))
    return dual


def _check(tower: Tower, folders: int, config: LockedTuningConfig) -> None:
    """Raise an error for a config that does not fit tower and pairs, before anything is embedded."""
    tower.check(config.image_size)
    if config.embedding_width > tower.width:
        raise ConfigError(f"embedding_width must be {tower.width} at most, the tower's, not {config.embedding_width}.")
    wanted = folders + (tower.classes is not None)
    if config.shares and len(config.shares) != wanted:
        raise ConfigError(
            f"shares needs {wanted} numbers, one for each folder of pairs and one for the tower's classes if it has "
            f"any, not {len(config.shares)}."
        )


def build_lit(tower: Tower, tokenizer: CLIPTokenizer, config: LockedTuningConfig) -> LIT:
    """A LiT of `transformers` with the given tower and an untrained text tower, on the tower's device."""
    settings = text_settings(config.text_width, config.text_layers, config.heads, config.longest_text, tokenizer)
    text = CLIPTextConfig(**settings)
    torch.manual_seed(config.loop.seed)
    make: LIT = VisionTextDualEncoderConfig
    whole = make.from_vision_text_configs(tower.model.config, text, projection_dim=config.embedding_width)
    dual: LIT = DualEncoder(whole, tower.model, CLIPTextModel(text)).to(tower.model.device)
    choose_attention(dual)
    return dual


def split_batch(size: int, shares: Sequence[float]) -> list[int]:
    """How many of `size` samples each share gets; rounding is made up for in the ones after it."""
    ends = torch.tensor(shares, dtype=torch.float64).cumsum(0) / sum(shares) * size
    edges = [0, *(round(end) for end in ends.tolist())]
    return [end - start for start, end in pairwise(edges)]

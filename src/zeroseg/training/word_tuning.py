"""What a text tower learns from features of images whose labels are known: the objective of `locked_tuning`.

Letters: B named image, W word, T token, Q photo with sentences, V view, G group of labels, K kind, E width of the
tower, N image of any kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import CLIPTokenizer

from zeroseg.errors import ConfigError
from zeroseg.training.batch import Batch
from zeroseg.training.labels import caption_words
from zeroseg.training.loop import LoopConfig, Loss, Metrics, without_loop
from zeroseg.training.optimiser import OptimiserConfig
from zeroseg.training.sampling import numbers_of
from zeroseg.training.teach import check_vocabulary_size
from zeroseg.training.tuning_sources import Source
from zeroseg.training.word_losses import kinds_apart, label_cross_entropy, views_explained

LIT = Any  # the annotations of these models in transformers are not correct


@dataclass(frozen=True)
class LockedTuningConfig:
    """The text tower, what the image tower sees, and the training."""

    image_size: int = 160
    """Side in pixels of the images that the image tower is given, in training and later."""
    embedding_width: int = 256
    whitening: float = 0.25
    """Power of the variance by which principal components are divided: 0 keeps their variances, .5 makes them equal."""
    scale: float = 12.0
    """The factor on cosines. It is not learned: it would grow to 35, and far fewer crops of photos would be named right
    (.65 in place of .74, mean over classes)."""
    text_width: int = 192
    text_layers: int = 3
    heads: int = 4
    vocabulary_size: int = 3072
    longest_text: int = 32
    crops: int = 9
    """Random crops of a named image that are embedded, beside the whole square."""
    smallest_crop: float = 0.25
    """Fraction of the square's area that a crop shows at least."""
    views: int = 20
    """Random crops of a photo with sentences that are embedded, beside the whole square."""
    smallest_view: float = 0.04
    """Fraction of the square's area that such a crop shows at least."""
    shares: tuple[float, ...] = ()
    """How much of a batch of names each folder of pairs makes up, and last the tower's classes, if it has any; () is
    equal. A folder without named images has no share."""
    photos_at_once: int = 48
    """Photos with sentences in a step."""
    views_at_once: int = 12
    """Views of each of them in a step."""
    sentences: float = 1.0
    """Weight of their loss."""
    kinds: float = 0.25
    """Weight of the distance between words for kinds of stuff and the word for it: a woman is a person, too. The few
    photos that show a kind alone do not say so."""
    words_at_once: int = 512
    """Words in a step at least: the labels of its images, and random other ones."""
    templates: tuple[str, ...] = ("{}", "{}", "a {}", "the {}", "a photo of a {}", "a picture of a {}")
    """What words are put into; {} is the place of the word."""
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=1200, batch_size=256, optimiser=OptimiserConfig(learning_rate=1e-3, weight_decay=0.1)
        )
    )

    def __post_init__(self) -> None:
        """Raises `ConfigError` for values that no run can have, and for micro-batches."""
        self.loop.check_whole_batches()
        for name in ("image_size", "embedding_width", "text_width", "text_layers", "heads", "vocabulary_size",
                     "longest_text", "photos_at_once", "views_at_once", "words_at_once"):  # fmt: skip
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, not {getattr(self, name)}.")
        check_vocabulary_size(self.vocabulary_size)
        if self.text_width % self.heads:
            raise ConfigError(f"text_width must be a multiple of heads, {self.heads}, not {self.text_width}.")
        self._check_fractions()
        if min(self.shares, default=1) < 0 or (self.shares and not sum(self.shares)):
            raise ConfigError("shares must be 0 or more, and not all of them 0.")
        if not self.templates or any(template.count("{}") != 1 for template in self.templates):
            raise ConfigError('every template needs one place for the name, "{}".')

    def _check_fractions(self) -> None:
        for name in ("crops", "views", "sentences", "kinds", "whitening"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} must be 0 or more, not {getattr(self, name):g}.")
        for name in ("smallest_crop", "smallest_view"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be a fraction above 0, 1 at most, not {getattr(self, name):g}.")
        if not 0 < self.scale < math.inf:
            raise ConfigError(f"scale must be above 0, not {self.scale:g}.")


@dataclass
class WordBatch(Batch):
    """Features of named images and of photos with sentences, the tokens of words, and which are labels of which."""

    features: Float[Tensor, "B E"]
    labels: Bool[Tensor, "B W"]
    whole: Bool[Tensor, " B"]
    """Which are the whole square of an image: not a crop, and not a class."""
    views: Float[Tensor, "Q V E"]
    said: Bool[Tensor, "Q W"]
    """Which words are labels of which photos."""
    groups: Float[Tensor, "Q G W"]
    """Of each word of a photo's sentences the labels, with equal weights that add up to 1; 0 after the last word."""
    kinds: Int[Tensor, "K 2"]
    """Words for kinds of stuff, and the word for that stuff."""
    stuff: Bool[Tensor, " W"]
    """Which words name things that are in many images whose name does not say so."""
    tokens: Int[Tensor, "W T"]
    """Padded with the end token."""


class TextSide(nn.Module):
    """The text tower of a LiT, shared with the whole model, and the frozen projection of images."""

    def __init__(self, model: LIT) -> None:
        super().__init__()
        self.text_model, self.text_projection = model.text_model, model.text_projection
        self.visual_projection = model.visual_projection.requires_grad_(False)
        self.nothing = nn.Parameter(torch.zeros((), device=model.device))
        """The cosine that a view has with "none of all words"; learned."""


class WordTuning:
    """The objective: words for named images, and images for words; a label of its photo, or none, for each view."""

    title = "tune"

    def __init__(
        self, dual: LIT, tokenizer: CLIPTokenizer, named: Sequence[Source], photos: Source | None, images: int,
        name: str, config: LockedTuningConfig,
    ) -> None:  # fmt: skip
        """`named`: each folder's named images, then the classes if there are any; `images` of them are folders.

        `photos`: those with sentences. `name` identifies tower and pairs.
        """
        self.dual, self.tokenizer, self.name = dual, tokenizer, name
        self.named, self.photos, self.images = named, photos, images
        self.model = TextSide(dual)
        self.config, self.loop = config, config.loop
        sources = [*named, *([] if photos is None else [photos])]
        self.words = sorted({label for source in sources for labels in source.labels for label in labels})
        self.kinds = [pair for pair in caption_words().kinds if set(pair) <= set(self.words)]
        weights = config.shares or (1.0,) * len(named)
        weights = [share if source.labels else 0.0 for share, source in zip(weights, named, strict=True)]
        self.shares = split_batch(self.loop.batch_size, weights)

    @property
    def settings(self) -> Metrics:
        """Tower and pairs, and the config."""
        return {"source": self.name, "tuning": without_loop(self.config)}

    def batch(self, step: int) -> WordBatch:
        """The batch of step 0, 1, 2 ...: of each source its share with one view each, photos with several, and words.

        Half of the named images are seen whole.
        """
        random = Random(f"{self.loop.seed}:{step}")
        features: list[Tensor] = []
        owned: list[tuple[str, ...]] = []
        whole: list[bool] = []
        for number, (source, share) in enumerate(zip(self.named, self.shares, strict=True)):
            for n in numbers_of(step, share, len(source.labels), self.loop.seed + number) if share else ():
                view = random.randrange(source.features.shape[1]) if random.random() < 0.5 else 0
                features.append(source.features[n, view])
                owned.append(source.labels[n])
                whole.append(view == 0 and number < self.images)
        views, drawn = self._views(step, random)
        said = [self.photos.labels[n] for n in drawn] if self.photos else []
        needed = [*owned, *said, *self.kinds]
        words = self._draw_words({label for labels in needed for label in labels}, random)
        places = {word: place for place, word in enumerate(words)}
        put = [random.choice(self.config.templates).format(word) for word in words]
        longest, stuff = self.config.longest_text, caption_words().stuff
        tokens = self.tokenizer(put, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        width = views.shape[2]
        return WordBatch(
            torch.stack(features).float() if features else torch.zeros(0, width),
            _marked(owned, places),
            torch.tensor(whole, dtype=torch.bool),
            views,
            _marked(said, places),
            _grouped([self.photos.groups[n] for n in drawn] if self.photos else [], places),
            torch.tensor([[places[kind], places[of]] for kind, of in self.kinds], dtype=torch.long).view(-1, 2),
            torch.tensor([word in stuff for word in words]),
            tokens["input_ids"],
            names=[labels[0] for labels in [*owned, *said]],
        )

    def _views(self, step: int, random: Random) -> tuple[Float[Tensor, "Q V E"], list[int]]:
        """The photos of a step: features of some of their views, and their numbers."""
        if self.photos is None:
            return torch.zeros(0, 1, self.model.visual_projection.in_features), []
        features, labels = self.photos.features, self.photos.labels
        drawn = numbers_of(
            step, min(self.config.photos_at_once, len(labels)), len(labels), self.loop.seed + len(self.named)
        )
        count = min(self.config.views_at_once, features.shape[1])
        views = [features[n, random.sample(range(features.shape[1]), count)] for n in drawn]
        return torch.stack(views).float(), list(drawn)

    def _draw_words(self, labels: set[str], random: Random) -> list[str]:
        others = [word for word in self.words if word not in labels]
        wanted = self.config.words_at_once - len(labels)
        return sorted([*labels, *random.sample(others, min(max(wanted, 0), len(others)))])

    def losses(self, batch: WordBatch, _progress: float, _generator: torch.Generator) -> Iterator[Loss]:
        """The loss of the batch; also logged: its parts, and the accuracy of whole named images.

        Accuracy: 0..1, the nearest word is one of the image's; stuff that its name does not say is left out.
        """
        texts = self.dual.get_text_features(input_ids=batch.tokens).pooler_output
        with torch.autocast(texts.device.type, enabled=False):  # the common part of features is large
            words = F.normalize(texts.float(), dim=-1)
            project, scale = self.model.visual_projection, self.config.scale
            named = scale * F.normalize(project(batch.features), dim=-1) @ words.T
            views = scale * F.normalize(project(batch.views), dim=-1) @ words.T
            unnamed, unsaid = batch.stuff & ~batch.labels, batch.stuff & ~batch.said
            things = ~batch.stuff
            nowhere = torch.zeros_like(batch.labels.T[things])
            parts = {
                "named": label_cross_entropy(named, batch.labels, unnamed),
                "words": label_cross_entropy(named.T[things], batch.labels.T[things], nowhere),
                "views": views_explained(views, batch.groups, unsaid, scale * self.model.nothing)
                if len(batch.views) else words.new_zeros(()),
                "kinds": kinds_apart(words, batch.kinds),
            }  # fmt: skip
        loss = parts["named"] + parts["words"]
        loss = loss + self.config.sentences * parts["views"] + self.config.kinds * parts["kinds"]
        nearest = named.detach().masked_fill(unnamed, -math.inf).argmax(dim=1, keepdim=True)
        right = batch.labels.gather(1, nearest)[:, 0] & batch.whole
        accuracy = right.sum() / batch.whole.sum().clamp(min=1)
        yield Loss(loss, {name: part.detach() for name, part in parts.items()} | {"accuracy": accuracy})


def _marked(owned: Sequence[tuple[str, ...]], places: Mapping[str, int]) -> Bool[Tensor, "N W"]:
    """Which words (columns, by their `places`) are labels of which images (rows)."""
    marked = torch.zeros(len(owned), len(places), dtype=torch.bool)
    for row, labels in zip(marked, owned, strict=True):
        row[[places[label] for label in labels]] = True
    return marked


def _grouped(owned: Sequence[tuple[tuple[str, ...], ...]], places: Mapping[str, int]) -> Float[Tensor, "Q G W"]:
    """The weights of the labels of each group of each photo."""
    weights = torch.zeros(len(owned), max(map(len, owned), default=0), len(places))
    for photo, groups in zip(weights, owned, strict=True):
        for row, labels in zip(photo, groups, strict=False):
            row[[places[label] for label in labels]] = 1 / len(labels)
    return weights


def split_batch(size: int, shares: Sequence[float]) -> list[int]:
    """How many of `size` samples each share gets, none if all are 0; rounding is made up for in the ones after it."""
    if not sum(shares):
        return [0] * len(shares)
    ends = torch.tensor(shares, dtype=torch.float64).cumsum(0) / sum(shares) * size
    edges = [0, *(round(end) for end in ends.tolist())]
    return [end - start for start, end in pairwise(edges)]

"""What a text tower is tuned on: features of images, the texts of each, and the classes of a classifier as more images.

Letters: N image, R crop, K class, E width of the tower, D embedding width.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float16
from torch import Tensor

from zeroseg.training.imagenet_words import all_words, imagenet_words, words_by_name
from zeroseg.training.towers import Tower

LONGEST_NAME = 3  # words: longer texts are sentences, unless the table of ImageNet's classes has them
ARTICLES = ("a", "an", "the")

Described = Sequence[tuple[Path, tuple[str, ...]]]
"""Images with all their texts."""


@dataclass(frozen=True)
class Source:
    """A folder of images, or the classes of a tower: features, and all texts of each image."""

    features: Float16[Tensor, "N R E"]
    texts: Sequence[tuple[str, ...]]


def build_sources(tower: Tower, pairs: Sequence[Described], features: Float16[Tensor, "N R E"]) -> list[Source]:
    """Each folder of pairs, and last the tower's classes if it has any.

    A text that is the name of a class of ImageNet brings its synonyms and hypernyms.
    """
    parts = features.split([len(some) for some in pairs])
    sources = [
        Source(part, [with_other_words(texts) for _, texts in some]) for part, some in zip(parts, pairs, strict=True)
    ]
    if tower.classes is not None:
        placed = classes_as_features(tower.classes.cpu(), features[:, 0].float())
        sources.append(Source(placed.half()[:, None], [words.all for words in imagenet_words()]))
    return sources


def classes_as_features(classes: Float[Tensor, "K E"], features: Float[Tensor, "N E"]) -> Float[Tensor, "K E"]:
    """The rows of a classifier as features of typical images: the mean feature, plus a deviation of the usual size.

    `features`: of images, whose mean and deviation are taken.
    """
    mean = features.mean(dim=0)
    usual = (features - mean).norm(dim=-1).mean()
    return mean + usual * F.normalize(classes - classes.mean(dim=0), dim=-1)


def first_projection(sources: Sequence[Source], width: int) -> Float[Tensor, "D E"]:
    """The initial projection of images: the `width` leading principal components of all features.

    The direction of their mean is taken out, because all images have it in common and a projection has no bias.
    """
    whole = torch.cat([source.features[:, 0] for source in sources]).float()
    mean = whole.mean(dim=0)
    direction = F.normalize(mean, dim=0)
    deviations = whole - mean
    deviations -= (deviations @ direction)[:, None] * direction
    return torch.linalg.eigh(deviations.T @ deviations)[1].flip(1)[:, :width].T


def with_other_words(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Texts with the other words for those that are names of classes of ImageNet."""
    known = words_by_name()
    others = [word for text in texts if text.lower() in known for word in known[text.lower()].all]
    return tuple(dict.fromkeys([*texts, *others]))


def is_name(text: str) -> bool:
    """Whether a text is a name, for templates: a word for a class of ImageNet, or a few words without an article."""
    words = text.lower().split()
    return text.lower() in all_words() or (len(words) <= LONGEST_NAME and words[0] not in ARTICLES)


def words_of(texts: Sequence[str]) -> set[str]:
    """All words in texts, in lower case."""
    return {word for text in texts for word in re.findall(r"\w+", text.lower())}

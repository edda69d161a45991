"""What a text tower is tuned on: features of images with their labels, and the classes of a classifier as more images.

Letters: N image, R crop, K class, E width of the tower, D embedding width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float16
from torch import Tensor

from zeroseg.errors import DatasetError
from zeroseg.training.imagenet_words import imagenet_words
from zeroseg.training.labels import groups_of_sentences, is_name, labels_of_name
from zeroseg.training.towers import Tower

AT_ONCE = 4096  # features whose products are added up at once
SMALLEST_VARIANCE = 1e-6  # of the largest: components with less are scaled as if they had this

Described = Sequence[tuple[Path, tuple[str, ...]]]
"""Images with all their texts."""
Labelled = Sequence[tuple[Path, tuple[str, ...]]]
"""Images with their labels."""
Grouped = Sequence[tuple[Path, tuple[tuple[str, ...], ...]]]
"""Photos with the labels of each word of their sentences."""


@dataclass(frozen=True)
class Source:
    """Images of one kind, or the classes of a tower: features, and the labels of each image."""

    features: Float16[Tensor, "N R E"]
    """The whole square of each image, then its crops."""
    labels: Sequence[tuple[str, ...]]
    groups: Sequence[tuple[tuple[str, ...], ...]] = ()
    """Of photos with sentences: the labels of each word."""

    @classmethod
    def of_photos(cls, features: Float16[Tensor, "N R E"], groups: Sequence[tuple[tuple[str, ...], ...]]) -> Source:
        """Photos with sentences, whose labels are those of all their words."""
        return cls(features, [tuple(dict.fromkeys(label for some in own for label in some)) for own in groups], groups)


def named_images(pairs: Described) -> Labelled:
    """The images of a folder whose texts are all names, with their labels."""
    named = [(path, texts) for path, texts in pairs if all(map(is_name, texts))]
    return [(path, tuple(dict.fromkeys(label for text in texts for label in labels_of_name(text))))
            for path, texts in named]  # fmt: skip


def sentence_photos(pairs: Described) -> Grouped:
    """The images of a folder that have a sentence, with their labels; those without any label are left out."""
    photos = [(path, groups_of_sentences(texts)) for path, texts in pairs if not all(map(is_name, texts))]
    return [(path, groups) for path, groups in photos if groups]


def check_labels(named: Sequence[Labelled], photos: Grouped) -> None:
    """Raise `DatasetError` if no image has a label."""
    if not photos and not any(named):
        raise DatasetError(
            "none of the texts says what an image shows in words that are known: write names (dog, car side) or "
            "sentences with common nouns."
        )


def class_source(tower: Tower) -> list[Source]:
    """The classes of a tower as images whose labels are known; none if it has no classifier.

    The features are the rows of the classifier without their mean: the direction of each class in the tower's features.
    """
    if tower.classes is None:
        return []
    rows = tower.classes.cpu().float()
    rows = F.normalize(rows - rows.mean(dim=0), dim=-1)
    labels = [tuple(dict.fromkeys(word.lower() for word in words.all)) for words in imagenet_words()]
    return [Source(rows.half()[:, None], labels)]


def first_projection(sources: Sequence[Source], width: int, whitening: float) -> Float[Tensor, "D E"]:
    """The projection of images: the `width` leading principal components of the features of all crops.

    The direction of their mean is taken out first, because all images have it in common and a projection has no bias:
    the mean is projected to 0. Each component is multiplied by its variance (of the first one's) to the power
    -`whitening`: with .5 all would have the same variance, with 0 those of large variance would decide all cosines.
    """
    whole = torch.cat([source.features.flatten(0, 1) for source in sources])
    mean = torch.stack([some.double().sum(dim=0) for some in whole.split(AT_ONCE)]).sum(dim=0) / len(whole)
    direction = F.normalize(mean, dim=0)
    products = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for some in whole.split(AT_ONCE):
        deviations = (some.double() - mean).float()
        products += (deviations.T @ deviations).double()
    without = torch.eye(len(mean), dtype=torch.float64) - direction[:, None] * direction
    variances, components = torch.linalg.eigh(without @ products @ without)
    variances, components = variances.flip(0)[:width], components.flip(1)[:, :width]
    relative = (variances / variances[0]).clamp(min=SMALLEST_VARIANCE)
    return (components * relative**-whitening).T.float()

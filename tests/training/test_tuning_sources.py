"""What a text tower is tuned on: images with labels, classes as images, and the projection of images."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.tiny import image_tower
from zeroseg.errors import DatasetError
from zeroseg.training.imagenet_words import imagenet_words
from zeroseg.training.towers import Tower
from zeroseg.training.tuning_sources import (
    Source,
    check_labels,
    class_source,
    first_projection,
    named_images,
    sentence_photos,
)

PAIRS = [
    (Path("a"), ("dog", "Dalmatian")),
    (Path("b"), ("dog", "A dog runs on the grass .")),
    (Path("c"), ("It is a very quiet morning .",)),
]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_an_image_is_named_if_all_its_texts_are_names():
    ((path, labels),) = named_images(PAIRS)
    assert path == Path("a")
    assert set(labels) == {"dog", "animal", "pet", "dalmatian", "dalmatian dog"}
    assert len(labels) == len(set(labels))


def test_photos_without_a_known_word_are_left_out():
    ((path, groups),) = sentence_photos(PAIRS)
    assert path == Path("b")
    assert set(groups) == {("dog", "animal"), ("grass",)}
    (labels,) = Source.of_photos(torch.zeros(1, 1, 1).half(), [groups]).labels
    assert sorted(labels) == ["animal", "dog", "grass"]


def test_texts_that_say_nothing_are_refused():
    check_labels([[], named_images(PAIRS)], [])
    check_labels([[]], sentence_photos(PAIRS))
    with pytest.raises(DatasetError, match=r"^none of the texts says what an image shows"):
        check_labels([named_images(PAIRS[2:])], sentence_photos(PAIRS[2:]))


def test_classes_are_images_in_the_direction_of_their_rows():
    model, rows = image_tower("vit"), noise(1000, 32) + 2
    assert class_source(Tower("vit", model, (0.5,) * 3, (0.5,) * 3)) == []
    (source,) = class_source(Tower("vit", model, (0.5,) * 3, (0.5,) * 3, rows))
    assert source.features.shape == (1000, 1, 32)
    assert source.labels[0] == imagenet_words()[0].all
    assert all(label == label.lower() for labels in source.labels for label in labels)
    wanted = F.normalize(rows - rows.mean(dim=0), dim=1)
    torch.testing.assert_close(source.features[:, 0].float(), wanted, atol=1e-3, rtol=0)


def spread_features() -> tuple[torch.Tensor, torch.Tensor]:
    """300 images with 2 crops, which differ in two directions, 4 and 1, beside a large common part; the directions."""
    basis = torch.linalg.qr(noise(8, 8, seed=2))[0]
    amounts = noise(300, 2, 2, seed=3) * torch.tensor([4.0, 1.0])
    return 10 * basis[0] + amounts @ basis[1:3], basis[:3]


@pytest.mark.parametrize(("whitening", "ratio"), [(0.0, 1.0), (0.25, 2.0), (0.5, 4.0)])
def test_components_are_partially_whitened_and_the_common_part_is_dropped(whitening: float, ratio: float):
    """Deviations of 4 and 1: the smaller one is lifted by (4 / 1) ** (2 whitening)."""
    features, (common, one, other) = spread_features()
    sources = [Source(features[:200].half(), [("a",)] * 200), Source(features[200:].half(), [("b",)] * 100)]
    projection = first_projection(sources, 2, whitening)
    assert projection.shape == (2, 8)
    assert float((projection @ common).norm()) < 0.05
    assert float((projection @ features.flatten(0, 1).mean(dim=0)).norm()) < 0.01
    assert float((projection @ one).norm()) == pytest.approx(1, abs=0.03)
    assert float((projection @ other).norm()) == pytest.approx(ratio, rel=0.1)
    torch.testing.assert_close(projection[0] @ projection[1], torch.tensor(0.0), atol=1e-4, rtol=0)


def test_components_without_variance_stay_finite():
    features, _ = spread_features()
    projection = first_projection([Source(features.half(), [("a",)] * 300)], 7, 0.25)
    assert float(projection.norm(dim=1).max()) < 32


def test_crops_count():
    """Crops that differ where the whole squares do not decide the first component."""
    features = torch.zeros(50, 3, 8)
    features[..., 0] = 10  # the common part, which is dropped
    features[:, 0, 1], features[:, 1:, 2] = noise(50), 5 * noise(50, 2, seed=1)
    projection = first_projection([Source(features.half(), [("a",)] * 50)], 1, 0.25)
    assert abs(float(projection[0, 2])) > 0.9

"""What a text tower is tuned on: words for names, classes as images, and the projection that training starts from."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.tiny import image_tower
from zeroseg.training.imagenet_words import imagenet_words
from zeroseg.training.towers import Tower
from zeroseg.training.tuning_sources import (
    Source,
    build_sources,
    classes_as_features,
    first_projection,
    is_name,
    with_other_words,
    words_of,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("text", ["dog", "Tench", "great white shark", "sulphur-crested cockatoo", "car side"])
def test_names(text: str):
    assert is_name(text)


@pytest.mark.parametrize("text", ["a dog", "The dog runs", "Two dogs are running", "A man ."])
def test_sentences(text: str):
    assert not is_name(text)


def test_a_name_of_imagenet_brings_its_other_words():
    words = imagenet_words()[0]
    assert with_other_words(("Tench",)) == ("Tench", *words.all)
    assert with_other_words(("a tench in the water", "wardrobe thing")) == ("a tench in the water", "wardrobe thing")


def test_words_are_lower_case_without_punctuation():
    assert words_of(["A red dog , running .", "sulphur-crested Cockatoo"]) == {
        "a", "red", "dog", "running", "sulphur", "crested", "cockatoo",
    }  # fmt: skip


def test_classes_lie_where_images_lie():
    features = noise(200, 8) + 5
    placed = classes_as_features(noise(1000, 8, seed=1) + 2, features)
    torch.testing.assert_close(placed.mean(dim=0), features.mean(dim=0), atol=0.2, rtol=0)
    away = (placed - features.mean(dim=0)).norm(dim=-1)
    torch.testing.assert_close(away, (features - features.mean(dim=0)).norm(dim=-1).mean().expand(1000))


def test_the_first_projection_keeps_what_differs_and_drops_what_is_common():
    """Features that differ in two directions, beside a large common part: both directions are kept, it is not."""
    basis = torch.linalg.qr(noise(8, 8, seed=2))[0]
    common, one, other = basis[0], basis[1], basis[2]
    amounts = noise(300, 2, seed=3)
    features = 10 * common + amounts[:, :1] * one + 0.5 * amounts[:, 1:] * other
    sources = [Source(features[:200, None].half(), [("a",)] * 200), Source(features[200:, None].half(), [("b",)] * 100)]
    projection = first_projection(sources, 2)
    assert projection.shape == (2, 8)
    torch.testing.assert_close(projection @ projection.T, torch.eye(2), atol=1e-4, rtol=0)
    assert float((projection @ common).norm()) < 0.05
    assert float((projection @ one).norm()) == pytest.approx(1, abs=0.01)
    assert float((projection @ other).norm()) == pytest.approx(1, abs=0.01)


def test_each_folder_is_a_source_and_the_classes_are_the_last():
    features = noise(5, 3, 32).half()
    pairs = [[(Path("a"), ("dog",)), (Path("b"), ("cat",))], [(Path(name), ("a tree",)) for name in "cde"]]
    model = image_tower("vit")
    alone = build_sources(Tower("vit", model, (0.5,) * 3, (0.5,) * 3), pairs, features)
    assert [source.texts for source in alone] == [[("dog",), ("cat",)], [("a tree",)] * 3]
    assert torch.equal(alone[1].features, features[2:])
    tower = Tower("vit", model, (0.5,) * 3, (0.5,) * 3, noise(1000, 32))
    *same, classes = build_sources(tower, pairs, features)
    assert len(same) == 2
    assert classes.features.shape == (1000, 1, 32)
    assert classes.texts[0] == imagenet_words()[0].all
    nearest = F.cosine_similarity(classes.features[7, 0].float() - features[:, 0].float().mean(dim=0), noise(1000, 32))
    assert int(nearest.argmax()) == 7

"""What networks make of images and words: batches are their pictures one by one, words are embedded once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import get_args

import pytest
import torch

from tests.tiny import LITE_STUDENT, PATCH_STUDENT, STUDENT, photo, student, teacher
from zeroseg.baselines import BaselineName, open_baseline
from zeroseg.encoding import KEPT, Encoded, ImageEncoder, StudentEncoder, WordEmbedder
from zeroseg.errors import WeightsError
from zeroseg.images import to_tensor
from zeroseg.rules import NoBackground
from zeroseg.segmenter import Segmenter
from zeroseg.student import StudentConfig
from zeroseg.student.config import ReadOut
from zeroseg.teacher import Teacher

SIZES = [(60, 90), (48, 72)]  # of the pictures, before they were resized


def pixels_of(count: int, height: int = 32, width: int = 48) -> torch.Tensor:
    return torch.stack([to_tensor(photo(width, height, seed)).float() / 255 for seed in range(count)])


def assert_alike(one: Encoded, other: Encoded) -> None:
    assert (one.grid, one.size) == (other.grid, other.size)
    for part in ("image", "patches", "segments", "masks", "mean"):
        ours, theirs = getattr(one, part), getattr(other, part)
        assert (ours is None) == (theirs is None), part
        if ours is not None:
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def assert_batches_are_pictures_one_by_one(encoder: ImageEncoder) -> None:
    pixels = pixels_of(2)
    with torch.inference_mode():
        together = encoder.encode(pixels, SIZES)
        alone = [encoder.encode(pixels[n : n + 1], [SIZES[n]])[0] for n in range(2)]
    assert len(together) == 2
    for one, other, size in zip(together, alone, SIZES, strict=True):
        assert one.size == size
        assert_alike(one, other)


@pytest.mark.parametrize("config", [STUDENT, PATCH_STUDENT, LITE_STUDENT], ids=["paper", "ours", "lite"])
def test_a_student_sees_a_batch_as_one_by_one(config: StudentConfig):
    encoder = StudentEncoder(student(config))
    assert_batches_are_pictures_one_by_one(encoder)
    first, second = encoder.encode(pixels_of(2), SIZES)
    assert not torch.allclose(first.image, second.image, atol=1e-2)  # so the agreement says something


@pytest.mark.parametrize("name", get_args(BaselineName))
def test_every_baseline_sees_a_batch_as_one_by_one(name: BaselineName):
    assert_batches_are_pictures_one_by_one(open_baseline(name, teacher()))


def test_similarities_are_cosines_of_regions_and_last_of_the_picture():
    with torch.inference_mode():
        (encoded,) = StudentEncoder(student(PATCH_STUDENT)).encode(pixels_of(1), SIZES[:1])
    encoded = replace(encoded, mean=0.1 * torch.ones_like(encoded.image))
    words = teacher().embed_texts(["dog", "sky"]).double()
    for keep_mean in (True, False):
        found = encoded.similarities(words.float(), ReadOut("segments", keep_mean=keep_mean))
        assert encoded.segments is not None
        regions = torch.cat([encoded.segments, encoded.image[None]]).double() - (0.0 if keep_mean else 0.1)
        for ours, region in zip(found, regions, strict=True):
            for cosine, word in zip(ours.tolist(), words, strict=True):
                assert cosine == pytest.approx(100 * float(region @ word / region.norm() / word.norm()), abs=1e-2)


def test_regions_that_a_network_does_not_have():
    (encoded,) = StudentEncoder(student(STUDENT)).encode(pixels_of(1), SIZES[:1])
    assert encoded.count("segments") == STUDENT.segment_tokens[1]
    with pytest.raises(WeightsError, match="this model has no patches to name"):
        encoded.regions("patches")


# --- words ------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the teacher is asked to embed, call by call."""
    calls: list[list[str]] = []
    embed = Teacher.embed_texts
    monkeypatch.setattr(Teacher, "embed_texts", lambda self, texts: calls.append(list(texts)) or embed(self, texts))
    return calls


def test_an_embedding_is_the_mean_over_the_templates():
    found = WordEmbedder(teacher())(["dog", "a {} cat"], ["a photo of a {}", "{}"])
    for ours, word in zip(found, ["dog", "a {} cat"], strict=True):
        one, other = (teacher().embed_texts([text])[0] for text in (f"a photo of a {word}", word))
        torch.testing.assert_close(ours, (one + other) / 2, atol=1e-5, rtol=1e-4)


def test_three_readings_of_a_segmenter_embed_words_once(asked: list[list[str]]):
    ours = Segmenter.of(student(PATCH_STUDENT), teacher())
    readings = [ours, ours.reading(naming="segments"), ours.reading(background=NoBackground(), refinement=1)]
    for reading in readings:
        reading(photo(), "dog, cat")
    assert len(asked) == 1
    ours.reading(background_words=("sea",))(photo(), "dog, cat")
    assert len(asked) == 2


def test_templates_and_order_make_another_list(asked: list[list[str]]):
    embedder = WordEmbedder(teacher())
    for words, templates in ((["dog", "cat"], ["{}"]), (["cat", "dog"], ["{}"]), (["dog", "cat"], ["a {}"])):
        embedder(words, templates)
        embedder(tuple(words), tuple(templates))
    assert asked == [["dog", "cat"], ["cat", "dog"], ["a dog", "a cat"]]


def test_the_list_that_was_longest_not_asked_for_is_forgotten(asked: list[list[str]]):
    embedder = WordEmbedder(teacher())
    for number in range(KEPT):
        embedder([f"word {number}"], ["{}"])
    embedder(["word 0"], ["{}"])  # known: now the latest
    embedder(["one more"], ["{}"])  # word 1 has to go
    assert len(asked) == KEPT + 1
    embedder(["word 0"], ["{}"])
    assert len(asked) == KEPT + 1
    embedder(["word 1"], ["{}"])
    assert len(asked) == KEPT + 2


def test_eight_threads_share_one_embedding(asked: list[list[str]]):
    embedder, together = WordEmbedder(teacher()), threading.Barrier(8)

    def embed(_: int) -> torch.Tensor:
        together.wait()
        return embedder(["dog", "cat"], ["{}"])

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(embed, range(8)))
    assert len(asked) == 1
    assert all(one is found[0] for one in found)

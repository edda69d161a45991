"""The upper bound: the same student body learning from true masks."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import LITE_STUDENT, PATCH_STUDENT, STUDENT, student, teacher
from zeroseg.errors import ConfigError
from zeroseg.student import Student
from zeroseg.training.loop import LoopConfig
from zeroseg.training.mask_supervision import (
    MaskSupervision,
    MaskSupervisionConfig,
    class_fractions,
    square,
    supervise_with_masks,
)

LOOP = LoopConfig(steps=60, batch_size=4, workers=0, precision="fp32")
COLOURS = ((220, 30, 30), (30, 60, 220))


class Halves:
    """Pictures of which one half is red and the other blue, and a frame that counts for nothing."""

    def __len__(self) -> int:
        return 8

    def labelled(self, number: int) -> tuple[Image.Image, np.ndarray]:
        truth = np.zeros((32, 32), np.uint8)
        if number % 2:
            truth[:, 16:] = 1
        else:
            truth[16:] = 1
        image = Image.fromarray(np.array(COLOURS, np.uint8)[truth])
        truth[0] = 255
        return image, truth


def test_fractions_are_those_counted_by_hand():
    truth = torch.tensor([[[0, 0, 1, 1], [0, 255, 1, 1], [2, 2, 255, 255], [2, 1, 255, 255]]], dtype=torch.uint8)
    assert class_fractions(truth, 2, 3).tolist() == [[[0.75, 0, 0], [0, 1, 0], [0, 0.25, 0.75], [0, 0, 0]]]


def test_the_square_of_a_picture_and_of_its_ids_are_the_same_square():
    ids = np.zeros((40, 60), np.uint8)
    ids[:, 30:] = 7
    image = Image.fromarray(np.where(ids[..., None] == 7, 255, 0).astype(np.uint8).repeat(3, axis=2))
    pixels, truth = square(image, ids, 20)
    assert pixels.shape == (3, 20, 20)
    assert set(truth.unique().tolist()) == {0, 7}
    assert torch.equal(truth == 7, pixels[0] > 127)


def test_masks_are_learnt(tmp_path: Path):
    config = MaskSupervisionConfig(
        student=PATCH_STUDENT, flips=True, loop=replace(LOOP, optimiser=replace(LOOP.optimiser, learning_rate=3e-3))
    )
    words = teacher().embed_texts(["red", "blue"])
    assert supervise_with_masks(Halves(), words, config, tmp_path / "run", "halves", teacher(), quiet=True) is not None
    assert Student.from_pretrained(tmp_path / "run/student").config.text_fingerprint == teacher().text_fingerprint
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["accuracy"] > 0.95
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]


def test_a_convolutional_student_learns_from_masks(tmp_path: Path):
    optimiser = replace(LOOP.optimiser, learning_rate=3e-3)
    config = MaskSupervisionConfig(student=LITE_STUDENT, loop=replace(LOOP, steps=12, optimiser=optimiser))
    words = teacher().embed_texts(["red", "blue"])
    assert supervise_with_masks(Halves(), words, config, tmp_path / "run", "halves", teacher(), quiet=True) is not None
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["loss"] < 0.7 * rows[0]["loss"]


def test_a_student_without_patch_embeddings_cannot_learn_from_masks():
    with pytest.raises(ConfigError, match="patch_head"):
        MaskSupervisionConfig(student=STUDENT)


class Ragged(Halves):
    """The same with more or less of a frame, so that images count for different areas, and one for nothing."""

    def labelled(self, number: int) -> tuple[Image.Image, np.ndarray]:
        image, truth = super().labelled(number)
        truth[: 4 * (number + 1)] = 255
        return image, truth


@pytest.mark.parametrize("micro_batches", [3, 4, 8])
def test_gradients_of_micro_batches_add_up_to_those_of_the_batch(micro_batches: int):
    words = teacher().embed_texts(["red", "blue"]).clone()

    def summed(count: int) -> dict[str, torch.Tensor]:
        loop = replace(LOOP, batch_size=8, micro_batches=count)
        config = MaskSupervisionConfig(student=PATCH_STUDENT, mask_ratio=0.4, flips=True, loop=loop)
        trained = student(PATCH_STUDENT)
        objective = MaskSupervision(trained, config, Ragged(), "ragged", words, 10.0)
        total: dict[str, torch.Tensor] = {}
        for loss in objective.losses(objective.batch(0), 0.0, torch.Generator().manual_seed(0)):
            loss.value.backward()
            for name, value in {"loss": loss.value.detach(), **loss.diagnostics()}.items():
                total[name] = total[name] + value if name in total else value
        return total | {name: weight.grad for name, weight in trained.named_parameters() if weight.grad is not None}

    whole, split = summed(1), summed(micro_batches)
    assert whole.keys() == split.keys()
    largest = max(float(value.abs().max()) for value in whole.values())
    for name, value in whole.items():
        torch.testing.assert_close(split[name], value, rtol=1e-4, atol=1e-6 * largest)

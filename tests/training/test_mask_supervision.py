"""The ceiling: the same student body learning from true masks."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import PATCH_STUDENT, STUDENT, teacher
from zeroseg.errors import ConfigError
from zeroseg.training.loop import LoopConfig
from zeroseg.training.mask_supervision import MaskSupervisionConfig, class_shares, square, supervise_with_masks

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


def test_shares_are_those_counted_by_hand():
    truth = torch.tensor([[[0, 0, 1, 1], [0, 255, 1, 1], [2, 2, 255, 255], [2, 1, 255, 255]]], dtype=torch.uint8)
    assert class_shares(truth, 2, 3).tolist() == [[[0.75, 0, 0], [0, 1, 0], [0, 0.25, 0.75], [0, 0, 0]]]


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
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["accuracy"] > 0.95
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]


def test_a_student_without_patch_embeddings_cannot_learn_from_masks():
    with pytest.raises(ConfigError, match="patch_head"):
        MaskSupervisionConfig(student=STUDENT)

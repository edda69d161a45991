"""The student as a whole: what its embeddings are made of, and which sizes cannot be built."""

from dataclasses import replace

import pytest
import torch

from tests.tiny import PATCH_STUDENT, STUDENT, student
from zeroseg.errors import ConfigError
from zeroseg.student.config import ReadOut, StudentConfig

MEANS = replace(PATCH_STUDENT, segment_embedding="mean")


def images(config: StudentConfig, count: int = 2) -> torch.Tensor:
    shape = (count, 3, config.image_size, config.image_size)
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_segments_can_be_the_mean_of_their_patches():
    with torch.no_grad():
        output = student(MEANS)(images(MEANS))
    assert output.patches is not None
    for image in range(2):
        for segment, mask in enumerate(output.masks[image]):
            mean = (
                sum(float(share) * patch for share, patch in zip(mask, output.patches[image], strict=True)) / mask.sum()
            )
            torch.testing.assert_close(output.segments[image, segment], mean, atol=1e-5, rtol=1e-4)


def test_what_is_asked_of_mean_segments_moves_masks_and_no_patch_embedding():
    model = student(MEANS)
    model(images(MEANS)).segments.square().sum().backward()
    assert model.groupings[1].query.weight.grad is not None
    assert bool(model.groupings[1].query.weight.grad.any())
    assert all(weight.grad is None for weight in model.patch_projection.parameters())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"segment_embedding": "mean", "patch_head": False}, "need patch_head"),
        ({"read_out": ReadOut(refinement=-1)}, "refinement must be 0 rounds or more"),
    ],
)
def test_students_that_cannot_be_built(changes: dict[str, object], words: str):
    with pytest.raises(ConfigError, match=words):
        replace(STUDENT, **changes)

"""The student as a whole: what its embeddings are made of, and which sizes cannot be built."""

from dataclasses import replace

import pytest
import torch

from tests.tiny import PATCH_STUDENT, STUDENT, student
from zeroseg.errors import ConfigError
from zeroseg.student import Student
from zeroseg.student.config import StudentConfig

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


def test_a_segment_without_any_patch_is_a_mean_of_nothing_and_not_nan():
    """A decided assignment leaves exact zeros: in one run the loss was not finite from then on."""
    model = student(MEANS)
    second = model.groupings[1]
    second.register_forward_hook(
        lambda _module, _inputs, output: (output[0], output[1] * torch.tensor([1.0, 1.0, 0.0])[:, None])
    )
    segments = model(images(MEANS)).segments
    assert not bool(segments[:, 2].any())
    assert bool(segments.isfinite().all())
    segments.sum().backward()
    gradients = [weight.grad for weight in model.groupings.parameters() if weight.grad is not None]
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_what_is_asked_of_mean_segments_moves_masks_and_no_patch_embedding():
    model = student(MEANS)
    model(images(MEANS)).segments.square().sum().backward()
    gradient = model.get_parameter("groupings.1.query.weight").grad
    assert gradient is not None
    assert bool(gradient.any())
    assert all(weight.grad is None for weight in model.patch_projection.parameters())


def test_segments_that_go_the_global_tokens_way_are_taught_by_it():
    """GroupViT's: what is asked of the global token alone gives the segments their names, too."""
    config = replace(STUDENT, segment_embedding="global")
    model, shown = student(config), images(config)
    before = model(shown).segments.detach()
    wanted = torch.ones(config.embedding_width)
    optimiser = torch.optim.SGD(model.global_projection.parameters(), lr=0.1)
    for _ in range(20):
        optimiser.zero_grad()
        (model(shown).image - wanted).square().mean().backward()
        optimiser.step()
    after = model(shown).segments.detach()
    assert (after - wanted).square().mean() < 0.5 * (before - wanted).square().mean()
    assert not [name for name, _ in model.named_parameters() if name.startswith("segment_projection")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"segment_embedding": "mean", "patch_head": False}, "need patch_head"),
    ],
)
def test_students_that_cannot_be_built(changes: dict[str, object], words: str):
    with pytest.raises(ConfigError, match=words):
        replace(STUDENT, **changes)


def spread(weight: torch.Tensor) -> float:
    return float(weight.detach().std())


def test_wide_students_start_with_groupvits_spread_and_narrow_ones_with_a_larger_one():
    """.02, also in mixers, whose inputs are only the group tokens; up to a width of 256 the inverse root of it."""
    wide = Student(replace(STUDENT, width=320, heads=4, layers=1, segment_tokens=(64, 32)))
    narrow = Student(replace(STUDENT, width=64, heads=4, layers=1, segment_tokens=(64, 32)))
    for name in ("mix_groups.mlp.first", "mix_groups.mlp.second", "query", "out_mlp.first"):
        found = wide.get_parameter(f"groupings.0.{name}.weight")
        assert spread(found) == pytest.approx(0.02, rel=0.1), name
    for name, inputs in (("mix_groups.mlp.first", 64), ("mix_groups.mlp.second", 32), ("query", 64)):
        found = narrow.get_parameter(f"groupings.0.{name}.weight")
        assert spread(found) == pytest.approx(inputs**-0.5, rel=0.15), name

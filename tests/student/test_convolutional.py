"""The convolutional encoder: what its tokens are made of, any size, and what of it is trained."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from tests.tiny import LITE_STUDENT, pixels_of
from zeroseg import precision
from zeroseg.efficientnet_lite import EfficientNetLite
from zeroseg.errors import ConfigError
from zeroseg.student import Student, StudentConfig
from zeroseg.student.convolutional import FINE_SCALE, ConvolutionalEncoder
from zeroseg.student.encoder import gather


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is rounded to bfloat16, whatever this machine has."""
    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: False)


def encoder_of(model: Student) -> ConvolutionalEncoder:
    assert isinstance(model.encoder, ConvolutionalEncoder)
    return model.encoder


def first(config: StudentConfig = LITE_STUDENT) -> Student:
    """An untrained student, whose tower lets pictures through."""
    torch.manual_seed(0)
    return Student(config).eval()


@pytest.mark.parametrize("size", [(64, 64), (48, 80), (16, 32)])
def test_a_token_is_a_projection_of_both_maps_beside_each_other(size: tuple[int, int]):
    """As one linear layer over all 1,392 channels, with the coarse map upsampled first. Token by token, row by row."""
    encoder = encoder_of(first())
    images = encoder.normalise(pixels_of(*size, count=2))
    weight = torch.cat([encoder.from_fine.weight * FINE_SCALE, encoder.from_last.weight], dim=1)
    with torch.no_grad():
        fine, last = encoder.tower(images)
        both = torch.cat([fine, F.interpolate(last, size=fine.shape[-2:], mode="bilinear")], dim=1)
        tokens = encoder(images)
        assert tokens.shape == (2, size[0] * size[1] // 256, LITE_STUDENT.width)
        for row in range(size[0] // 16):
            for column in range(size[1] // 16):
                x = both[:, :, row, column] @ weight.T + encoder.from_fine.bias + encoder.from_last.bias
                expected = encoder.norm(x)
                torch.testing.assert_close(tokens[:, row * size[1] // 16 + column], expected, atol=1e-4, rtol=1e-4)
    assert float((tokens[0] - tokens[1]).abs().mean()) > 0.1  # so the agreement says something


def test_kept_tokens_are_those_of_the_whole_image():
    encoder = encoder_of(first())
    images, keep = encoder.normalise(pixels_of(64, 64, count=2)), torch.tensor([[0, 3, 9], [1, 2, 15]])
    with torch.no_grad():
        torch.testing.assert_close(encoder(images, keep), gather(encoder(images), keep))


def test_pixels_are_normalised_as_in_the_towers_pretraining():
    values = torch.tensor([0, 127, 255.0]).view(1, 3, 1, 1).expand(1, 3, 16, 16) / 255
    normalised = encoder_of(first()).normalise(values)
    torch.testing.assert_close(normalised[0, :, 0, 0], torch.tensor([-127 / 128, 0.0, 1.0]), atol=1e-6, rtol=0)


def test_a_student_is_read_at_sizes_that_it_was_not_trained_at():
    """No tensor depends on the training size."""
    model, larger = first(), Student(replace(LITE_STUDENT, image_size=96))
    larger.load_state_dict(model.state_dict(), strict=True)
    with torch.no_grad():
        output = larger.eval()(pixels_of(48, 112))
        assert torch.equal(output.masks, model(pixels_of(48, 112)).masks)
    assert output.masks.shape == (1, 3, 21)


def test_settings_of_a_vit_have_no_effect():
    one = first()
    other = first(replace(LITE_STUDENT, layers=7, activation="quick_gelu", input_norm=True))
    assert one.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in one.state_dict().items())


def test_first_weights_let_pictures_through_all_blocks():
    """Two pictures differ as much behind the last convolution as a random network can tell them apart."""
    encoder = encoder_of(first())
    with torch.no_grad():
        _, last = encoder.tower(encoder.normalise(pixels_of(64, 64, count=2)))
    assert float(last.std()) > 0.1
    assert float((last[0] - last[1]).abs().mean()) > 0.01


def test_another_patch_size_is_refused():
    with pytest.raises(ConfigError, match="patch_size must be 16 for efficientnet_lite0"):
        replace(LITE_STUDENT, patch_size=8)


# --- what is trained --------------------------------------------------------------------------------


def trained(encoder: ConvolutionalEncoder) -> set[str]:
    """The parts of the tower that get a gradient; projections and norm always do."""
    encoder(encoder.normalise(pixels_of(32, 32))).square().sum().backward()
    with_gradient = {name for name, weight in encoder.named_parameters() if weight.grad is not None}
    assert with_gradient == {name for name, weight in encoder.named_parameters() if weight.requires_grad}
    new = {name for name in with_gradient if not name.startswith("tower.")}
    assert {name.split(".")[0] for name in new} == {"from_fine", "from_last", "norm"}
    return {name.removeprefix("tower.").rsplit(".", 2)[0] for name in with_gradient - new}


@pytest.mark.parametrize(("blocks", "expected"), [(0, set()), (2, {"blocks.14", "blocks.15", "last"})])
def test_only_the_last_blocks_are_trained(blocks: int, expected: set[str]):
    encoder = encoder_of(first()).train()
    encoder.train_last(blocks)
    parts = {name if name.startswith("blocks") else name.split(".")[0] for name in trained(encoder)}
    assert parts == expected


def test_all_blocks_are_the_whole_encoder():
    encoder = encoder_of(first())
    encoder.train_last(0)
    encoder.train_last(LITE_STUDENT.encoder_blocks)
    assert len(encoder.tower.blocks) == LITE_STUDENT.encoder_blocks == 16
    assert all(weight.requires_grad for weight in encoder.parameters())


def test_frozen_blocks_are_not_recorded():
    """Backward through depthwise convolutions is slow: the graph begins at the first block that is trained."""
    encoder, recorded = encoder_of(first()).train(), list[bool]()

    def record(_block: object, _inputs: object, output: torch.Tensor) -> None:
        recorded.append(output.requires_grad)

    encoder.train_last(5)
    for block in encoder.tower.blocks:
        block.register_forward_hook(record)
    encoder(encoder.normalise(pixels_of(32, 32)))
    assert recorded == [False] * 11 + [True] * 5


def test_the_pretrained_weights_are_those_of_a_tower():
    encoder, tower = encoder_of(first()), EfficientNetLite()
    assert encoder.pretrained().keys() == encoder.from_tower(tower.state_dict()).keys()
    assert all(encoder.get_parameter(name) is weight for name, weight in encoder.pretrained().items())


# --- precision --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("training", "loop", "dtype"),
    [
        (False, False, torch.bfloat16),  # at inference always
        (True, True, torch.bfloat16),
        (True, False, torch.float32),  # a run in full precision
    ],
)
def test_the_tower_has_mixed_precision_unless_the_run_has_not(
    training: bool, loop: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: True)
    encoder, found = encoder_of(first()).train(training), list[torch.dtype]()
    encoder.tower.last.register_forward_hook(lambda _, __, out: found.append(out.dtype))
    images = encoder.normalise(pixels_of(32, 32))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=loop):
        tokens = encoder(images)
    assert found == [dtype]
    assert tokens.dtype == torch.float32


def test_mixed_precision_changes_tokens_little(monkeypatch: pytest.MonkeyPatch):
    encoder = encoder_of(first())
    images = encoder.normalise(pixels_of(64, 64))
    with torch.no_grad():
        exact = encoder(images)
        monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: True)
        rounded = encoder(images)
    assert 0 < float((rounded - exact).norm() / exact.norm()) < 0.1

"""Leaving patches out and putting them back, positions, and the encoder of an MAE under our names."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import ViTMAEConfig, ViTMAEForPreTraining, ViTMAEModel

from tests.tiny import STUDENT, shake, student
from zeroseg.student import StudentConfig
from zeroseg.student.encoder import (
    Attention,
    Encoder,
    attend,
    gather,
    random_keep,
    resize_positions,
    scatter,
    sine_positions,
)  # fmt: skip
from zeroseg.student.model import patch_pixels
from zeroseg.student.weights import encoder_from_mae


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- leaving out and putting back -------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(images=st.integers(1, 4), patches=st.integers(1, 30), mask_ratio=st.floats(0, 0.99), seed=st.integers(0, 1000))
def test_scattered_patches_stand_where_they_were(images: int, patches: int, mask_ratio: float, seed: int):
    keep = random_keep(images, patches, mask_ratio, generator(seed))
    tokens, filler = random(images, patches, 3, seed=seed), torch.full((1, 1, 3), 7.0)
    kept = gather(tokens, keep)
    full = scatter(kept, keep, filler, patches)
    for b in range(images):
        for k, place in enumerate(keep[b].tolist()):
            assert torch.equal(kept[b, k], tokens[b, place])
        for p in range(patches):
            expected = tokens[b, p] if p in keep[b].tolist() else filler[0, 0]
            assert torch.equal(full[b, p], expected)
    assert torch.equal(gather(full, keep), kept)


@settings(max_examples=50, deadline=None)
@given(images=st.integers(1, 4), patches=st.integers(1, 200), mask_ratio=st.floats(0, 0.99), seed=st.integers(0, 1000))
def test_random_keep_gives_different_patch_numbers_in_order(images: int, patches: int, mask_ratio: float, seed: int):
    keep = random_keep(images, patches, mask_ratio, generator(seed))
    count = keep.shape[1]
    assert keep.shape[0] == images
    assert count == max(1, int(patches * (1 - mask_ratio)))  # rounded down, as in MAE
    assert bool((keep[:, 1:] > keep[:, :-1]).all())
    assert 0 <= int(keep.min()) <= int(keep.max()) < patches


def test_paper_keeps_78_of_196_patches():
    """40 % are seen; of the picturebook's 144, 57."""
    assert random_keep(1, 196, 0.6, generator()).shape == (1, 78)
    assert random_keep(1, 144, 0.6, generator()).shape == (1, 57)


def test_random_keep_is_the_generators_and_every_patch_has_the_same_chance():
    first = random_keep(4000, 10, 0.6, generator(5))
    assert torch.equal(first, random_keep(4000, 10, 0.6, generator(5)))
    assert not torch.equal(first, random_keep(4000, 10, 0.6, generator(6)))
    frequency = torch.bincount(first.flatten(), minlength=10) / 4000
    assert float((frequency - 0.4).abs().max()) < 0.04  # five standard deviations
    assert len(first.unique(dim=0)) > 150  # of 210 possible choices: images do not share one


def test_keeping_all_patches_is_not_masking():
    model = student()
    images, everything = torch.rand(2, 3, 32, 32, generator=generator()), torch.arange(16).expand(2, -1)
    with torch.no_grad():
        kept, whole = model(images, everything), model(images)
    for ours, theirs in ((kept.tokens, whole.tokens), (kept.segments, whole.segments), (kept.masks, whole.masks)):
        torch.testing.assert_close(ours, theirs)


def test_dropped_patches_do_not_reach_the_encoder():
    """What the reconstruction has to guess must be unseen."""
    encoder = student().encoder
    images = torch.rand(1, 3, 32, 32, generator=generator())
    changed = images.clone()
    changed[:, :, :8, :8] = 1 - changed[:, :, :8, :8]  # patch 0
    without, with_it = torch.arange(1, 16)[None], torch.arange(0, 15)[None]
    with torch.no_grad():
        assert torch.equal(encoder(images, without), encoder(changed, without))
        assert not torch.allclose(encoder(images, with_it), encoder(changed, with_it))


def test_kept_patches_keep_their_positions():
    """Two patches with the same pixels at different places are told apart, and follow the order of `keep`."""
    encoder = student().encoder
    flat = torch.full((1, 3, 32, 32), 0.3)
    with torch.no_grad():
        one, other = encoder(flat, torch.tensor([[2, 9]])), encoder(flat, torch.tensor([[9, 2]]))
    torch.testing.assert_close(one, other.flip(1))
    assert not torch.allclose(one[:, 0], one[:, 1])


# --- what is trained --------------------------------------------------------------------------------


def test_only_the_last_layers_and_the_last_norm_are_trained():
    encoder = student(replace(STUDENT, layers=3)).encoder
    encoder.train_last(1)
    encoder(torch.rand(1, 3, 32, 32, generator=generator())).square().sum().backward()
    trained = {name for name, weight in encoder.named_parameters() if weight.grad is not None}
    assert trained == {name for name in encoder.pretrained() if name.startswith(("blocks.2.", "norm."))}


def test_no_layer_is_nothing_and_all_layers_are_the_whole_encoder():
    encoder = student(replace(STUDENT, layers=3)).encoder
    encoder.train_last(0)
    assert not any(weight.requires_grad for weight in encoder.parameters())
    encoder.train_last(3)
    assert all(weight.requires_grad for weight in encoder.parameters())


# --- positions --------------------------------------------------------------------------------------


def test_positions_at_the_training_size_are_untouched():
    positions = random(1, 16, 5)
    assert resize_positions(positions, 4, 4) is positions


@pytest.mark.parametrize(("h", "w"), [(6, 9), (2, 2), (4, 8), (8, 4)])
def test_positions_are_interpolated_bicubically_row_by_row(h: int, w: int):
    positions = random(1, 16, 5)
    expected = F.interpolate(positions.view(1, 4, 4, 5).movedim(-1, 1), size=(h, w), mode="bicubic")
    ours = resize_positions(positions, h, w)
    assert ours.shape == (1, h * w, 5)
    for row in range(h):
        for column in range(w):
            torch.testing.assert_close(ours[0, row * w + column], expected[0, :, row, column])


def test_constant_positions_stay_constant_and_a_slope_keeps_its_direction():
    torch.testing.assert_close(resize_positions(torch.ones(1, 16, 2), 7, 5), torch.ones(1, 35, 2))
    across = torch.arange(4.0).repeat(4)[None, :, None]  # grows with the column
    larger = resize_positions(across, 6, 8)[0, :, 0].view(6, 8)
    assert bool((larger[:, 1:] > larger[:, :-1]).all())
    torch.testing.assert_close(larger[0], larger[5])


def test_patches_are_numbered_row_by_row_everywhere():
    """The pixels to reconstruct and the encoder's tokens must agree on which patch is which."""
    images = torch.zeros(1, 3, 32, 32)
    images[:, :, 8:16, 24:32] = 1  # row 1, column 3 of the 4 x 4 grid
    pixels = patch_pixels(images, 8)
    assert pixels.shape == (1, 16, 192)
    assert (pixels - pixels[:, :1]).abs().sum(dim=2)[0].nonzero().flatten().tolist() == [7]
    encoder = student().encoder
    assert isinstance(encoder, Encoder)
    embedded = encoder.embedding(images).flatten(2).transpose(1, 2)
    assert (embedded - embedded[:, :1]).abs().sum(dim=2)[0].nonzero().flatten().tolist() == [7]


def test_attention_is_torchs_multi_head_attention():
    ours, theirs = Attention(8, 2), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    shake(ours, seed=1)
    parts = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
        queries, tokens = random(2, 3, 8), random(2, 7, 8, seed=1)
        torch.testing.assert_close(ours(queries, tokens), theirs(queries, tokens, tokens)[0])


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_attention_and_its_gradients_are_those_of_float64(
    plain: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
):
    """Plain products and torch's fused kernel alike; queries and keys differ in number, as in grouping."""
    monkeypatch.setattr("zeroseg.student.encoder.plain_attention", lambda _: plain)
    leaves = [random(2, 3, count, 8, seed=count).to(dtype).requires_grad_() for count in (5, 7, 9)]
    queries, keys, values = leaves[0], leaves[1], leaves[2][:, :, :7]
    out = attend(queries, keys, values)
    out.float().square().sum().backward()
    exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
    logits = torch.einsum("bhkd,bhnd->bhkn", exact[0], exact[1]) / 8**0.5
    expected = torch.einsum("bhkn,bhnd->bhkd", logits.exp() / logits.exp().sum(dim=3, keepdim=True), exact[2][:, :, :7])
    expected.square().sum().backward()
    tolerance = 0.05 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(out.double(), expected, atol=tolerance, rtol=tolerance)
    for leaf, truth in zip(leaves, exact, strict=True):
        assert leaf.grad is not None
        assert truth.grad is not None
        torch.testing.assert_close(leaf.grad.double(), truth.grad, atol=tolerance, rtol=tolerance)


# --- positions ----------------------------------------------------------------------------------------


def test_sine_positions_say_column_and_row():
    """MAE's formula, channel by channel, in float64; in MAE the column comes first."""
    side, width = 5, 16
    ours = sine_positions(side, width)[0].reshape(side, side, width)
    for row in range(side):
        for column in range(side):
            expected = [
                wave(place / 10_000 ** (k / (width // 4)))
                for place in (column, row)
                for wave in (math.sin, math.cos)
                for k in range(width // 4)
            ]
            np.testing.assert_allclose(ours[row, column], expected, atol=1e-6)


def test_sine_positions_are_fixed_and_not_saved():
    """They are in no file and no optimiser; at other sizes they are interpolated like learned ones."""
    model = student(STUDENT)
    assert not [name for name, _ in model.named_parameters() if "positions" in name]
    assert not [name for name in model.state_dict() if "positions" in name]
    learned = student(replace(STUDENT, positions="learned"))
    with torch.no_grad():
        for part in ("encoder", "decoder"):
            learned.get_parameter(f"{part}.positions").copy_(model.get_buffer(f"{part}.positions"))
        model.load_state_dict({k: v for k, v in learned.state_dict().items() if "positions" not in k}, strict=True)
        wide = random(1, 3, 32, 56)
        torch.testing.assert_close(model(wide).segments, learned(wide).segments, rtol=0, atol=0)


# --- towers of transformers -------------------------------------------------------------------------

SIZES: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip


def ours_of(activation: str, input_norm: bool, layers: int = 3) -> Encoder:
    sizes: dict[str, Any] = {"image_size": 32, "patch_size": 8, "width": 32, "layers": layers, "heads": 4}
    config = StudentConfig(**sizes, positions="learned", activation=cast(Any, activation), input_norm=input_norm)
    return Encoder(config).eval()


def mae_weights(source: str, folder: Path) -> tuple[ViTMAEModel, dict[str, torch.Tensor]]:
    """A random MAE and its weights, under the names that they have in memory or on disk: they differ."""
    config = ViTMAEConfig(**SIZES, hidden_act="gelu", decoder_hidden_size=8, decoder_num_attention_heads=2)
    pretraining = ViTMAEForPreTraining(config).eval()
    shake(pretraining, seed=2)
    theirs = pretraining.vit if source == "encoder in memory" else pretraining
    if source == "file":
        theirs.save_pretrained(folder)
        return pretraining.vit, load_file(folder / "model.safetensors")
    return pretraining.vit, theirs.state_dict()


@pytest.mark.parametrize("source", ["encoder in memory", "whole in memory", "file"])
@pytest.mark.parametrize("mask_ratio", [0.0, 0.6])
def test_encoder_with_maes_weights_is_maes_encoder(source: str, mask_ratio: float, tmp_path: Path):
    """What MAE keeps, handed to our encoder as `keep`, comes out as MAE's; it shuffles its patches, always."""
    theirs, state = mae_weights(source, tmp_path)
    theirs.config.mask_ratio = mask_ratio
    encoder = ours_of("gelu", input_norm=False)
    encoder.load_state_dict(encoder_from_mae(state, layers=3), strict=True)
    pixels, noise = random(2, 3, 32, 32), random(2, 16, seed=9)
    keep = noise.argsort(dim=1)[:, : int(16 * (1 - mask_ratio))]
    with torch.no_grad():
        expected = theirs(pixel_values=pixels, noise=noise).last_hidden_state[:, 1:]
        np.testing.assert_allclose(encoder(pixels, keep), expected, atol=1e-4)
        if mask_ratio == 0:
            in_order = expected.gather(1, noise.argsort(dim=1).argsort(dim=1)[:, :, None].expand(-1, -1, 32))
            np.testing.assert_allclose(encoder(pixels), in_order, atol=1e-4)


def test_decoder_predicts_the_pixels_of_all_patches_from_the_kept_ones():
    model = student()
    keep = torch.tensor([[0, 5, 9]])
    with torch.no_grad():
        tokens = random(1, 3, STUDENT.width)
        predicted = model.reconstruct(tokens, keep)
        other_order = model.reconstruct(tokens[:, [2, 0, 1]], keep[:, [2, 0, 1]])
    assert predicted.shape == (1, 16, 3 * 8 * 8)
    torch.testing.assert_close(predicted, other_order)
    assert not torch.allclose(predicted[0, 1], predicted[0, 2])  # mask tokens at different places differ

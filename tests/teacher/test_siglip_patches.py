"""Patches of a SigLIP, embedded by the value path of its pooling head, against loops over heads and tokens."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.tiny import pixels_of, siglip, siglip_teacher
from zeroseg.baselines import DenseReadOut
from zeroseg.method_names import DenseMethod
from zeroseg.teacher import LastAttention

KINDS = pytest.mark.parametrize("naflex", [False, True], ids=["fixed", "naflex"])
SIZES = [(32, 32), (64, 64), (24, 56)]  # heights and widths; the first is the teacher's own


def tower_tokens(model: Any, pixels: Tensor, layers: slice) -> Tensor:
    """Tokens of one picture before the last layers, patch by patch; positions resized as `transformers` does."""
    vision, (down, across) = model.vision_model, (pixels.shape[2] // 8, pixels.shape[3] // 8)
    normalised = pixels * 2 - 1
    patches = [
        normalised[0, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        for row in range(down)
        for column in range(across)
    ]
    if model.config.model_type == "siglip2":
        values = torch.stack([patch.permute(1, 2, 0).flatten() for patch in patches])[None]
        x = vision.embeddings(values, torch.tensor([[down, across]]))
    else:
        weight, bias = vision.embeddings.patch_embedding.weight, vision.embeddings.patch_embedding.bias
        embedded = torch.stack([(weight * patch).sum(dim=(1, 2, 3)) + bias for patch in patches])[None]
        x = embedded + vision.embeddings.interpolate_pos_encoding(embedded, 8 * down, 8 * across)
    for layer in vision.encoder.layers[layers]:
        x = layer(x, None)
    return x


@KINDS
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("method", ["maskclip", "naclip"])
def test_patches_are_those_of_a_loop_over_heads_and_tokens(method: DenseMethod, height: int, width: int, naflex: bool):
    """Each patch is what the pooling head makes of that patch alone; no class token stands before the patches."""
    model: Any = siglip(naflex=naflex)
    pixels = pixels_of(height, width)
    last, grid = model.vision_model.encoder.layers[-1], (height // 8, width // 8)
    with torch.no_grad():
        x = tower_tokens(model, pixels, slice(None, -1))[0]
        normed, gathered = last.layer_norm1(x), torch.zeros_like(x)
        for head in (slice(0, 16), slice(16, 32)):
            key, value = (
                normed @ part.weight[head].T + part.bias[head]
                for part in (last.self_attn.k_proj, last.self_attn.v_proj)
            )
            for i in range(len(x)):
                logits = key @ key[i] / 4
                for j in range(len(x)):
                    apart = (i // grid[1] - j // grid[1]) ** 2 + (i % grid[1] - j % grid[1]) ** 2
                    logits[j] += np.exp(-apart / 50)
                weights = logits.softmax(0) if method == "naclip" else torch.eye(len(x))[i]
                gathered[i, head] = weights @ value
        y = gathered @ last.self_attn.out_proj.weight.T + last.self_attn.out_proj.bias
        if method == "maskclip":
            y = x + y
            y = y + last.mlp(last.layer_norm2(y))
        alone = model.vision_model.post_layernorm(y)[:, None]
        expected = torch.stack([model.vision_model.head(token[None])[0] for token in alone])
    ours = DenseReadOut(siglip_teacher(naflex=naflex), 32, method).patches(pixels)
    assert ours.shape == (1, len(x), 32)
    np.testing.assert_allclose(ours[0], expected, atol=1e-4)
    assert float(ours.std(dim=1).mean()) > 0.01  # different patches do differ


@KINDS
def test_pooled_by_the_heads_own_attention_the_patches_are_the_image(naflex: bool):
    """The last tokens under the tower's own attention are those that the head pools."""
    seen: list[int] = []

    def attend(last: LastAttention) -> Tensor:
        seen.append(last.class_tokens)
        return F.scaled_dot_product_attention(last.queries(), last.keys(), last.values())

    model: Any = siglip(naflex=naflex)
    pixels = pixels_of(32, 32)
    ours = siglip_teacher(naflex=naflex).patch_embeddings(pixels, attend, keep_residual=True)
    with torch.no_grad():
        tokens = model.vision_model.post_layernorm(tower_tokens(model, pixels, slice(None)))[0]
        expected = torch.stack([model.vision_model.head(token[None, None])[0] for token in tokens])
    np.testing.assert_allclose(ours[0], expected, atol=1e-4)
    assert seen == [0]

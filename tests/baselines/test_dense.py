"""Dense read-outs of a teacher against loops over heads and tokens, in float64."""

from itertools import combinations
from typing import Any, get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.tiny import MEAN, STD, TEACH, clip, photo, pixels_of, teacher
from zeroseg.baselines import READ_OUT, DenseReadOut
from zeroseg.baselines.dense import DenseMethod, neighbourhood
from zeroseg.errors import ConfigError
from zeroseg.segmenter import Segmenter
from zeroseg.student.encoder import resize_positions

METHODS = get_args(DenseMethod)
SIZES = [(32, 32), (64, 64), (48, 32), (24, 56)]  # heights and widths; the first is the teacher's own
PATCH = TEACH.patch_size


def first_layers(model: Any, pixels: Tensor) -> Tensor:
    """Tokens before the last layer, patch by patch: the class token, then the patches row by row."""
    vision = model.vision_model
    embeddings = vision.embeddings
    normalised = (pixels[0].double() - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    rows, columns = (side // PATCH for side in normalised.shape[1:])
    positions = embeddings.position_embedding.weight
    resized = resize_positions(positions[None, 1:], rows, columns)[0]
    tokens = [embeddings.class_embedding + positions[0]]
    for row in range(rows):
        for column in range(columns):
            patch = normalised[:, row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH]
            embedded = (embeddings.patch_embedding.weight * patch).sum(dim=(1, 2, 3))
            tokens.append(embedded + resized[row * columns + column])
    x = vision.pre_layrnorm(torch.stack(tokens))[None]
    for layer in vision.encoder.layers[:-1]:
        x = layer(x, None)
    return x[0]


def naive_weights(method: DenseMethod, i: int, q: Tensor, k: Tensor, columns: int) -> Tensor:
    """How much token i takes of each token in one head."""

    def products(x: Tensor) -> Tensor:
        return torch.stack([x[i] @ x[j] / len(x[i]) ** 0.5 for j in range(len(x))])

    if method == "maskclip":
        return torch.eye(len(q), dtype=q.dtype)[i]
    if method == "sclip":
        return products(q).softmax(0) + products(k).softmax(0)
    if method == "clearclip":
        return products(q).softmax(0)
    logits = products(k)
    for j in range(1, len(k)):
        if i > 0:
            down, across = (i - 1) // columns - (j - 1) // columns, (i - 1) % columns - (j - 1) % columns
            logits[j] += np.exp(-(down**2 + across**2) / (2 * 5.0**2))
    return logits.softmax(0)


def naive_patches(method: DenseMethod, pixels: Tensor) -> Tensor:
    model: Any = clip().double()
    last = model.vision_model.encoder.layers[-1]
    with torch.no_grad():
        x = first_layers(model, pixels)
        normed, attention, width = last.layer_norm1(x), last.self_attn, TEACH.vision_width // TEACH.heads
        gathered = torch.zeros_like(x)
        for head in range(TEACH.heads):
            part = slice(head * width, (head + 1) * width)
            q, k, v = (
                normed @ linear.weight[part].T + linear.bias[part]
                for linear in (attention.q_proj, attention.k_proj, attention.v_proj)
            )
            for i in range(len(x)):
                gathered[i, part] = naive_weights(method, i, q, k, pixels.shape[3] // PATCH) @ v
        y = gathered @ attention.out_proj.weight.T + attention.out_proj.bias
        if method in ("maskclip", "sclip"):
            y = x + y
            y = y + last.mlp(last.layer_norm2(y))
        return model.visual_projection(model.vision_model.post_layernorm(y[1:]))


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("method", METHODS)
def test_patches_are_those_of_a_loop_over_heads_and_tokens(method: DenseMethod, height: int, width: int):
    pixels = pixels_of(height, width)
    ours = DenseReadOut(teacher(), shorter_side=32, method=method).patches(pixels)
    assert ours.shape == (1, height * width // PATCH**2, TEACH.embedding_width)
    np.testing.assert_allclose(ours[0], naive_patches(method, pixels), atol=1e-4)


def test_methods_differ_by_more_than_what_the_loop_is_allowed():
    found = {method: DenseReadOut(teacher(), 32, method).patches(pixels_of(48, 32)) for method in METHODS}
    for one, other in combinations(METHODS, 2):
        assert float((found[one] - found[other]).abs().mean()) > 0.01, (one, other)
    for patches in found.values():
        assert float(patches.std(dim=1).mean()) > 0.01


def clip_with_identity_attention(pixels: Tensor) -> Tensor:
    """The whole tower of `transformers`; in the last layer softmax(q k) is replaced by the identity matrix."""
    model: Any = clip()
    last = model.vision_model.encoder.layers[-1].self_attn

    def attend(hidden_states: Tensor, **_: object) -> tuple[Tensor, None]:
        images, tokens, width = hidden_states.shape
        heads = last.num_heads
        values = last.v_proj(hidden_states).view(images, tokens, heads, width // heads)
        weights = torch.eye(tokens).expand(images, heads, tokens, tokens)
        gathered = torch.einsum("bhqk,bkhd->bqhd", weights, values)
        return last.out_proj(gathered.reshape(images, tokens, width)), None

    last.forward = attend
    normalised = (pixels - teacher().mean) / teacher().std
    with torch.no_grad():
        hidden = model.vision_model(pixel_values=normalised, interpolate_pos_encoding=True).last_hidden_state
        return model.visual_projection(model.vision_model.post_layernorm(hidden[:, 1:]))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_maskclip_is_clip_with_an_identity_for_its_last_attention(height: int, width: int):
    pixels = pixels_of(height, width)
    ours = DenseReadOut(teacher(), shorter_side=32, method="maskclip").patches(pixels)
    np.testing.assert_allclose(ours, clip_with_identity_attention(pixels), atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_no_method_is_plain_clip(method: DenseMethod):
    """With CLIP's own attention the patches come out otherwise."""
    pixels = pixels_of(32, 32)
    model = clip()
    with torch.no_grad():
        hidden = model.vision_model(pixel_values=(pixels - teacher().mean) / teacher().std).last_hidden_state[:, 1:]
        plain = model.visual_projection(model.vision_model.post_layernorm(hidden))
    assert not np.allclose(DenseReadOut(teacher(), 32, method).patches(pixels), plain, atol=1e-2)


def test_a_neighbourhood_is_widest_at_the_patch_itself_and_leaves_the_class_token_alone():
    near = neighbourhood(3, 12, class_tokens=1)
    assert near.shape == (37, 37)
    assert not near[0].any()
    assert not near[:, 0].any()
    torch.testing.assert_close(near, near.T)
    torch.testing.assert_close(near.diagonal()[1:], torch.ones(36))
    # From the first patch: two rows down, and eleven patches across.
    np.testing.assert_allclose(near[1, [25, 12]], [np.exp(-4 / 50), np.exp(-121 / 50)], rtol=1e-5)
    assert torch.equal(neighbourhood(3, 12, class_tokens=0), near[1:, 1:])


@pytest.mark.parametrize("method", METHODS)
def test_pictures_of_a_batch_do_not_mix(method: DenseMethod):
    both = pixels_of(32, 32, 2)
    ours = DenseReadOut(teacher(), 32, method)
    torch.testing.assert_close(ours.patches(both)[1:], ours.patches(both[1:]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_of_any_size_is_encoded(method: DenseMethod):
    """The grid is that of the patches, row by row; the image embedding is the teacher's own."""
    baseline = DenseReadOut(teacher(), 48, method)
    segmenter = Segmenter(baseline, teacher(), READ_OUT)
    encoded = segmenter.encode(photo(100, 60))
    assert encoded.grid == (6, 10)
    assert encoded.size == (60, 100)
    assert encoded.patches is not None
    assert encoded.patches.shape == (60, TEACH.embedding_width)
    pixels = pixels_of(48, 80)
    torch.testing.assert_close(baseline.encode(pixels, [(60, 100)])[0].image, teacher().embed_images(pixels)[0])
    assert F.cosine_similarity(encoded.patches[:-1], encoded.patches[1:]).min() < 0.999
    result = segmenter(photo(100, 60), "dog, cat")
    assert result.size == (100, 60)
    assert result.labels == ("background", "dog", "cat")


def test_bad_arguments_are_one_sentence():
    unchecked = DenseReadOut.__init__.__wrapped__  # beartype, in the tests, would complain first
    with pytest.raises(ConfigError, match=r"^there is no dense read-out 'gem': choose one of maskclip, .*clearclip\.$"):
        unchecked(object.__new__(DenseReadOut), teacher(), 32, "gem")
    with pytest.raises(ConfigError, match=r"^images must be at least 8 pixels wide, a patch of this teacher, not 7\.$"):
        DenseReadOut(teacher(), 7)

"""The yardsticks: MaskCLIP is CLIP with a last layer in which everything attends to itself; crops are crops."""

import copy

import numpy as np
import pytest
import torch

from tests.tiny import photo, teacher
from zeroseg.baselines import READ_OUT, GridCrops, MaskCLIP
from zeroseg.images import to_tensor
from zeroseg.segmenter import Segmenter


def pixels_of(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return to_tensor(photo(width, height, seed))[None].float() / 255


def clip_with_identity_attention(pixels: torch.Tensor) -> torch.Tensor:
    """The whole tower of `transformers`; in the last layer softmax(q k) is replaced by the identity matrix."""
    model = copy.deepcopy(teacher().model)
    last = model.vision_model.encoder.layers[-1].self_attn

    def attend(hidden_states: torch.Tensor, **_: object) -> tuple[torch.Tensor, None]:
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


@pytest.mark.parametrize(("height", "width"), [(32, 32), (48, 40), (64, 64)])
def test_maskclip_is_clip_with_an_identity_for_its_last_attention(height: int, width: int):
    pixels = pixels_of(height, width)
    ours = MaskCLIP(teacher(), shorter_side=32).patches(pixels)
    assert ours.shape == (1, height * width // 64, 16)
    expected = clip_with_identity_attention(pixels)
    np.testing.assert_allclose(ours, expected, atol=1e-4)
    spread = float((expected - expected.mean(dim=1, keepdim=True)).abs().mean())
    assert spread > 0.01  # patches differ, so the agreement says something


def test_maskclip_is_not_plain_clip():
    """With CLIP's own attention the patches come out otherwise: the oracle above can tell."""
    pixels = pixels_of(32, 32)
    vision = teacher().model.vision_model
    with torch.no_grad():
        hidden = vision(pixel_values=(pixels - teacher().mean) / teacher().std).last_hidden_state[:, 1:]
        plain = teacher().model.visual_projection(vision.post_layernorm(hidden))
    assert not np.allclose(MaskCLIP(teacher(), 32).patches(pixels), plain, atol=1e-2)


def test_pictures_of_a_batch_do_not_mix():
    both = torch.cat([pixels_of(32, 32, 0), pixels_of(32, 32, 1)])
    ours = MaskCLIP(teacher(), 32)
    torch.testing.assert_close(ours.patches(both)[1:], ours.patches(both[1:]), atol=1e-5, rtol=1e-4)


def test_maskclip_encodes_a_picture_of_any_size():
    """The grid is that of the patches, row by row; the image embedding is the teacher's own."""
    baseline = MaskCLIP(teacher(), shorter_side=48)
    segmenter = Segmenter(baseline, teacher(), READ_OUT)
    encoded = segmenter.encode(photo(100, 60))
    assert encoded.grid == (6, 10)
    assert encoded.size == (60, 100)
    assert encoded.patches is not None
    assert encoded.patches.shape == (60, 16)
    result = segmenter(photo(100, 60), "dog, cat")
    assert result.size == (100, 60)
    assert result.labels == ("background", "dog", "cat")


def test_grid_crops_are_the_teachers_embeddings_of_the_crops():
    picture = photo(64, 64)
    encoded = Segmenter(GridCrops(teacher(), 64, n=2), teacher(), READ_OUT).encode(picture)
    assert encoded.grid == (2, 2)
    corners = [(0, 0, 32, 32), (32, 0, 64, 32), (0, 32, 32, 64), (32, 32, 64, 64)]
    for box, ours in zip(corners, encoded.patches, strict=True):
        expected = teacher().embed_images(to_tensor(picture.crop(box))[None].float() / 255)[0]
        torch.testing.assert_close(ours, expected, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("size", [(64, 64), (90, 40), (5, 200)])
def test_grid_crops_segment_a_picture_of_any_size(size: tuple[int, int]):
    assert Segmenter(GridCrops(teacher(), 64), teacher(), READ_OUT)(photo(*size), "dog, cat").size == size

"""A CLIP as teacher embeds as `transformers` does, in numbers; its last attention and its text encoder are its own."""

from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPVisionConfig, CLIPVisionModel

from tests.tiny import MEAN, STD, TEACH, clip, clip_folder, photo, pixels_of, shake, teacher, tokenizer
from zeroseg.baselines import DenseReadOut
from zeroseg.student import StudentConfig
from zeroseg.student.encoder import Encoder
from zeroseg.teacher import ClipTeacher, LastAttention, Teacher
from zeroseg.teacher.clip import encoder_tensors, enlarged_positions
from zeroseg.training.teach import train_tokenizer

TEXTS = ["a photo of a dog", "a picture of a cat on grass", "собака", "犬"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_folder(tmp_path_factory.mktemp("clip"))


def test_teacher_from_its_folder_is_the_teacher(folder: Path):
    loaded = Teacher.from_pretrained(folder)
    assert isinstance(loaded, ClipTeacher)
    assert (loaded.size, loaded.patch_size, loaded.width) == (32, 8, 16)
    assert loaded.logit_scale == pytest.approx(1 / 0.07, rel=1e-3)
    assert loaded.logit_bias is None
    assert loaded.parameters == sum(weight.numel() for weight in clip().parameters())
    assert loaded.fingerprint == teacher().fingerprint
    images = pixels_of(32, 32, 3)
    assert torch.equal(loaded.embed_images(images), teacher().embed_images(images))
    assert torch.equal(loaded.embed_texts(TEXTS), teacher().embed_texts(TEXTS))


def test_the_bundled_teacher_keeps_its_fingerprint():
    """Caches and records are keyed by it."""
    assert Teacher.from_pretrained("picturebook").fingerprint == "63c58c33bc111c5f"


def test_a_model_is_frozen_by_its_teacher():
    model = clip().train()
    ClipTeacher(model, tokenizer(), MEAN, STD)
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())


def test_fingerprint_survives_float16_and_tells_teachers_apart():
    """The bundled weights are float16: a cache made with the teacher just trained must fit them."""
    halved = ClipTeacher(clip().half().float(), tokenizer(), MEAN, STD)
    assert halved.fingerprint == teacher().fingerprint
    assert teacher(1).fingerprint != teacher().fingerprint
    nudged = clip()
    with torch.no_grad():
        nudged.visual_projection.weight[0, 0] += 0.01
    assert ClipTeacher(nudged, tokenizer(), MEAN, STD).fingerprint != teacher().fingerprint


def test_text_fingerprint_is_that_of_the_text_tower_and_its_tokenizer(folder: Path):
    """A student keeps it: float16 must not change it, nor a vision tower that goes on learning."""
    own = teacher().text_fingerprint
    assert Teacher.from_pretrained(folder).text_fingerprint == own
    assert ClipTeacher(clip().half().float(), tokenizer(), MEAN, STD).text_fingerprint == own
    for part, same in {"visual_projection": True, "text_projection": False}.items():
        nudged = clip()
        with torch.no_grad():
            nudged.get_parameter(f"{part}.weight")[0, 0] += 0.01
        assert (ClipTeacher(nudged, tokenizer(), MEAN, STD).text_fingerprint == own) == same, part
    other_words = train_tokenizer(["zebras graze", "lazy zebras"], TEACH.vocabulary_size)
    assert ClipTeacher(clip(), other_words, MEAN, STD).text_fingerprint != own


def test_the_bundled_teacher_keeps_its_text_fingerprint():
    """Students are saved with it."""
    assert Teacher.from_pretrained("picturebook").text_fingerprint == "d77f3fa89b3813b9"


def test_image_embeddings_are_those_of_clip_and_its_processor(folder: Path):
    model: Any = CLIPModel.from_pretrained(folder)
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    with torch.no_grad():
        pixels = processor(images=[photo(seed=n) for n in range(4)], return_tensors="pt")["pixel_values"]
        expected = model.eval().get_image_features(pixel_values=pixels).pooler_output
    ours = teacher().embed_images(pixels_of(32, 32, 4))
    # bfloat16 may be in use: eight bits, so about a hundredth
    assert float(F.cosine_similarity(ours, expected).min()) > 0.999
    np.testing.assert_allclose(ours, expected, atol=0.03 * float(expected.abs().max()))
    assert float(F.cosine_similarity(ours[:1], ours[1:]).max()) < 0.99  # different pictures do differ


def test_text_embeddings_are_clips_normalised(folder: Path):
    model: Any = CLIPModel.from_pretrained(folder).eval()
    ours = teacher().embed_texts(TEXTS)
    torch.testing.assert_close(ours.norm(dim=1), torch.ones(4))
    for text, embedding in zip(TEXTS, ours, strict=True):
        tokens = tokenizer()([text], return_tensors="pt")  # alone, so without padding
        with torch.no_grad():
            expected = model.get_text_features(**tokens).pooler_output[0]
        torch.testing.assert_close(embedding, expected / expected.norm(), atol=1e-5, rtol=1e-4)
    assert float((ours @ ours.T - torch.eye(4)).max()) < 0.999  # different texts do differ


# --- the last attention -----------------------------------------------------------------------------


def test_with_its_own_attention_the_patches_are_the_towers():
    """Softmax of queries times keys, residual and MLP kept: the hidden state of `transformers`, projected."""
    pixels, model = pixels_of(32, 32, 2), clip()
    seen: list[tuple[tuple[int, int], int]] = []

    def attend(last: LastAttention) -> torch.Tensor:
        seen.append((last.grid, last.class_tokens))
        return F.scaled_dot_product_attention(last.queries(), last.keys(), last.values())

    ours = teacher().patch_embeddings(pixels, attend, keep_residual=True)
    with torch.no_grad():
        hidden = model.vision_model(pixel_values=(pixels - teacher().mean) / teacher().std).last_hidden_state
        expected = model.visual_projection(model.vision_model.post_layernorm(hidden[:, 1:]))
    np.testing.assert_allclose(ours, expected, atol=1e-4)
    assert seen == [((4, 4), 1)]


# --- the vision tower as first weights --------------------------------------------------------------

SIZES = {"image_size": 32, "patch_size": 8, "hidden_size": 32, "intermediate_size": 128, "num_attention_heads": 4}
Activation = Literal["gelu", "quick_gelu"]


def tower_and_encoder(activation: Activation, layers: int) -> tuple[CLIPVisionModel, Encoder]:
    """A random tower of CLIP with three layers, and a student's encoder that starts as its first layers."""
    tower = CLIPVisionModel(CLIPVisionConfig(**cast(Any, SIZES), num_hidden_layers=3, hidden_act=activation)).eval()
    shake(tower, seed=2)
    state = {key.removeprefix("vision_model."): value for key, value in tower.state_dict().items()}
    sizes: dict[str, Any] = {"image_size": 32, "patch_size": 8, "width": 32, "layers": layers, "heads": 4}
    encoder = Encoder(StudentConfig(**sizes, positions="learned", activation=activation, input_norm=True)).eval()
    encoder.load_state_dict(encoder_tensors(state, layers), strict=True)
    return tower, encoder


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
@pytest.mark.parametrize("size", [(32, 32), (48, 40)])
def test_encoder_with_clips_weights_is_clips_tower(activation: Activation, size: tuple[int, int]):
    """CLIP leaves its last norm to the class token; the student's comes after it, on the patches."""
    tower, encoder = tower_and_encoder(activation, layers=3)
    pixels = pixels_of(*size, 2)
    with torch.no_grad():
        hidden = tower(pixel_values=pixels, interpolate_pos_encoding=True).last_hidden_state[:, 1:]
        expected = getattr(tower, "vision_model", tower).post_layernorm(hidden)
        ours = encoder(pixels)
        encoder.register_module("norm", torch.nn.Identity())
        before_norm = encoder(pixels)
    np.testing.assert_allclose(before_norm, hidden, atol=1e-4)
    np.testing.assert_allclose(ours, expected, atol=1e-4)
    assert float(hidden.std()) > 0.1  # the weights do something


def test_first_layers_of_clip_are_its_first_hidden_states():
    tower, encoder = tower_and_encoder("quick_gelu", layers=2)
    encoder.register_module("norm", torch.nn.Identity())
    pixels = pixels_of(32, 32)
    with torch.no_grad():
        hidden = tower(pixel_values=pixels, output_hidden_states=True).hidden_states
        np.testing.assert_allclose(encoder(pixels), hidden[2][:, 1:], atol=1e-4)


# --- a text encoder that learns ---------------------------------------------------------------------


def test_a_pretrained_text_encoder_embeds_as_its_teacher(tmp_path: Path):
    encoder = teacher().text_encoder(pretrained=True)
    with torch.no_grad():
        embedded = encoder.embed(encoder.tokenize(TEXTS))
    torch.testing.assert_close(F.normalize(embedded, dim=-1), teacher().embed_texts(TEXTS), atol=1e-5, rtol=1e-4)
    assert float(encoder.logit_scale().detach()) == pytest.approx(teacher().logit_scale)
    encoder.save(tmp_path)
    saved, copied = Teacher.from_pretrained(tmp_path), encoder.as_teacher()
    assert saved.fingerprint == copied.fingerprint == teacher().fingerprint
    for other in (saved, copied):
        torch.testing.assert_close(other.mean, teacher().mean)
        torch.testing.assert_close(other.std, teacher().std)
        assert other.size == teacher().size


def test_a_new_text_encoder_has_other_weights_and_learns_texts_alone():
    encoder = teacher().text_encoder(pretrained=False)
    assert encoder.as_teacher().fingerprint != teacher().fingerprint
    learning = {name for name, weight in encoder.named_parameters() if weight.requires_grad}
    assert learning
    assert not any("vision" in name or "visual" in name for name in learning)
    assert encoder.tokenize([]).shape == (0, 1)
    encoder.embed(encoder.tokenize(TEXTS)).sum().backward()
    assert teacher().fingerprint == ClipTeacher(clip(), tokenizer(), MEAN, STD).fingerprint  # untouched


def test_the_factor_on_cosines_is_capped_in_training():
    encoder = teacher().text_encoder(pretrained=True)
    with torch.no_grad():
        encoder.model.logit_scale.fill_(6.0)
    assert float(encoder.logit_scale().detach()) == 100.0


# --- positions as in the code of read-outs ------------------------------------------------------------


def cubic(distance: float) -> float:
    """The kernel of torch's bicubic interpolation (Keys 1981, a = -.75)."""
    x = abs(distance)
    if x <= 1:
        return 1.25 * x**3 - 2.25 * x**2 + 1
    return -0.75 * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_positions_are_enlarged_by_size_or_as_if_there_were_a_tenth_of_a_patch_more(offset: float):
    """Of a grid of 4 x 4 to 7 x 9: place (n + .5) x 4 / (count + offset) - .5, in float64, place by place."""
    own = torch.randn(17, 5, generator=torch.Generator().manual_seed(0))
    ours = enlarged_positions(own, (7, 9), offset)
    assert ours.shape == (1 + 63, 5)
    torch.testing.assert_close(ours[0], own[0])
    square = own[1:].double().numpy().reshape(4, 4, 5)
    for row, column in np.ndindex(7, 9):
        down, across = ((n + 0.5) * 4 / (count + offset) - 0.5 for n, count in ((row, 7), (column, 9)))
        expected = sum(
            cubic(down - y) * cubic(across - x) * square[min(max(y, 0), 3), min(max(x, 0), 3)]
            for y in range(int(np.floor(down)) - 1, int(np.floor(down)) + 3)
            for x in range(int(np.floor(across)) - 1, int(np.floor(across)) + 3)
        )
        np.testing.assert_allclose(ours[1 + 9 * row + column], expected, atol=1e-5)
    torch.testing.assert_close(enlarged_positions(own, (4, 4), offset), own)


def test_an_offset_of_positions_reaches_the_patches():
    """Only beyond the tower's own grid, where the authors' code interpolates, too."""
    plain = DenseReadOut(teacher(), 32, "clearclip")
    moved = plain.with_position_offset(0.1)
    own, larger = pixels_of(32, 32, 1), pixels_of(40, 56, 1)
    torch.testing.assert_close(moved.patches(own), plain.patches(own), rtol=0, atol=0)
    assert not torch.allclose(moved.patches(larger), plain.patches(larger), atol=1e-4)

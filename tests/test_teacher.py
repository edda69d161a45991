"""The teacher is a CLIP of `transformers` and embeds as that does; whatever else lies in a folder is refused."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPVisionConfig, CLIPVisionModel, PreTrainedModel

from tests.tiny import MEAN, STD, clip, photo, teacher, tokenizer
from zeroseg.errors import TeacherError
from zeroseg.images import to_tensor
from zeroseg.teacher import Teacher

TEXTS = ["a photo of a dog", "a picture of a cat on grass", "собака", "犬"]


def save(folder: Path, model: PreTrainedModel) -> Path:
    """A folder in the format of `transformers`, as `zeroseg teach` writes it."""
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, image_mean=MEAN, image_std=STD
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("clip"), clip())


def test_teacher_from_its_folder_is_the_teacher(folder: Path):
    loaded = Teacher.from_pretrained(folder)
    assert (loaded.size, loaded.width) == (32, 16)
    assert loaded.scale == pytest.approx(1 / 0.07, rel=1e-3)
    assert loaded.fingerprint == teacher().fingerprint
    images = torch.stack([to_tensor(photo(seed=n)) for n in range(3)]).float() / 255
    assert torch.equal(loaded.embed_images(images), teacher().embed_images(images))
    assert torch.equal(loaded.embed_texts(TEXTS), teacher().embed_texts(TEXTS))
    assert not loaded.model.training
    assert not any(weight.requires_grad for weight in loaded.model.parameters())


def test_fingerprint_survives_float16_and_tells_teachers_apart():
    """The bundled weights are float16: a cache made with the teacher just trained must fit them."""
    halved = Teacher(clip().half().float(), tokenizer(), MEAN, STD)
    assert halved.fingerprint == teacher().fingerprint
    assert teacher(1).fingerprint != teacher().fingerprint
    nudged = clip()
    with torch.no_grad():
        nudged.visual_projection.weight[0, 0] += 0.01
    assert Teacher(nudged, tokenizer(), MEAN, STD).fingerprint != teacher().fingerprint


def test_image_embeddings_are_those_of_clip_and_its_processor(folder: Path):
    model: Any = CLIPModel.from_pretrained(folder)
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    pictures = [photo(seed=n) for n in range(4)]
    with torch.no_grad():
        pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]
        expected = model.eval().get_image_features(pixel_values=pixels).pooler_output
    images = torch.stack([to_tensor(picture) for picture in pictures]).float() / 255
    ours = teacher().embed_images(images)
    # bfloat16 may be in use: eight bits, so about a hundredth
    assert float(F.cosine_similarity(ours, expected).min()) > 0.999
    np.testing.assert_allclose(ours, expected, atol=0.03 * float(expected.abs().max()))
    assert float(F.cosine_similarity(ours[:1], ours[1:]).max()) < 0.99  # different pictures do differ


def test_images_of_another_size_are_resized_to_the_teachers():
    small, large = (to_tensor(photo(side, side, seed=1))[None].float() / 255 for side in (32, 96))
    embedded = teacher().embed_images(large)
    assert embedded.shape == (1, 16)
    assert float(F.cosine_similarity(embedded, teacher().embed_images(small))) > 0.99


def test_many_images(monkeypatch: pytest.MonkeyPatch):
    """More images than go through at once."""
    images = torch.stack([to_tensor(photo(seed=n)) for n in range(5)]).float() / 255
    whole = teacher().embed_images(images)
    monkeypatch.setattr("zeroseg.teacher.IMAGES_AT_ONCE", 2)
    torch.testing.assert_close(teacher().embed_images(images), whole, atol=0.01, rtol=0.01)


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


def test_many_and_long_texts(monkeypatch: pytest.MonkeyPatch):
    """More texts than go through at once, and one that is longer than the teacher can read."""
    texts = [f"a photo of {number} dogs" for number in range(7)] + ["a dog " * 200]
    whole = teacher().embed_texts(texts)
    monkeypatch.setattr("zeroseg.teacher.TEXTS_AT_ONCE", 3)
    torch.testing.assert_close(teacher().embed_texts(texts), whole, atol=1e-5, rtol=1e-4)
    assert bool(whole.isfinite().all())


# --- what is no teacher -----------------------------------------------------------------------------


def refused(name: str | Path) -> str:
    with pytest.raises(TeacherError, match=re.escape(str(name))) as caught:
        Teacher.from_pretrained(name)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_folder_without_a_clip(tmp_path: Path):
    refused(tmp_path)
    refused(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    refused(tmp_path)
    (tmp_path / "config.json").write_text("not json", encoding="utf-8")
    refused(tmp_path)


def test_folder_with_weights_of_another_model(folder: Path, tmp_path: Path):
    """A CLIP's config beside half of a CLIP, or beside something else altogether."""
    foreign = shutil.copytree(folder, tmp_path / "foreign")
    half = CLIPVisionModel(cast(CLIPVisionConfig, clip().config.vision_config)).state_dict()
    save_file(half, foreign / "model.safetensors", metadata={"format": "pt"})
    assert "missing" in refused(foreign)
    save_file({"bert.weight": torch.zeros(3)}, foreign / "model.safetensors", metadata={"format": "pt"})
    assert "missing" in refused(foreign)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "preprocessor_config.json"])
def test_folder_that_lacks_a_part(folder: Path, tmp_path: Path, name: str):
    part = shutil.copytree(folder, tmp_path / "part")
    (part / name).unlink()
    refused(part)


def test_folder_with_damaged_weights(folder: Path, tmp_path: Path):
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    path = damaged / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    refused(damaged)
    path.write_bytes(b"garbage" * 20)
    refused(damaged)


def test_folder_whose_config_is_of_another_size(folder: Path, tmp_path: Path):
    other = shutil.copytree(folder, tmp_path / "other")
    values = json.loads((other / "config.json").read_text(encoding="utf-8"))
    values["projection_dim"] = 24
    (other / "config.json").write_text(json.dumps(values), encoding="utf-8")
    refused(other)

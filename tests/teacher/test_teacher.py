"""What all teachers share: resizing, batches, and the refusal of whatever else lies in a folder."""

import gc
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import CLIPVisionModel

from tests.tiny import clip, clip_folder, pixels_of, teacher
from zeroseg.errors import TeacherError
from zeroseg.teacher import Teacher
from zeroseg.teacher.clip import ClipTeacher
from zeroseg.teacher.teacher import AT_ONCE_ON_CPU
from zeroseg.teacher.text_tower import TEXTS_AT_ONCE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_folder(tmp_path_factory.mktemp("clip"))


def test_images_of_another_size_are_resized_to_the_teachers():
    embedded = teacher().embed_images(pixels_of(96, 96))
    assert embedded.shape == (1, 16)
    assert float(F.cosine_similarity(embedded, teacher().embed_images(pixels_of(32, 32)))) > 0.99


def test_more_images_than_go_through_at_once():
    images = pixels_of(32, 32, 4).repeat(AT_ONCE_ON_CPU // 4 + 1, 1, 1, 1)
    whole = teacher().embed_images(images)
    assert whole.shape == (AT_ONCE_ON_CPU + 4, 16)
    torch.testing.assert_close(whole[-4:], teacher().embed_images(images[:4]), atol=0.01, rtol=0.01)
    assert float(F.cosine_similarity(whole[-1], whole[-2], dim=0)) < 0.99


def test_more_texts_than_go_through_at_once_and_a_long_one():
    """The last text is longer than the teacher can read."""
    texts = [f"a photo of {number} dogs" for number in range(TEXTS_AT_ONCE)] + ["a cat", "a dog " * 200]
    whole = teacher().embed_texts(texts)
    assert whole.shape == (TEXTS_AT_ONCE + 2, 16)
    torch.testing.assert_close(whole[-2:], teacher().embed_texts(texts[-2:]), atol=1e-5, rtol=1e-4)
    assert bool(whole.isfinite().all())


# --- what is no teacher -----------------------------------------------------------------------------


def refused(name: str | Path) -> str:
    with pytest.raises(TeacherError, match=re.escape(str(name))) as caught:
        Teacher.from_pretrained(name)
    message = str(caught.value)
    assert "\n" not in message
    assert str(name) in message
    return message


def test_folder_without_a_teacher(tmp_path: Path):
    assert "no config.json names a model type" in refused(tmp_path)
    refused(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    assert "no config.json names a model type" in refused(tmp_path)
    (tmp_path / "config.json").write_text("not json", encoding="utf-8")
    refused(tmp_path)


def test_a_model_of_another_family_is_told_the_families(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    message = refused(tmp_path)
    assert "names the model type 'bert'" in message
    assert "CLIP" in message
    assert "clip" in message


def test_a_family_may_be_a_subclass_of_another(folder: Path, tmp_path: Path):
    class Own(ClipTeacher):
        model_types = ("own-clip",)

        @classmethod
        def _load(cls, name: str) -> ClipTeacher:
            assert name == str(tmp_path)
            return ClipTeacher._load(str(folder))

    (tmp_path / "config.json").write_text('{"model_type": "own-clip"}', encoding="utf-8")
    assert Own in ClipTeacher.__subclasses__()
    assert Teacher.from_pretrained(tmp_path).fingerprint == Teacher.from_pretrained(folder).fingerprint
    del Own
    gc.collect()  # other tests look at all families


def test_folder_with_weights_of_another_model(folder: Path, tmp_path: Path):
    """A CLIP's config beside half of a CLIP, or beside something else altogether."""
    foreign = shutil.copytree(folder, tmp_path / "foreign")
    config: Any = clip().config
    half = CLIPVisionModel(config.vision_config).state_dict()
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

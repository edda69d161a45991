"""The text tower alone says what the whole teacher says, without the library that it comes from."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from zeroseg.errors import WeightsError
from zeroseg.models import BUNDLED
from zeroseg.segmenter import Segmenter
from zeroseg.teacher import ClipText, Teacher
from zeroseg.teacher.clip_text import read_clip_text

TEXTS = ["dog", "a photo of a cat", "x " * 100, "crème brûlée", "雪山", "", "traffic-lights at 7:45"]
NAMES = ("photos", "picturebook")


def assert_same(alone: ClipText, whole: Teacher) -> None:
    """Token ids and what identifies the tower are equal; embeddings but for rounding."""
    assert alone.token_ids(TEXTS) == whole.token_ids(TEXTS)
    assert alone.text_fingerprint == whole.text_fingerprint
    assert (alone.width, alone.logit_scale, alone.logit_bias) == (whole.width, whole.logit_scale, None)
    torch.testing.assert_close(alone.mean, whole.mean)
    torch.testing.assert_close(alone.embed_texts(TEXTS * 50), whole.embed_texts(TEXTS * 50), atol=2e-6, rtol=0)
    assert alone.known_words == whole.known_words


@pytest.mark.parametrize("name", NAMES)
def test_bundled_towers(name: str):
    alone, whole = ClipText(BUNDLED[name].folder("teacher")), Teacher.from_pretrained(name)
    assert_same(alone, whole)
    assert alone.fingerprint == whole.fingerprint


@pytest.mark.parametrize("end", [2, 1])
def test_a_clip_with_other_activations_and_either_end(tmp_path: Path, end: int):
    """Random weights: OpenAI's form, whose last token is the one with the largest number, and the later one."""
    source = BUNDLED["picturebook"].folder("teacher")
    config: Any = CLIPConfig.from_pretrained(source)
    config.text_config.hidden_act, config.text_config.eos_token_id = "quick_gelu", end
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"):
        shutil.copy(source / name, tmp_path)
    assert_same(ClipText(tmp_path), Teacher.from_pretrained(tmp_path))


def test_what_cannot_be_read_exactly_is_left_to_the_whole_teacher(tmp_path: Path):
    """Damage, another tokenizer, another family: None, and then `Teacher` reads it or says what is wrong."""
    source = BUNDLED["picturebook"].folder("teacher")
    known = ClipText(source).text_fingerprint
    assert read_clip_text(source, known) is not None
    assert read_clip_text(source, "another") is None
    for name, content in (
        ("config.json", "{}"), ("config.json", "no JSON"), ("tokenizer.json", "{}"), ("model.safetensors", "x"),
        ("tokenizer_config.json", '{"pad_token": "<none>"}'), ("preprocessor_config.json", "{}"),
    ):  # fmt: skip
        folder = shutil.copytree(source, tmp_path / "one", dirs_exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
        assert read_clip_text(folder, known) is None, name
        shutil.copy(source / name, folder)
        (folder / name).unlink()
        assert read_clip_text(folder, known) is None, name
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    for change in ({"text_config_dict": {"num_attention_heads": 8}}, {"model_type": "siglip"}):
        folder = shutil.copytree(source, tmp_path / "two", dirs_exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config | change), encoding="utf-8")
        assert read_clip_text(folder, known) is None, change


@pytest.mark.parametrize("name", NAMES)
def test_a_segmenter_loads_the_whole_teacher_when_it_is_asked_for(name: str):
    segmenter = Segmenter.from_pretrained(name, device="cpu")
    assert isinstance(segmenter.teacher, ClipText)
    assert segmenter.whole_teacher is segmenter.whole_teacher
    assert segmenter.whole_teacher.fingerprint == Teacher.from_pretrained(name).fingerprint


def test_another_teacher_is_refused():
    with pytest.raises(WeightsError, match="the teacher picturebook into 96"):
        Segmenter.from_pretrained("photos", "picturebook")


def test_a_mask_is_made_without_transformers(tmp_path: Path):
    """Its import alone would take longer than all else: what `--help` and this need is kept small."""
    script = (
        "import sys; from zeroseg.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(code or 3 * ('transformers' in sys.modules))"
    )
    photo = Path(__file__).parents[2] / "src/zeroseg/pictures/photos/dog.jpg"
    command = [sys.executable, "-c", script, "segment", str(photo), "--labels", "dog, grass", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "dog.png").is_file()

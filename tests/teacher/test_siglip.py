"""A SigLIP as teacher against the model, the processor and the tokenizer of `transformers`, in float32."""

import json
import re
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import (
    AutoModel,
    AutoTokenizer,
    Siglip2ImageProcessorPil,
    SiglipImageProcessorPil,
    SiglipTokenizer,
    SiglipVisionModel,
)

from tests.tiny import CAPTIONS, STUDENT, photo, pixels_of, siglip, siglip_folder, siglip_teacher, student
from zeroseg.errors import TeacherError, TrainingError
from zeroseg.teacher import SiglipTeacher, Teacher
from zeroseg.training.initialisation import start_from_teacher

TEXTS = ["a photo of a dog", "a picture of a Cat on grass", "собака", "a dog " * 90]
KINDS = pytest.mark.parametrize("naflex", [False, True], ids=["fixed", "naflex"])


@pytest.fixture(scope="module", params=[False, True], ids=["fixed", "naflex"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_folder(tmp_path_factory.mktemp("siglip"), request.param)


@pytest.fixture
def _float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images embedded without bfloat16, which some machines use."""
    monkeypatch.setattr("zeroseg.teacher.teacher.mixed_precision", lambda _: nullcontext())


def is_naflex(folder: Path) -> bool:
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"] == "siglip2"


def test_what_a_siglip_says_of_itself(folder: Path):
    loaded = Teacher.from_pretrained(folder)
    assert isinstance(loaded, SiglipTeacher)
    assert (loaded.size, loaded.patch_size, loaded.width) == (32, 8, 32)
    assert loaded.logit_scale == pytest.approx(np.exp(2.0))
    assert loaded.logit_bias == -10
    assert loaded.mean.flatten().tolist() == loaded.std.flatten().tolist() == [0.5] * 3
    assert loaded.parameters == sum(weight.numel() for weight in siglip(naflex=is_naflex(folder)).parameters())
    assert loaded.fingerprint == siglip_teacher(naflex=is_naflex(folder)).fingerprint
    assert loaded.fingerprint != siglip_teacher(1, is_naflex(folder)).fingerprint
    assert loaded.text_fingerprint == siglip_teacher(naflex=is_naflex(folder)).text_fingerprint
    assert loaded.text_fingerprint != siglip_teacher(1, is_naflex(folder)).text_fingerprint


@pytest.mark.usefixtures("_float32")
def test_image_embeddings_are_those_of_the_model_and_its_processor(folder: Path):
    processors = {False: SiglipImageProcessorPil, True: Siglip2ImageProcessorPil}
    processor = processors[is_naflex(folder)].from_pretrained(folder)
    inputs = processor(images=[photo(seed=n) for n in range(4)], return_tensors="pt")
    with torch.no_grad():
        expected = AutoModel.from_pretrained(folder).eval().get_image_features(**inputs).pooler_output
    ours = Teacher.from_pretrained(folder).embed_images(pixels_of(32, 32, 4))
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)
    assert float(F.cosine_similarity(ours[:1], ours[1:]).max()) < 0.99  # different pictures do differ


def test_image_embeddings_in_bfloat16_point_the_same_way(folder: Path):
    """The rounding of bfloat16, where it is in use, is the whole difference from `transformers` for the same pixels.

    The embeddings have a length of about 7. Bfloat16 changes single values by 0.02, and lowers the cosine by 1.5e-5;
    float32 changes values by 6e-7. Where the image is resized first, the processor of SigLIP 2 is bilinear and we are
    bicubic: that lowers the cosine by 5e-5.
    """
    processor = (Siglip2ImageProcessorPil if is_naflex(folder) else SiglipImageProcessorPil).from_pretrained(folder)
    inputs = processor(images=[photo(seed=n) for n in range(4)], return_tensors="pt")
    with torch.no_grad():
        expected = AutoModel.from_pretrained(folder).eval().get_image_features(**inputs).pooler_output
    ours = Teacher.from_pretrained(folder).embed_images(pixels_of(32, 32, 4))
    assert float(F.cosine_similarity(ours, expected).min()) > 1 - 1e-4
    torch.testing.assert_close(ours.norm(dim=-1), expected.norm(dim=-1), rtol=0.01, atol=0)


def test_text_embeddings_are_those_of_the_model_and_its_tokenizer(folder: Path):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    lower = [text.lower() for text in TEXTS]
    tokens = tokenizer(
        lower, padding="max_length", padding_side="right", max_length=64, truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        model = AutoModel.from_pretrained(folder).eval()
        expected = model.get_text_features(input_ids=tokens["input_ids"]).pooler_output
    ours = Teacher.from_pretrained(folder).embed_texts(TEXTS)
    torch.testing.assert_close(ours, F.normalize(expected, dim=-1), atol=1e-5, rtol=1e-5)
    assert float((ours @ ours.T - torch.eye(4)).max()) < 0.999  # different texts do differ


def test_scores_are_those_of_the_model(folder: Path):
    """Scale times cosine plus bias is the logit of `transformers`."""
    tokens = AutoTokenizer.from_pretrained(folder)(
        TEXTS[0], padding="max_length", padding_side="right", max_length=64, return_tensors="pt"
    )
    ours, naflex = Teacher.from_pretrained(folder), is_naflex(folder)
    processor = (Siglip2ImageProcessorPil if naflex else SiglipImageProcessorPil).from_pretrained(folder)
    inputs = processor(images=[photo()], return_tensors="pt")
    with torch.no_grad():
        output = AutoModel.from_pretrained(folder).eval()(input_ids=tokens["input_ids"], **inputs)
    assert ours.logit_bias is not None
    cosine = F.cosine_similarity(ours.embed_images(pixels_of(32, 32)), ours.embed_texts(TEXTS[:1]))
    logit = ours.logit_scale * float(cosine) + ours.logit_bias
    assert logit == pytest.approx(float(output.logits_per_image), abs=0.05)  # bfloat16 may be in use


def test_capitals_do_not_matter_unless_the_tokenizer_keeps_them(folder: Path, tmp_path: Path):
    same = Teacher.from_pretrained(folder).embed_texts(["A Photo of a DOG", "a photo of a dog"])
    assert torch.equal(same[0], same[1])
    cased = shutil.copytree(folder, tmp_path / "cased")
    values = json.loads((cased / "tokenizer_config.json").read_text(encoding="utf-8"))
    (cased / "tokenizer_config.json").write_text(json.dumps(values | {"do_lower_case": False}), encoding="utf-8")
    other = Teacher.from_pretrained(cased).embed_texts(["A Photo of a DOG", "a photo of a dog"])
    assert not torch.allclose(other[0], other[1], atol=1e-3)
    assert torch.equal(other[1], same[1])


# --- SentencePiece ----------------------------------------------------------------------------------


@pytest.fixture
def sentencepiece_folder(tmp_path: Path) -> Path:
    """The tiny SigLIP with a tokenizer in the form of SigLIP 1's, end and padding the same token."""
    sentencepiece = pytest.importorskip("sentencepiece", reason="the extra `siglip` is not installed")
    folder = siglip_folder(tmp_path / "siglip")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CAPTIONS * 20), model_prefix=str(tmp_path / "spiece"), vocab_size=285,
        eos_id=1, unk_id=2, bos_id=-1, pad_id=-1, byte_fallback=True, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    tokenizer = SiglipTokenizer(str(tmp_path / "spiece.model"), model_input_names=["input_ids"])
    (folder / "tokenizer.json").unlink()
    tokenizer.save_pretrained(folder)
    return folder


def test_texts_of_siglip_1_go_through_sentencepiece(sentencepiece_folder: Path):
    tokenizer = SiglipTokenizer.from_pretrained(sentencepiece_folder)
    texts = ["A photo of a Dog!", "a cat on grass", "a red house " * 40]
    tokens = tokenizer(texts, padding="max_length", max_length=64, truncation=True, return_tensors="pt")["input_ids"]
    assert tokens[0, -1] == tokenizer.eos_token_id
    model: Any = siglip()
    with torch.no_grad():
        expected = model.get_text_features(input_ids=tokens).pooler_output
    ours = Teacher.from_pretrained(sentencepiece_folder).embed_texts(texts)
    torch.testing.assert_close(ours, F.normalize(expected, dim=-1), atol=1e-5, rtol=1e-5)


def test_without_sentencepiece_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = siglip_folder(tmp_path)
    values = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    named = json.dumps(values | {"tokenizer_class": "SiglipTokenizer"})
    (folder / "tokenizer_config.json").write_text(named, encoding="utf-8")

    class Missing:
        """What `transformers` puts in place of the tokenizer then."""

        @classmethod
        def from_pretrained(cls, _: str) -> None:
            raise ImportError("SiglipTokenizer requires the SentencePiece library.\n\nInstall it.")

    monkeypatch.setattr("zeroseg.teacher.siglip.SiglipTokenizer", Missing)
    with pytest.raises(TeacherError, match=r'needs sentencepiece and protobuf: pip install "zeroseg\[siglip\]"\.$'):
        Teacher.from_pretrained(folder)


# --- a text encoder that learns, and what a student cannot take --------------------------------------


def test_a_pretrained_text_encoder_embeds_as_its_teacher(folder: Path, tmp_path: Path):
    ours = Teacher.from_pretrained(folder)
    encoder = ours.text_encoder(pretrained=True)
    with torch.no_grad():
        embedded = encoder.embed(encoder.tokenize(TEXTS))
    torch.testing.assert_close(F.normalize(embedded, dim=-1), ours.embed_texts(TEXTS), atol=1e-5, rtol=1e-4)
    assert float(encoder.logit_scale().detach()) == pytest.approx(np.exp(2.0))
    encoder.save(tmp_path)
    halved, copied = Teacher.from_pretrained(tmp_path), encoder.as_teacher()
    assert halved.fingerprint == copied.fingerprint == ours.fingerprint
    assert halved.size == copied.size == ours.size
    torch.testing.assert_close(halved.mean, ours.mean)
    torch.testing.assert_close(halved.embed_texts(TEXTS), ours.embed_texts(TEXTS), atol=0.01, rtol=0.01)


@KINDS
def test_a_new_text_encoder_has_other_weights_and_learns_texts_alone(naflex: bool):
    encoder = siglip_teacher(naflex=naflex).text_encoder(pretrained=False)
    assert encoder.as_teacher().fingerprint != siglip_teacher(naflex=naflex).fingerprint
    assert float(encoder.logit_scale().detach()) == pytest.approx(10.0)
    assert encoder.as_teacher().logit_bias == -10
    learning = {name for name, weight in encoder.named_parameters() if weight.requires_grad}
    assert any("text_model" in name for name in learning)
    assert not any("vision" in name or "logit_bias" in name for name in learning)
    encoder.embed(encoder.tokenize(TEXTS)).sum().backward()
    assert all(p.grad is None for n, p in encoder.named_parameters() if n not in learning)


def test_a_student_with_a_class_token_cannot_start_from_its_tower():
    with pytest.raises(TrainingError, match=r"class_token"):
        start_from_teacher(student(replace(STUDENT, positions="learned")), siglip_teacher())


# --- what is no SigLIP ------------------------------------------------------------------------------


def refused(folder: Path) -> str:
    with pytest.raises(TeacherError, match=re.escape(str(folder))) as caught:
        Teacher.from_pretrained(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "preprocessor_config.json"])
def test_folder_that_lacks_a_part(folder: Path, tmp_path: Path, name: str):
    part = shutil.copytree(folder, tmp_path / "part")
    (part / name).unlink()
    refused(part)


def test_a_vision_tower_alone(tmp_path: Path):
    folder = siglip_folder(tmp_path)
    config: Any = siglip().config
    SiglipVisionModel(config.vision_config).save_pretrained(tmp_path)
    assert "CLIP or LiT or SigLIP" in refused(folder)


def test_a_siglip_without_pooling_head(tmp_path: Path):
    folder = siglip_folder(tmp_path)
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    values["vision_config"]["vision_use_head"] = False
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    assert "no pooling head" in refused(folder)

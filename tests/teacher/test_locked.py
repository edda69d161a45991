"""A LiT as teacher against the model of `transformers`, with four kinds of image towers, in float32."""

import json
import re
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from transformers import (
    AutoConfig,
    AutoModel,
    BertConfig,
    BertModel,
    BertTokenizer,
    ResNetConfig,
    VisionTextDualEncoderConfig,
)
from transformers import VisionTextDualEncoderModel as DualEncoder

from tests.tiny import LITE_STUDENT, image_tower, locked, locked_folder, locked_teacher, pixels_of, student, tokenizer
from zeroseg.baselines import DenseReadOut
from zeroseg.efficientnet_lite import EfficientNetLite
from zeroseg.errors import TeacherError, TrainingError
from zeroseg.known_words import KnownWords
from zeroseg.method_names import DenseMethod
from zeroseg.teacher import LockedTeacher, Teacher
from zeroseg.teacher.image_tower import image_processor, stride_of, with_hidden_size
from zeroseg.teacher.lite_tower import EfficientNetLiteConfig
from zeroseg.training.initialisation import start_from_teacher

TEXTS = ["a photo of a dog", "a picture of a Cat on grass", "собака", "a dog " * 90]
KINDS = ["vit", "dinov2", "convnext", "lite"]
STRIDES = {"vit": 8, "dinov2": 8, "convnext": 8, "lite": 32}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return locked_folder(tmp_path_factory.mktemp("lit"), kind)


@pytest.fixture
def _float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images embedded without bfloat16, which some machines use."""
    monkeypatch.setattr("zeroseg.teacher.teacher.mixed_precision", lambda _: nullcontext())


def normalised(side: int, count: int = 1) -> torch.Tensor:
    return (pixels_of(side, side, count) - 0.5) / 0.25


def test_what_a_lit_says_of_itself(kind: str, folder: Path):
    loaded = Teacher.from_pretrained(folder)
    assert isinstance(loaded, LockedTeacher)
    assert (loaded.size, loaded.patch_size, loaded.width) == (64, STRIDES[kind], 16)
    assert loaded.logit_scale == pytest.approx(float(locked(kind).logit_scale.detach().exp()))
    assert loaded.logit_bias is None
    assert loaded.known_words is None
    assert loaded.mean.flatten().tolist() == [0.5] * 3
    assert loaded.std.flatten().tolist() == [0.25] * 3
    assert loaded.parameters == sum(weight.numel() for weight in locked(kind).parameters())
    assert loaded.fingerprint == locked_teacher(kind).fingerprint
    assert loaded.fingerprint != locked_teacher(kind, 1).fingerprint
    assert loaded.to("cpu").device == torch.device("cpu")


@pytest.mark.usefixtures("_float32")
def test_image_embeddings_are_those_of_the_model(kind: str, folder: Path):
    """At the size in the image processor: twice the size that ViT and DINOv2 have in their config."""
    sized = {"interpolate_pos_encoding": True} if kind == "vit" else {}
    with torch.no_grad():
        model: Any = DualEncoder.from_pretrained(folder).eval()
        expected = model.get_image_features(pixel_values=normalised(64, 3), **sized).pooler_output
    ours = Teacher.from_pretrained(folder).embed_images(pixels_of(64, 64, 3))
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)
    assert float((ours[0] - ours[1]).abs().max()) > 1e-3  # different pictures do differ


def test_image_embeddings_in_bfloat16_point_the_same_way(kind: str, monkeypatch: pytest.MonkeyPatch):
    ours, images = locked_teacher(kind), pixels_of(64, 64, 3)
    embedded = list[torch.Tensor]()
    for enabled in (True, False):
        precision = torch.autocast("cpu", torch.bfloat16, enabled=enabled)
        monkeypatch.setattr("zeroseg.teacher.teacher.mixed_precision", lambda _, precision=precision: precision)
        embedded.append(ours.embed_images(images))
    assert not torch.equal(embedded[0], embedded[1])
    assert float(F.cosine_similarity(embedded[0], embedded[1]).min()) > 0.995


def test_text_embeddings_are_those_of_the_model(folder: Path):
    tokens = tokenizer()(TEXTS, padding=True, truncation=True, max_length=24, return_tensors="pt")
    with torch.no_grad():
        model: Any = DualEncoder.from_pretrained(folder).eval()
        expected = model.get_text_features(**tokens).pooler_output
    ours = Teacher.from_pretrained(folder).embed_texts(TEXTS)
    torch.testing.assert_close(ours, F.normalize(expected, dim=-1), atol=1e-5, rtol=1e-4)
    assert float((ours @ ours.T - torch.eye(4)).max()) < 0.999


def test_a_text_tower_of_another_kind_with_its_own_tokenizer(tmp_path: Path):
    """BERT: padding has its own token, which neither embeddings nor a text encoder that learns may read."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "photo", "of", "dog", "cat"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    text = BertConfig(
        vocab_size=10, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=12,
    )  # fmt: skip
    vision = image_tower("vit")
    config: Any = VisionTextDualEncoderConfig
    config = config.from_vision_text_configs(vision.config, text, projection_dim=16)
    DualEncoder(config, vision, BertModel(text)).save_pretrained(tmp_path)
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    image_processor([0.5] * 3, [0.25] * 3, 64).save_pretrained(tmp_path)
    loaded = Teacher.from_pretrained(tmp_path)
    alone, padded = loaded.embed_texts(["a dog"]), loaded.embed_texts(["a dog", "a photo of a cat " * 9])
    torch.testing.assert_close(alone[0], padded[0], atol=1e-5, rtol=1e-4)
    encoder = loaded.text_encoder(pretrained=True)
    with torch.no_grad():
        learning = encoder.embed(encoder.tokenize(["a dog", "a photo of a cat"]))
    torch.testing.assert_close(F.normalize(learning, dim=-1)[0], alone[0], atol=1e-5, rtol=1e-4)


def test_known_words_are_read_from_the_folder(folder: Path, tmp_path: Path):
    known = shutil.copytree(folder, tmp_path / "known")
    (known / "known_words.txt").write_text("dog\ncat\n犬\n", encoding="utf-8")
    assert Teacher.from_pretrained(known).known_words == KnownWords(frozenset({"dog", "cat", "犬"}))


# --- dense read-outs --------------------------------------------------------------------------------


def test_dense_embeddings_are_the_last_layer_projected(kind: str):
    """The patches of each row after those of the row above: rolling an image by a patch rolls a convolution's map."""
    ours, stride = locked_teacher(kind), STRIDES[kind]
    patches = DenseReadOut(ours, 96, "maskclip").patches(pixels_of(96, 64))
    assert patches.shape == (1, 96 // stride * 64 // stride, 16)
    model = locked(kind)
    pixels = (pixels_of(96, 64) - 0.5) / 0.25
    with torch.no_grad():
        sized = {"interpolate_pos_encoding": True} if kind == "vit" else {}
        tokens = model.vision_model(pixel_values=pixels, **sized).last_hidden_state
        if kind == "vit":
            tokens = model.vision_model.pooler.activation(model.vision_model.pooler.dense(tokens))
        if kind == "convnext":
            tokens = model.vision_model.layernorm(tokens.flatten(2).transpose(1, 2))
        expected = model.visual_projection(tokens)[:, int(kind in ("vit", "dinov2")) :]
    torch.testing.assert_close(patches, expected, atol=1e-5, rtol=1e-4)


def test_an_efficientnets_embedding_is_the_mean_of_its_dense_ones():
    pixels = pixels_of(64, 64, 2)
    patches = DenseReadOut(locked_teacher("lite"), 64, "maskclip").patches(pixels)
    images = locked_teacher("lite").embed_images(pixels)
    assert float(F.cosine_similarity(patches.mean(dim=1), images).min()) > 0.999  # bfloat16 may be in use


@pytest.mark.parametrize("method", ["sclip", "naclip", "clearclip"])
def test_methods_that_change_an_attention_are_refused(method: DenseMethod):
    expected = f"a LiT teacher has no dense read-out '{method}', which changes the attention of a last layer: "
    with pytest.raises(TeacherError, match=f"^{expected}choose maskclip\\.$"):
        DenseReadOut(locked_teacher("lite"), 64, method)


# --- towers as initial weights, and a text encoder that learns --------------------------------------


def test_an_efficientnet_is_handed_over_with_its_own_names():
    tower = locked_teacher("lite").vision_tower()
    assert tower is not None
    assert tower.form == "efficientnet_lite0"
    fresh = EfficientNetLite("lite0")
    fresh.load_state_dict(dict(tower.tensors), strict=True)
    pixels = normalised(64)
    with torch.no_grad():
        torch.testing.assert_close(fresh(pixels)[1], locked("lite").vision_model.tower(pixels)[1])
    assert locked_teacher("vit").vision_tower() is None


def test_a_students_vit_cannot_start_from_it(kind: str):
    said = "tower has the form efficientnet_lite0 and the student's encoder vit" if kind == "lite" else "tower of a LiT"
    with pytest.raises(TrainingError, match=said):
        start_from_teacher(student(), locked_teacher(kind))


def test_a_convolutional_student_starts_from_it():
    model = student(LITE_STUDENT)
    start_from_teacher(model, locked_teacher("lite"))
    tower = locked("lite").vision_model.tower.state_dict()
    for name, tensor in model.state_dict().items():
        if name.startswith("encoder.tower."):
            assert torch.equal(tensor, tower.pop(name.removeprefix("encoder.tower."))), name
    assert not tower


def test_a_pretrained_text_encoder_embeds_as_its_teacher(folder: Path, tmp_path: Path):
    ours = Teacher.from_pretrained(folder)
    encoder = ours.text_encoder(pretrained=True)
    with torch.no_grad():
        embedded = encoder.embed(encoder.tokenize(TEXTS))
    torch.testing.assert_close(F.normalize(embedded, dim=-1), ours.embed_texts(TEXTS), atol=1e-5, rtol=1e-4)
    encoder.save(tmp_path)
    halved, copied = Teacher.from_pretrained(tmp_path), encoder.as_teacher()
    assert halved.fingerprint == copied.fingerprint == ours.fingerprint
    assert halved.size == copied.size == ours.size
    torch.testing.assert_close(halved.mean, ours.mean)
    torch.testing.assert_close(halved.embed_texts(TEXTS), ours.embed_texts(TEXTS), atol=0.01, rtol=0.01)


def test_a_new_text_encoder_has_other_weights_and_learns_texts_alone():
    encoder = locked_teacher("lite").text_encoder(pretrained=False)
    assert encoder.as_teacher().fingerprint != locked_teacher("lite").fingerprint
    learning = {name for name, weight in encoder.named_parameters() if weight.requires_grad}
    assert {"model.text_projection.weight", "model.logit_scale"} < learning
    assert not any("vis" in name for name in learning)
    encoder.embed(encoder.tokenize(TEXTS)).sum().backward()
    assert all(p.grad is None for n, p in encoder.named_parameters() if n not in learning)


# --- EfficientNet-Lite as a model of transformers ----------------------------------------------------


def test_an_efficientnet_is_saved_and_loaded_as_any_vision_model(tmp_path: Path):
    model = image_tower("lite")
    model.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path)
    assert (loaded.config.variant, loaded.config.hidden_size, loaded.config.patch_size) == ("lite0", 1280, 32)
    with torch.no_grad():
        ours, theirs = model(normalised(64)), loaded(pixel_values=normalised(64))
    assert ours.last_hidden_state.shape == (1, 4, 1280)
    torch.testing.assert_close(ours.pooler_output, theirs.pooler_output)
    torch.testing.assert_close(ours.last_hidden_state.mean(dim=1), ours.pooler_output)
    assert AutoConfig.for_model("efficientnet_lite", variant="lite2").variant == "lite2"


def test_an_unknown_variant_is_refused():
    with pytest.raises(
        TeacherError, match=r"^there is no EfficientNet-Lite 'lite7': choose one of lite0, lite1, lite2"
    ):
        EfficientNetLiteConfig(variant="lite7")


# --- what is no LiT ---------------------------------------------------------------------------------


def refused(folder: Path) -> str:
    with pytest.raises(TeacherError, match=re.escape(str(folder))) as caught:
        Teacher.from_pretrained(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "preprocessor_config.json"])
def test_folder_that_lacks_a_part(folder: Path, tmp_path: Path, name: str):
    part = shutil.copytree(folder, tmp_path / "part")
    (part / name).unlink()
    refused(part)


@pytest.mark.parametrize("key", ["size", "image_mean", "image_std"])
def test_processor_without_a_setting(tmp_path: Path, key: str):
    folder = locked_folder(tmp_path, "vit")
    path = folder / "preprocessor_config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    del values[key]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert "does not name image_mean, image_std and size" in refused(folder)


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ({"size": 48}, 48),
        ({"size": {"height": 48, "width": 48}}, 48),
        ({"size": {"shortest_edge": 56}, "do_center_crop": True, "crop_size": {"height": 48, "width": 48}}, 48),
        ({"size": {"shortest_edge": 56}, "do_center_crop": False, "crop_size": {"height": 48, "width": 48}}, 56),
    ],
)
def test_all_ways_to_write_a_size_are_read(tmp_path: Path, values: dict[str, Any], size: int):
    """A number (old ViTs), a square, and a crop of the centre after resizing (DINOv2), which may be off."""
    folder = locked_folder(tmp_path, "vit")
    pixels = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels | values), encoding="utf-8")
    assert Teacher.from_pretrained(folder).size == size


def test_the_config_of_a_convnext_gets_the_width_of_its_last_layer():
    assert with_hidden_size(image_tower("convnext").config).hidden_size == 32
    assert stride_of(image_tower("convnext").config) == 8
    with pytest.raises(TeacherError, match=r"^the image tower 'resnet' has no patch size: name a tower such as ViT"):
        stride_of(ResNetConfig())

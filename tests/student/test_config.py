"""Configs: what was saved by any version is read, and saved again as it was."""

import json

import pytest

from zeroseg.errors import ConfigError
from zeroseg.rules import Margin
from zeroseg.student.config import ReadOut, StudentConfig, plain_settings
from zeroseg.training.distillation import DistillConfig

SAVED = """{
  "image_size": 96, "patch_size": 8, "width": 128, "layers": 4, "heads": 4, "activation": "gelu", "input_norm": true,
  "decoder_width": 96, "decoder_layers": 0, "decoder_heads": 4, "head_layers": 5, "grouping_after": [2, 4],
  "segment_tokens": [32, 16], "assignment": "cosine", "temperature": 1.0, "segment_embedding": "token",
  "embedding_width": 96, "patch_head": true, "inference_size": 96, "teacher": "bundled",
  "read_out": {
    "naming": "patches", "background": "margin", "product_threshold": 0.95, "margin": 7.0, "keep_mean": true,
    "background_words": [
      "grass", "meadow", "sand", "water", "snow", "brick", "wood", "cobblestone", "sky", "night sky"
    ],
    "refinement": 10
  }
}"""
"""The bundled student's, from when read-outs knew neither softmax nor sigmoid."""


def test_a_former_config_is_read():
    config = StudentConfig.from_json(json.loads(SAVED))
    assert config.segment_tokens == (32, 16)
    words = ("grass", "meadow", "sand", "water", "snow", "brick", "wood", "cobblestone", "sky", "night sky")
    assert config.read_out == ReadOut("patches", Margin(7.0), words, refinement=10)


def test_a_former_config_is_saved_under_the_same_keys():
    """What it did not know yet stands beside them at its usual value."""
    former = json.loads(SAVED)
    saved = json.loads(json.dumps(StudentConfig.from_json(former).to_json()))
    newer = {"softmax_scale": 40.0, "threshold": 0.1, "sigmoid_threshold": 0.5}
    of_towers = {"class_token": True, "norm_epsilon": 1e-5, "last_attention": "all", "patch_projection": "mlp"}
    assert saved == {"encoder": "vit", **former, **of_towers, "read_out": {**former["read_out"], **newer}}


def test_smallest_region_is_saved_only_where_it_changes_something():
    """Runs and records of earlier versions are compared with settings key by key."""
    assert "smallest_region" not in ReadOut(refinement=10).to_json()
    chosen = ReadOut(refinement=10, smallest_region=0.001)
    assert chosen.to_json()["smallest_region"] == 0.001
    assert ReadOut.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen


@pytest.mark.parametrize("fraction", [-0.1, 1, True, "small", float("nan")])
def test_smallest_region_is_a_fraction(fraction: object):
    with pytest.raises(ConfigError, match="smallest_region must be a fraction"):
        ReadOut.from_json({"smallest_region": fraction})


def test_the_limit_of_likeness_is_a_cosine_and_saved_only_where_it_changes_something():
    assert "alike" not in ReadOut().to_json()
    chosen = ReadOut(alike=0.4)
    assert ReadOut.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen
    for value in (1.1, -2, True, "much", float("nan")):
        with pytest.raises(ConfigError, match="alike must be a cosine, -1 to 1"):
            ReadOut.from_json({"alike": value})


def test_the_text_fingerprint_is_saved_if_there_is_one():
    """Without it nothing is saved: settings and records of earlier versions must stay equal to today's."""
    config = StudentConfig(text_fingerprint="cafe")
    assert config.to_json()["text_fingerprint"] == "cafe"
    assert StudentConfig.from_json(config.to_json()) == config
    assert "text_fingerprint" not in plain_settings(DistillConfig())["student"]
    assert StudentConfig.from_json(StudentConfig().to_json()) == StudentConfig()


def test_settings_of_a_run_hold_the_read_out_as_it_is_saved():
    plain = plain_settings(DistillConfig())
    assert plain["student"]["read_out"] == ReadOut().to_json()
    assert plain["loop"]["optimiser"]["learning_rate"] == DistillConfig().loop.optimiser.learning_rate
    assert json.loads(json.dumps(plain["student"])) == json.loads(json.dumps(DistillConfig().student.to_json()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"widht": 4}, "unknown keys: widht"),
        ({"read_out": {"treshold": 0.5}}, "unknown keys: treshold"),
        ({"read_out": {"background": "otsu"}}, "no background rule 'otsu'"),
    ],
)
def test_what_no_student_has_is_refused(changes: dict[str, object], words: str):
    with pytest.raises(ConfigError, match=words):
        StudentConfig.from_json(json.loads(SAVED) | changes)

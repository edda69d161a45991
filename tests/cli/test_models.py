"""`zeroseg models`: bundled, in the hub's cache, to be fetched; never through the network."""

import json
import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.test_hub import snapshot
from tests.tiny import clip_folder, student
from zeroseg.models import BUNDLED, CATALOGUE, DEFAULT, TEACHER_TYPES
from zeroseg.teacher import ClipTeacher, LockedTeacher, SiglipTeacher


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of the hub; whoever uses the network fails."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("the network was used"))
    return tmp_path / "hub"


def test_the_table_names_all_models(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")  # lines are not broken
    said = call("models")
    assert (said.code, said.err) == (0, "")
    assert all(model.name in said.out for model in (*BUNDLED.values(), *CATALOGUE))
    (restricted,) = (model for model in CATALOGUE if not model.commercial)
    assert f"{restricted.licence}, not commercial" in said.out
    assert said.out.splitlines()[-1] == f"without --model: {DEFAULT}"


def test_models_in_the_cache_are_listed_if_they_can_be_loaded(call: Call, cache: Path):
    known = CATALOGUE[0].name
    clip_folder(snapshot(cache, known))
    clip_folder(snapshot(cache, "some/clip"))
    student().save_pretrained(snapshot(cache, "some/student"))
    (clip_folder(snapshot(cache, "some/half")) / "model.safetensors").unlink()
    (snapshot(cache, "some/bert") / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (snapshot(cache, "some/noise") / "config.json").write_text("[", encoding="utf-8")
    said = call("models", "--json")
    found = json.loads(said.out)
    assert [(model["name"], model["part"]) for model in found["cached"]] == [
        (known, "teacher"), ("some/clip", "teacher"), ("some/student", "student"),
    ]  # fmt: skip
    assert found["cached"][0]["licence"] == CATALOGUE[0].licence
    assert [model["name"] for model in found["hub"]] == [model.name for model in CATALOGUE[1:]]
    assert [model["name"] for model in found["bundled"]] == list(BUNDLED)
    assert found["default"] == DEFAULT


def test_without_a_cache_nothing_is_cached(call: Call):
    assert json.loads(call("models", "--json").out)["cached"] == []


def test_the_types_of_teachers_are_those_of_all_families():
    """They are written down once more, because the families load torch."""
    families = (ClipTeacher, LockedTeacher, SiglipTeacher)
    assert sorted(TEACHER_TYPES) == sorted(kind for family in families for kind in family.model_types)

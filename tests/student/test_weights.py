"""Students on disk and on the hub: what was saved comes back, and whatever is wrong is said in one sentence."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tiny import LITE_STUDENT, PATCH_STUDENT, STUDENT, student
from zeroseg import hub
from zeroseg.errors import ConfigError, WeightsError
from zeroseg.student import Student, StudentConfig
from zeroseg.student import weights as module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    student().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def refused(name: str | Path, words: str) -> str:
    """The one sentence with which a model is refused."""
    with pytest.raises(WeightsError, match=words) as caught:
        Student.from_pretrained(name)
    message = str(caught.value)
    assert "\n" not in message
    assert str(name) in message
    return message


# --- round trips ------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [STUDENT, PATCH_STUDENT, LITE_STUDENT], ids=["paper", "ours", "lite"])
def test_saved_student_comes_back_as_its_float16_self(config: StudentConfig, tmp_path: Path):
    model = student(config)
    model.target_mean += 0.3
    model.target_scale.fill_(0.07)
    model.save_pretrained(tmp_path)
    loaded = Student.from_pretrained(tmp_path)
    assert loaded.config == config
    assert not loaded.training
    ours, theirs = model.state_dict(), loaded.state_dict()
    assert ours.keys() == theirs.keys()
    for key, tensor in theirs.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, ours[key].half().float()), key
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(loaded(images).segments, model(images).segments, atol=0.05, rtol=0.05)


def test_saved_student_is_unchanged_and_saves_again_to_the_same_bytes(folder: Path, tmp_path: Path):
    Student.from_pretrained(folder).save_pretrained(tmp_path / "again")
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    model = student()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.save_pretrained(tmp_path / "other")
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_config_survives_json():
    for config in (StudentConfig(), STUDENT, PATCH_STUDENT, LITE_STUDENT):
        assert StudentConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_card_can_be_given(tmp_path: Path):
    student().save_pretrained(tmp_path, card="# Mine\n")
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "# Mine\n"


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()
    refused(folder, re.escape(name))


def test_empty_folder_and_no_folder(tmp_path: Path):
    refused(tmp_path, "not a student")
    refused(tmp_path / "nowhere", "no model folder")
    refused("./nowhere", "no model folder")
    refused("no-such-model", "no model folder")


NO_CONFIGS = [b"", b"{", b"[1, 2]", b"null", b'"words"', b"7", b"\xff\xfe\x00"]


@pytest.mark.parametrize("content", [*NO_CONFIGS, b'{"kind": "zeroseg-student", "width": "a"}'])
def test_config_that_is_no_config(folder: Path, content: bytes):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"config\.json cannot be read as a student's config"):
        Student.from_pretrained(folder)


@pytest.mark.parametrize("changes", [{"patch_size": 0}, {"heads": 0}, {"read_out": 5}, {"grouping_after": [1]}])
def test_config_with_impossible_values(folder: Path, changes: dict[str, object]):
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(values | changes), encoding="utf-8")
    with pytest.raises(WeightsError, match=r"config\.json"):
        Student.from_pretrained(folder)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_config_with_numbers_that_are_none(folder: Path, number: str):
    text = (folder / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(re.sub(r'"temperature": [0-9.]+', f'"temperature": {number}', text))
    with pytest.raises(WeightsError, match=rf"config\.json.*{number} is not a finite number"):
        Student.from_pretrained(folder)


def test_foreign_config_is_another_kind_of_model(folder: Path):
    (folder / "config.json").write_text(json.dumps({"model_type": "clip", "hidden_size": 3}), encoding="utf-8")
    refused(folder, "another kind of model")


def test_unknown_keys_are_named(folder: Path):
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(values | {"dropout": 0.1, "depth": 3}), encoding="utf-8")
    refused(folder, "unknown keys: depth, dropout")
    read_out = values["read_out"] | {"temperature": 1}
    (folder / "config.json").write_text(json.dumps(values | {"read_out": read_out}), encoding="utf-8")
    refused(folder, "unknown keys: temperature")


@pytest.mark.parametrize(
    "changes",
    [
        {"image_size": 33},
        {"width": 15},
        {"decoder_heads": 3},
        {"inference_size": 4},
        {"grouping_after": (4, 2)},
        {"grouping_after": (2, 6)},
        {"read_out": replace(STUDENT.read_out, naming="patches")},
    ],
)
def test_sizes_that_do_not_fit_together_are_refused(changes: dict[str, object]):
    with pytest.raises(ConfigError, match="cannot be built"):
        replace(STUDENT, **changes)


def test_missing_foreign_and_misshaped_tensors_are_counted(folder: Path):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    whole = dict(tensors)
    del tensors["encoder.class_token"]
    save_file(tensors, path)
    refused(folder, "1 tensors missing, 0 unexpected, 0 of another shape")
    save_file(whole | {"surplus": torch.zeros(2), "more": torch.zeros(2)}, path)
    refused(folder, "0 tensors missing, 2 unexpected, 0 of another shape")
    save_file(whole | {"encoder.class_token": torch.zeros(1, 1, 3)}, path)
    refused(folder, "0 tensors missing, 0 unexpected, 1 of another shape")


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"\xff" * 64])
def test_damaged_weights_are_said_to_be_damaged(folder: Path, content: bytes):
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged"):
        Student.from_pretrained(folder)


def test_truncated_weights_are_said_to_be_damaged(folder: Path):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="damaged"):
        Student.from_pretrained(folder)


# --- the hub ----------------------------------------------------------------------------------------


def test_hub_name_is_downloaded(folder: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[str, list[str]]] = []

    def download(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        return str(folder)

    monkeypatch.setattr(hub, "snapshot_download", download)
    monkeypatch.setattr(hub, "_connects", lambda *_: True)
    assert Student.from_pretrained("someone/zeroseg-small").config == STUDENT
    assert asked == [("someone/zeroseg-small", ["config.json", "model.safetensors", "README.md"])]


def test_folder_goes_before_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder.parent.parent)
    monkeypatch.setattr(hub, "snapshot_download", lambda *_, **__: pytest.fail("the hub was asked"))
    assert Student.from_pretrained(f"{folder.parent.name}/{folder.name}").config == STUDENT


def test_push_uploads_a_whole_model_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    calls: list[tuple[str, object]] = []

    class FakeApi:
        def create_repo(self, repository: str, **options: object) -> None:
            calls.append((repository, options))

        def upload_folder(self, repo_id: str, folder_path: str) -> str:
            calls.append((repo_id, sorted(path.name for path in Path(folder_path).iterdir())))
            loaded = Student.from_pretrained(folder_path)
            loaded.save_pretrained(tmp_path / "uploaded")
            return "https://hub/commit"

    monkeypatch.setattr(module, "HfApi", FakeApi)
    assert student().push_to_hub("someone/mine", private=True) == "https://hub/commit"
    assert calls == [
        ("someone/mine", {"exist_ok": True, "private": True}),
        ("someone/mine", ["README.md", "config.json", "model.safetensors"]),
    ]
    assert Student.from_pretrained(tmp_path / "uploaded").config == STUDENT


def test_push_refuses_a_student_whose_teacher_nobody_else_has():
    """A path of this machine would end up on the hub, and the student would load for nobody."""
    with pytest.raises(WeightsError, match="push the teacher"):
        student(replace(STUDENT, teacher="/home/someone/teacher")).push_to_hub("someone/mine")

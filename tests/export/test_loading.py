"""Exported models are loaded like others, and what is wrong with one is said in a sentence."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from tests.tiny import photo, write_photos
from zeroseg.cli import main
from zeroseg.encoding import StudentEncoder, fingerprint
from zeroseg.errors import ConfigError, OutputError, WeightsError
from zeroseg.evaluation.cost import encoding_flops
from zeroseg.export import Form, export
from zeroseg.exported import is_exported, read
from zeroseg.exported.folder import file_hash
from zeroseg.segmenter import Segmenter


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of the export that a test may change."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_the_folder_says_what_it_is(segmenter: Segmenter, folder: Path):
    """Its config has the student's settings, the versions that made it and a hash of each file; no path of ours."""
    assert is_exported(folder)
    description = read(folder)
    assert isinstance(segmenter.encoder, StudentEncoder)
    assert description.student == segmenter.encoder.config
    assert {"onnx", "onnxruntime", "torch", "zeroseg"} <= description.versions.keys()
    assert sorted([*description.files, "config.json"]) == sorted(path.name for path in folder.iterdir())
    for path in folder.iterdir():
        assert str(Path(__file__).parents[2]).encode() not in path.read_bytes()


def test_known_words_come_along(segmenter: Segmenter, folder: Path):
    """So labels that the teacher has not learned are reported, and others are read as those that it knows."""
    loaded = Segmenter.from_pretrained(folder)
    assert loaded.teacher.known_words == segmenter.teacher.known_words
    assert loaded.teacher.reading("kitten") == "cat"


def test_a_fingerprint_tells_exports_apart(segmenter: Segmenter, folder: Path, copy: Path):
    """Results of one are no results of another, nor of the student itself."""
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"precision": "fp16"}))
    seen = {fingerprint(one.encoder) for one in (segmenter, *map(Segmenter.from_pretrained, (folder, copy)))}
    assert len(seen) == 3
    assert fingerprint(Segmenter.from_pretrained(folder).encoder) in seen


def test_operations_are_those_of_the_student(segmenter: Segmenter, folder: Path):
    """A runtime counts none itself."""
    assert encoding_flops(Segmenter.from_pretrained(folder), photo()) == encoding_flops(segmenter, photo()) > 0


def test_sides_must_be_whole_patches(folder: Path):
    with pytest.raises(WeightsError, match="multiples of 8 pixels, not 30 x 32"):
        Segmenter.from_pretrained(folder).encoder.encode(torch.rand(1, 3, 32, 30), [(32, 30)])


@pytest.mark.parametrize("name", ["image.onnx", "tokenizer.json", "known_words.txt"])
def test_damaged_and_missing_files_are_named(copy: Path, name: str):
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[:-1] + b"?")
    with pytest.raises(WeightsError, match=f"{name} is damaged"):
        Segmenter.from_pretrained(copy)
    (copy / name).unlink()
    with pytest.raises(WeightsError, match=f"has no {name}"):
        Segmenter.from_pretrained(copy)


@pytest.mark.parametrize("change", [{"runtime": "caffe"}, {"text": None}, {"files": {}}, {"student": {"depth": 1}}])
def test_a_wrong_config_is_refused(copy: Path, change: dict[str, object]):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(WeightsError, match=r"config.*(caffe|subscriptable|names no image|unknown keys)"):
        Segmenter.from_pretrained(copy)


def test_a_file_of_another_version_is_reported(copy: Path):
    """Its hash is right, but the runtime cannot read it."""
    (copy / "image.onnx").write_bytes(b"no network")
    config = json.loads((copy / "config.json").read_text())
    config["files"]["image.onnx"] = file_hash(copy / "image.onnx")
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="cannot be read by this version of onnx"):
        Segmenter.from_pretrained(copy)


def test_a_missing_runtime_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(WeightsError, match=r'needs onnxruntime: pip install "zeroseg\[export\]"'):
        Segmenter.from_pretrained(folder)


def test_exported_models_stay_on_the_cpu(folder: Path):
    with pytest.raises(WeightsError, match="run on the CPU, not on cuda"):
        Segmenter.from_pretrained(folder, device="cuda")


def test_what_cannot_be_exported(segmenter: Segmenter, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(WeightsError, match="exported already"):
        export(Segmenter.from_pretrained(folder), tmp_path / "again", Form("onnx", "fp32"))
    with pytest.raises(OutputError, match="not empty"):
        export(segmenter, folder, Form("onnx", "fp32"))
    with pytest.raises(ConfigError, match="torch has no int8"):
        Form("torch", "int8")
    monkeypatch.setattr("zeroseg.export.making.find_spec", lambda name: None if name == "openvino" else name)
    with pytest.raises(ConfigError, match=r"openvino needs openvino: pip install"):
        Form("openvino", "fp32")


def test_commands_take_the_folder_as_a_model(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (photo_path,) = write_photos(tmp_path, 1)
    words = ["--labels", "dog, grass", "--model", str(folder), "--out", str(tmp_path / "out")]
    assert main(["segment", str(photo_path), *words]) == 0
    assert (tmp_path / "out" / "photo00.png").is_file()
    assert main(["segment", str(photo_path), *words, "--device", "cuda:7"]) == 2
    assert "cannot be used here" in capsys.readouterr().err


def test_the_command_says_what_is_wrong_before_it_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for words, said in (
        ([], "name a new folder with --out"),
        (["--out", "x", "--calibrate", "y"], "--calibrate goes with --precision int8"),
        (["--out", str(tmp_path / "x"), "--precision", "int8", "--calibrate", str(tmp_path)], "No picture found"),
    ):
        assert main(["export", "picturebook", *words]) in (1, 2)
        assert said in capsys.readouterr().err

"""Exported models are loaded like others, and what is wrong with one is said in a sentence."""

from __future__ import annotations

import errno
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.tiny import photo, student, write_photos
from zeroseg.cli import main
from zeroseg.encoding import StudentEncoder, fingerprint
from zeroseg.errors import ConfigError, OutputError, TeacherError, WeightsError
from zeroseg.evaluation.cost import encoding_flops
from zeroseg.export import Form, export
from zeroseg.exported import is_exported, read
from zeroseg.exported.folder import checksum, file_hash
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.teacher import Teacher


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of the export that a test may change."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def change_config(copy: Path, **changes: object) -> None:
    """As an export would have written it."""
    values = json.loads((copy / "config.json").read_text()) | changes
    (copy / "config.json").write_text(json.dumps(values | {"checksum": checksum(values)}))


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
    change_config(copy, precision="fp16")
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
    """Also one that nobody changed by hand, but another version wrote."""
    change_config(copy, **change)
    with pytest.raises(WeightsError, match=r"config.*(of another version: export the model again|names no image)"):
        Segmenter.from_pretrained(copy)


@pytest.mark.parametrize("damage", [lambda text: text.replace("0", "1", 1), lambda text: text[:-9], lambda _: "[1]"])
def test_a_config_that_was_changed_is_refused(copy: Path, damage: Callable[[str], str]):
    """Else masks would be silently wrong, without its read-out, or the first picture would end in a traceback."""
    text = (copy / "config.json").read_text(encoding="utf-8")
    (copy / "config.json").write_text(damage(text), encoding="utf-8")
    with pytest.raises(WeightsError, match=r"config.json is damaged, was changed by hand, or is of another version"):
        Segmenter.from_pretrained(copy)


def test_an_export_is_no_student_to_train_and_no_teacher(folder: Path, tmp_path: Path):
    with pytest.raises(WeightsError, match="is an exported model, for inference alone: name the student"):
        Student.from_pretrained(folder)
    with pytest.raises(TeacherError, match="is an exported model, not a teacher: name the teacher that"):
        Teacher.from_pretrained(folder)
    student().save_pretrained(tmp_path / "student")
    with pytest.raises(TeacherError, match="is a student, not a teacher: name the teacher that"):
        Teacher.from_pretrained(tmp_path / "student")


def test_a_full_disk_is_one_sentence(segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """torch would end the process, and OpenVINO says nothing of the disk."""

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr("openvino.save_model", full)
    with pytest.raises(OutputError, match=r"image.bin': OpenVINO could not write it, perhaps because the disk is full"):
        export(segmenter, tmp_path / "export", Form("openvino", "fp32"))

    def write_bytes(path: Path, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(OutputError, match=r"image.pt2': the disk is full"):
        export(segmenter, tmp_path / "export", Form("torch", "fp32"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_version_is_reported(copy: Path):
    """Its hash is right, but the runtime cannot read it."""
    (copy / "image.onnx").write_bytes(b"no network")
    files = json.loads((copy / "config.json").read_text())["files"]
    change_config(copy, files=files | {"image.onnx": file_hash(copy / "image.onnx")})
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

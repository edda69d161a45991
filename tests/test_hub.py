"""Models of the hub: from its cache without the network; and one sentence, soon, if they cannot be had."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import RepositoryNotFoundError

from tests.tiny import clip_folder, student
from zeroseg import hub
from zeroseg.errors import TeacherError, WeightsError
from zeroseg.models import BUNDLED, Part
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.teacher import Teacher

NOBODY = "http://127.0.0.1:9"  # the port of a service that discards what it gets, and that nobody runs


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and a hub that cannot be reached."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("HF_HUB_ETAG_TIMEOUT", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", NOBODY)
    return tmp_path / "hub"


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server on this machine that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def snapshot(cache: Path, name: str) -> Path:
    """The folder of a model in the cache, as `huggingface_hub` lays it out; empty."""
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("cafe", encoding="utf-8")
    (repository / "snapshots/cafe").mkdir(parents=True)
    return repository / "snapshots/cafe"


def refused(name: str | Path, part: Part, words: str) -> str:
    with pytest.raises(hub.ERRORS[part], match=words) as caught:
        hub.folder_of(name, part)
    message = str(caught.value)
    assert "\n" not in message
    assert str(name) in message
    return message


# --- what is on this machine ------------------------------------------------------------------------


def test_bundled_names_go_before_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "picturebook").mkdir()
    own = BUNDLED["picturebook"]
    assert hub.folder_of("picturebook", "student") == hub.folder_of("bundled", "student") == own.student
    assert hub.folder_of("picturebook", "teacher") == own.teacher
    for folder in ("./picturebook", Path("picturebook")):
        assert hub.folder_of(folder, "student").resolve() == (tmp_path / "picturebook").resolve()


def test_former_and_new_name_of_the_bundled_model_load_the_same():
    assert Student.from_pretrained("bundled").config == Student.from_pretrained("picturebook").config
    assert Teacher.from_pretrained("bundled").fingerprint == Teacher.from_pretrained("picturebook").fingerprint


def test_models_in_the_cache_need_no_network(cache: Path):
    clip_folder(snapshot(cache, "some/clip"))
    student().save_pretrained(snapshot(cache, "some/student"))
    assert Teacher.from_pretrained("some/clip").width == 16
    segmenter = Segmenter.from_pretrained("some/student", teacher="some/clip", device="cpu")
    assert segmenter.teacher.width == 16


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"])
def test_a_part_of_a_model_in_the_cache_is_not_enough(lost: str, cache: Path):
    folder = clip_folder(snapshot(cache, "some/clip"))
    assert hub.cached("some/clip", "teacher") == folder
    (folder / lost).unlink()
    assert hub.cached("some/clip", "teacher") is None
    refused("some/clip", "teacher", "not on this machine")


def test_weights_in_several_files_must_all_be_there(tmp_path: Path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text("not json", encoding="utf-8")
    assert not hub.has_weights(tmp_path)
    index.write_text(json.dumps({"weight_map": {"a": "model-1-of-2", "b": "model-2-of-2"}}), encoding="utf-8")
    (tmp_path / "model-1-of-2").touch()
    assert not hub.has_weights(tmp_path)
    (tmp_path / "model-2-of-2").touch()
    assert hub.has_weights(tmp_path)


# --- what is not, and the hub cannot be reached -------------------------------------------------------


@pytest.mark.parametrize("part", ["student", "teacher"])
def test_a_hub_that_refuses_connections_is_one_sentence_within_two_seconds(part: Part):
    started = time.monotonic()
    said = refused("some/model", part, "is not on this machine, and http://127.0.0.1:9 does not answer")
    assert time.monotonic() - started < 2
    assert all(name in said for name in BUNDLED)
    with pytest.raises(TeacherError, match="is not on this machine"):
        Teacher.from_pretrained("some/model")


def test_a_network_that_is_silent_is_one_sentence_within_two_seconds(monkeypatch: pytest.MonkeyPatch):
    """Looking up a name may hang for much longer than any time limit of the connection."""

    def look_up(*_: object, **__: object) -> None:
        time.sleep(4)
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", look_up)
    started = time.monotonic()
    refused("some/model", "teacher", "does not answer")
    assert time.monotonic() - started < 2


def test_on_a_slow_network_more_seconds_can_be_asked_for(server: str, monkeypatch: pytest.MonkeyPatch):
    connect = socket.create_connection

    def slowly(address: tuple[str, int], timeout: float) -> socket.socket:
        time.sleep(0.4)
        return connect(address, timeout)

    monkeypatch.setattr(socket, "create_connection", slowly)
    monkeypatch.setattr(hub, "SECONDS", 0.1)
    monkeypatch.setattr(constants, "ENDPOINT", server)
    monkeypatch.setattr(hub, "snapshot_download", lambda *_, **__: "downloaded")
    refused("some/student", "student", "set HF_HUB_ETAG_TIMEOUT=30")
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "10")
    assert hub.folder_of("some/student", "student") == Path("downloaded")


def test_behind_a_proxy_the_proxy_is_asked(server: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub, "snapshot_download", lambda *_, **__: "downloaded")
    monkeypatch.setattr(constants, "ENDPOINT", server)
    assert hub.folder_of("some/student", "student") == Path("downloaded")
    monkeypatch.setattr(constants, "ENDPOINT", NOBODY)
    refused("some/student", "student", "does not answer")
    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    refused("some/student", "student", "does not answer")
    monkeypatch.setenv("http_proxy", server)
    assert hub.folder_of("some/student", "student") == Path("downloaded")
    monkeypatch.setenv("no_proxy", "hub.invalid")
    refused("some/student", "student", "does not answer")


def test_a_hub_that_is_switched_off_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("the network was used"))
    refused("some/model", "student", "HF_HUB_OFFLINE")


# --- downloads ----------------------------------------------------------------------------------------


def test_weights_are_taken_as_safetensors_and_else_pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[list[str]] = []

    def download(_: str, allow_patterns: list[str]) -> str:
        asked.append(allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr(hub, "_connects", lambda *_: True)
    monkeypatch.setattr(hub, "snapshot_download", download)
    hub.folder_of("some/clip", "teacher")
    assert asked == [list(hub.FILES["teacher"]), list(hub.PICKLED)]
    (tmp_path / "model.safetensors").touch()
    hub.folder_of("some/clip", "teacher")
    assert asked[2:] == [list(hub.FILES["teacher"])]


def test_names_that_the_hub_does_not_have(monkeypatch: pytest.MonkeyPatch):
    def download(*_: object, **__: object) -> str:
        raise RepositoryNotFoundError.__new__(RepositoryNotFoundError)  # it is made with the response of a server

    monkeypatch.setattr(hub, "_connects", lambda *_: True)
    monkeypatch.setattr(hub, "snapshot_download", download)
    said = refused("openai/clip-vit-base-patch61", "teacher", "the hub has no model of that name")
    assert "did you mean 'openai/clip-vit-base-patch16'?" in said


def test_a_download_that_fails(monkeypatch: pytest.MonkeyPatch):
    def download(*_: object, **__: object) -> str:
        raise ConnectionResetError("peer\ngone")

    monkeypatch.setattr(hub, "_connects", lambda *_: True)
    monkeypatch.setattr(hub, "snapshot_download", download)
    refused("some/model", "student", r"could not be downloaded from the hub \(ConnectionResetError\)")


@pytest.mark.parametrize("name", ["no-slash", "/absolute/path", "too/many/slashes", "./here/not", Path("a/path")])
def test_what_can_only_be_a_folder_is_not_looked_for_on_the_hub(name: str | Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub, "_connects", lambda *_: pytest.fail("the network was used"))
    refused(name, "student", "there is no model folder")


def test_a_mistyped_bundled_name_is_recognised():
    assert "did you mean 'picturebook'?" in refused("picturbook", "teacher", "there is no model folder")


def test_an_impossible_hub_name():
    assert hub.cached("some/..model", "teacher") is None


# --- before torch is loaded -----------------------------------------------------------------------------


def test_student_and_teacher_are_located_without_loading_them(tmp_path: Path):
    student().save_pretrained(tmp_path / "student")  # its teacher is "tiny"
    with pytest.raises(TeacherError, match="'tiny'"):
        hub.locate(str(tmp_path / "student"), None, "student")
    hub.locate(str(tmp_path / "student"), "picturebook", "student")
    hub.locate("picturebook", None, "student")
    hub.locate("picturebook", None, "teacher")
    with pytest.raises(WeightsError, match=re.escape("some/student")):
        hub.locate("some/student", None, "student")
    with pytest.raises(TeacherError, match="some/clip"):
        hub.locate("picturebook", "some/clip", "teacher")
    (tmp_path / "student/config.json").write_text("not json", encoding="utf-8")
    hub.locate(str(tmp_path / "student"), None, "student")  # whoever reads it says what is wrong

"""`zeroseg label-studio`: it starts, answers, and ends with Ctrl-C; wrong arguments are one sentence."""

import json
import socket
import threading
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.cli.conftest import Call, Models, assert_one_sentence
from zeroseg.label_studio import Server


def test_it_answers_until_it_is_interrupted(
    call: Call, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that is printed is the one that answers."""
    asked: list[tuple[int, str]] = []

    def one_request_then_ctrl_c(server: Server) -> None:
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        with urlopen(f"http://localhost:{server.server_port}/health", timeout=60) as answer:
            asked.append((server.server_port, json.loads(answer.read())["status"]))
        thread.join(timeout=60)
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", one_request_then_ctrl_c)
    said = call("label-studio", "--root", tmp_path, "--model", models.student, "--port", 0)
    ((port, status),) = asked
    assert (said.code, status, said.err) == (0, "UP", "")
    assert said.out == f"http://localhost:{port} answers Label Studio; Ctrl-C ends it.\nended.\n"


def test_wrong_arguments(call: Call, models: Models, tmp_path: Path) -> None:
    """Before a model is loaded, if that is possible."""
    assert_one_sentence(call("label-studio", "--root", tmp_path / "none"), 2, "no folder")
    assert_one_sentence(call("label-studio", "--label-studio", "localhost:8080"), 2, "http://localhost:8080")
    assert_one_sentence(call("label-studio", "--port", 70_000), 2, "--port must be")
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        said = call("label-studio", "--root", tmp_path, "--model", models.student, "--port", port)
    assert_one_sentence(said, 2, f"port {port}", "--port")

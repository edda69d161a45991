"""`zeroseg serve` begins, and says what its user should know."""

from __future__ import annotations

import socket

import pytest

from tests.cli.conftest import Call
from zeroseg.web import server


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is served."""
    monkeypatch.setattr(server, "serve", lambda *given: given[3]())
    monkeypatch.delenv("ZEROSEG_TOKEN", raising=False)


def test_on_this_machine_nothing_is_said(call: Call) -> None:
    """The address, and no warning."""
    said = call("serve", "--port", 0, "--model", "picturebook")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("http://localhost:")
    assert said.out.endswith("is ready; Ctrl-C ends it.\nended.\n")


def test_in_a_network_it_is_said_what_is_missing(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token, and the name of the machine; each only where it is missing."""
    arguments = ("serve", "--port", 0, "--model", "picturebook", "--host", "0.0.0.0")
    said = call(*arguments).err
    assert "set a token in ZEROSEG_TOKEN" in said
    assert "--allow-host" in said
    assert "token" in call(*arguments, "--allow-host", "masks.example.org").err
    monkeypatch.setenv("ZEROSEG_TOKEN", "secret")
    said = call(*arguments, "--allow-host", "masks.example.org")
    assert said.err == ""
    assert "(with the token)" in said.out


def test_what_makes_no_sense(call: Call) -> None:
    """One sentence."""
    for arguments, words in (
        (("--port", 70_000), "--port"),
        (("--waiting", 0), "--waiting"),
        (("--host", "256.0.0.1"), "cannot listen"),
    ):
        said = call("serve", *arguments)
        assert said.code == 2
        assert words in said.err
    with socket.create_server(("localhost", 0)) as taken:
        said = call("serve", "--port", taken.getsockname()[1])
    assert "choose another --host or --port" in said.err

"""What every request must pass."""

from __future__ import annotations

import pytest

from tests.web.serving import served
from zeroseg.web.guard import LOCAL, allowed_hosts


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("LOCALHOST:8000", 200), ("127.0.0.1:9", 200), ("[::1]:80", 200), ("evil.example", 421),
     ("localhost.evil.example", 421), ("", 421), ("localhost:80:80", 421)],
)  # fmt: skip
def test_only_our_own_names_are_answered(host: str, status: int) -> None:
    """Pages of other sites can give this computer a name of theirs (DNS rebinding)."""
    with served() as client:
        assert client.get("/v1/models", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:8000", 422), ("http://evil.example", 403), ("null", 403), ("http://localhost:8001", 403)],
)
def test_pages_of_other_sites_are_not_answered(origin: str, status: int) -> None:
    """422: it came in, and its body was looked at."""
    with served() as client:
        headers = {"host": "localhost:8000", "origin": origin}
        assert client.post("/v1/name", json={}, headers=headers).status_code == status


def test_a_token_is_asked_for() -> None:
    """Of programs and of the page's requests; the page itself, and health, are open."""
    with served(token="secret-ä") as client:
        for given in ("", "Bearer", "Bearer wrong", "Basic secret-ä", "secret-ä"):
            answer = client.get("/v1/models", headers=[(b"authorization", given.encode())])
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), given
        assert client.get("/v1/models", headers=[(b"authorization", "Bearer secret-ä".encode())]).status_code == 200
        assert client.get("/v1/models", headers=[(b"authorization", "bearer secret-ä".encode())]).status_code == 200
        assert client.get("/metrics").status_code == 401
        assert client.get("/").status_code == client.get("/health/live").status_code == 200


def test_browsers_are_told_to_load_nothing_from_elsewhere() -> None:
    """On the page, on answers, and on refusals."""
    with served() as client:
        for path, host in (("/", "localhost"), ("/v1/models", "localhost"), ("/nothing", "localhost"), ("/", "evil")):
            headers = client.get(path, headers={"host": host}).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"


def test_the_page_cannot_be_left() -> None:
    """Paths that lead out of its folder, or of that of the samples."""
    with served() as client:
        for path in (
            "/../api.py",
            "/%2e%2e/api.py",
            "/samples/../../web/api.py",
            "/samples/..%2f..%2fmodels.py",
            "//etc/passwd",
        ):
            answer = client.get(path)
            assert answer.status_code == 404, path
        assert client.get("/samples/cat.jpg").headers["content-type"] == "image/jpeg"


def test_names_of_the_user_are_allowed() -> None:
    """Beside those of this machine."""
    assert allowed_hosts("0.0.0.0", ["Masks.Example.org:8000"]) == (*LOCAL, "0.0.0.0", "masks.example.org")
    assert allowed_hosts("2001:db8::1", ["*"]) == (*LOCAL, "[2001:db8::1]", "*")

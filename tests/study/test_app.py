"""The voting page as an application: what it tells, what it stores, and whom it refuses."""

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from tests.study.drawn import NAMES, drawn_study
from zeroseg.study import Answers
from zeroseg.study.app import app


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_study(tmp_path_factory.mktemp("drawn") / "study", 4, seed=731_199)


@pytest.fixture
def study(drawn: Path, tmp_path: Path) -> Path:
    return shutil.copytree(drawn, tmp_path / "study")


@pytest.fixture
def client(study: Path) -> TestClient:
    return TestClient(app(study))


@pytest.fixture
def token(study: Path) -> str:
    return Answers(study).invite(1)[0].token or ""


def data_of(page: str) -> dict:
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(data)


def test_a_rater_sees_questions_and_pictures(client: TestClient, token: str, study: Path):
    page = client.get(f"/r/{token}")
    assert page.status_code == 200
    asked = data_of(page.text)
    assert [question["id"] for question in asked["questions"]] == list(Answers(study).asked(token) or {})
    assert len(asked["questions"]) == 7
    assert "7 pictures" in page.text
    for question in asked["questions"]:
        for name in ("picture", "left", "right"):
            picture = client.get(f"{asked['pictures']}{question[name]}.jpg")
            assert picture.headers["content-type"] == "image/jpeg"
            assert picture.content == (study / "pictures" / f"{question[name]}.jpg").read_bytes()
    for address in ("/voting.js", "/voting.css"):
        assert address in page.text
        assert client.get(address).status_code == 200


def test_nothing_that_is_answered_tells_a_model(client: TestClient, token: str):
    seen = [client.get(f"/r/{token}"), client.get("/"), client.get("/voting.js"), client.get("/nowhere")]
    question = data_of(seen[0].text)["questions"][0]["id"]
    seen.append(client.put(f"/r/{token}/votes/{question}", json={"side": "left"}))
    for response in seen:
        said = response.text.lower() + str(response.headers).lower()
        for word in (*NAMES, "731199", "photo 1.jpg", "zeroseg", "scrambled"):
            assert word.lower() not in said


def test_the_page_loads_nothing_from_elsewhere_and_runs_no_inline_code(client: TestClient, token: str):
    page = client.get(f"/r/{token}")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"https?://", page.text + client.get("/voting.css").text)
    assert not re.search(r"\son\w+=|style=|<script>", page.text)
    assert not re.findall(r"\[\[\w+\]\]", page.text)


def test_votes_are_stored_changed_and_shown_again(client: TestClient, token: str, study: Path):
    first, second = [question["id"] for question in data_of(client.get(f"/r/{token}").text)["questions"]][:2]
    assert client.put(f"/r/{token}/votes/{first}", json={"side": "left"}).json() == {"side": "left"}
    client.put(f"/r/{token}/votes/{first}", json={"side": "right"})
    client.put(f"/r/{token}/votes/{second}", json={"side": "left"})
    assert data_of(client.get(f"/r/{token}").text)["answers"] == {first: "right", second: "left"}
    assert len(Answers(study).votes()) == 2


@pytest.mark.parametrize(
    "body",
    [b"", b"left", b'{"side": "up"}', b'{"side": ["left"]}', b"[]", b"[" * 900, b'{"side": "left"}' + b" " * 2000],
)
def test_what_is_no_vote_is_refused(client: TestClient, token: str, study: Path, body: bytes):
    question = data_of(client.get(f"/r/{token}").text)["questions"][0]["id"]
    response = client.put(f"/r/{token}/votes/{question}", content=body)
    assert response.status_code == 400
    assert "side" in response.json()["error"]
    assert Answers(study).votes() == []


def test_strangers_find_nothing(client: TestClient, token: str):
    question = data_of(client.get(f"/r/{token}").text)["questions"][0]
    assert client.put(f"/r/stranger/votes/{question['id']}", json={"side": "left"}).status_code == 404
    assert client.put(f"/r/{token}/votes/stranger", json={"side": "left"}).status_code == 404
    for address in ("/r/stranger", "/pictures/stranger.jpg", "/pictures/..%2Fkey.jpg", "/key.json", "/questions.json"):
        response = client.get(address)
        assert response.status_code == 404, address
        assert "Nothing is here" in response.text
    assert client.post(f"/r/{token}/votes/{question['id']}").status_code == 405
    assert "open the link" in client.get("/").text


def test_a_picture_that_was_removed_is_not_found(client: TestClient, token: str, study: Path):
    name = data_of(client.get(f"/r/{token}").text)["questions"][0]["left"]
    (study / "pictures" / f"{name}.jpg").unlink()
    assert client.get(f"/pictures/{name}.jpg").status_code == 404


def test_answers_that_cannot_be_stored_are_said(
    client: TestClient, token: str, study: Path, caplog: pytest.LogCaptureFixture
):
    """To the rater without details, to the author with them; both may go on when it is repaired."""
    question = data_of(client.get(f"/r/{token}").text)["questions"][0]["id"]
    answers = study / "answers.sqlite"
    kept = answers.read_bytes()
    answers.unlink()
    answers.mkdir()
    page, vote = client.get(f"/r/{token}"), client.put(f"/r/{token}/votes/{question}", json={"side": "left"})
    assert (page.status_code, vote.status_code) == (503, 503)
    assert "Come again later" in page.text
    assert "send it again" in vote.json()["error"]
    assert "answers" not in page.text
    assert [record.getMessage() for record in caplog.records if "unable to open" in record.getMessage()]
    answers.rmdir()
    answers.write_bytes(kept)
    assert client.put(f"/r/{token}/votes/{question}", json={"side": "left"}).status_code == 200


def test_a_rater_may_go_while_an_answer_is_sent(study: Path, token: str):
    """That is no failure of the server."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    path = f"/r/{token}/votes/none"
    scope = {"type": "http", "method": "PUT", "path": path, "raw_path": path.encode(), "headers": [], "root_path": ""}
    asyncio.run(app(study)({**scope, "query_string": b"", "http_version": "1.1"}, receive, send))
    assert sent[0]["status"] == 408

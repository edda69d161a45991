"""The addresses: their masks are the segmenter's own, and what is wrong is said."""

from __future__ import annotations

import base64
import json
import time
import zipfile
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.web.serving import LABELS, encoded, png, segmenters, served
from zeroseg.formats import DATASET_FORMATS, PICTURE_FORMATS
from zeroseg.presence import judge, without_absent
from zeroseg.segmenter import Segmenter
from zeroseg.vocabulary import Vocabulary, merged_vocabulary
from zeroseg.web.client import segmentation_of as of_answer
from zeroseg.web.limits import Limits


@pytest.fixture(scope="module")
def client() -> Any:
    """Of one server."""
    with served() as one:
        yield one


def embedded(client: TestClient, **more: Any) -> str:
    """The name of an embedding."""
    answer = client.post("/v1/embed", json={"image": encoded(png()), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["embedding"]


@pytest.mark.parametrize("model", ["patches", "segments"])
@pytest.mark.parametrize("form", [True, False])
@pytest.mark.parametrize("absent", ["drop", "keep"])
def test_masks_are_those_of_the_segmenter(client: TestClient, model: str, form: bool, absent: str) -> None:
    """By a form or by JSON, in one request or in two."""
    segmenter = segmenters()[model].reading(smallest_region=0.0005)
    words = Vocabulary(tuple(LABELS))
    seen = segmenter.encode(png())
    expected = without_absent(segmenter, seen, words) if absent == "drop" else segmenter.name(seen, words)
    options = {"model": model, "absent": absent, "mask": "runs"}
    if form:
        fields = {**options, "labels": ["dog, grass", '"red house"']}
        answer = client.post("/v1/segment", files={"image": ("a.png", png())}, data=fields)
    else:
        answer = client.post("/v1/segment", json={**options, "image": encoded(png()), "labels": LABELS})
    assert answer.status_code == 200, answer.text
    found = of_answer(answer.json())
    assert found.labels == expected.labels
    assert (found.class_map == expected.class_map).all()
    assert found.scores == pytest.approx(expected.scores, abs=1e-5)
    name = {"embedding": embedded(client, model=model), "labels": LABELS, "absent": absent, "mask": "runs"}
    again = client.post("/v1/name", json=name).json()
    assert again["mask"] == answer.json()["mask"]
    judged = judge(segmenter, seen, words)
    rows = answer.json()["labels"][int(found.has_background) :]
    assert [row["presence"] for row in rows] == pytest.approx(judged.sure, abs=1e-4)
    assert [row["absent"] for row in rows] == [absent == "drop" and bool(one) for one in judged.doubtful]


def test_the_mask_as_a_picture(client: TestClient) -> None:
    """A PNG with a palette: pixel values are numbers of labels."""
    name = {"embedding": embedded(client), "labels": LABELS, "absent": "keep"}
    runs = of_answer(client.post("/v1/name", json={**name, "mask": "runs"}).json())
    answer = client.post("/v1/name", json=name).json()
    with Image.open(BytesIO(base64.b64decode(answer["mask"]["png"]))) as picture:
        assert (np.asarray(picture) == runs.class_map).all()
        palette = picture.getpalette()
    assert palette is not None
    for row in answer["labels"][1:]:
        place = 3 * row["index"]
        assert "#{:02x}{:02x}{:02x}".format(*palette[place : place + 3]) == row["colour"]


def test_other_words_margin_and_refinement(client: TestClient) -> None:
    """Each option does what it does in Python."""
    segmenter = segmenters()["patches"].reading(smallest_region=0.0005)
    seen, name = segmenter.encode(png()), {"embedding": embedded(client), "absent": "keep", "mask": "runs"}
    labels = ["dog", {"label": "grass", "others": ["lawn", "meadow"]}]
    words = merged_vocabulary([("dog", ()), ("grass", ("lawn", "meadow"))])
    for change, read_out in (
        ({}, segmenter.read_out),
        ({"margin": 4.5}, segmenter.reading(background=segmenter.rule("margin").at(4.5)).read_out),
        ({"refine": False}, segmenter.reading(refinement=0).read_out),
    ):
        found = of_answer(client.post("/v1/name", json={**name, "labels": labels, **change}).json())
        assert (found.class_map == segmenter.name(seen, words, read_out).class_map).all()


@pytest.mark.parametrize(("longest", "size"), [(26, (20, 26)), (1, (1, 1)), (52, (40, 52)), (9000, (40, 52))])
def test_a_mask_can_be_smaller(client: TestClient, longest: int, size: tuple[int, int]) -> None:
    """Made at that size, and never larger than the image, whose size is said as well."""
    segmenter = segmenters()["patches"].reading(smallest_region=0.0005)
    name = {"embedding": embedded(client), "labels": LABELS, "absent": "keep", "mask": "runs", "longest": longest}
    answer = client.post("/v1/name", json=name).json()
    assert (answer["height"], answer["width"]) == (40, 52)
    expected = segmenter.name(replace(segmenter.encode(png()), size=size), Vocabulary(tuple(LABELS)))
    assert (of_answer(answer).class_map == expected.class_map).all()


def test_maps_give_the_masks_again(client: TestClient) -> None:
    """The label of every patch, from the scores that the answer holds."""
    segmenter = segmenters()["patches"]
    name = {"embedding": embedded(client), "labels": LABELS, "absent": "keep", "maps": True}
    maps = client.post("/v1/name", json=name).json()["maps"]
    scores, background = (
        np.frombuffer(base64.b64decode(maps[part]), "<f2").astype(np.float32) for part in ("scores", "background")
    )
    labels = scores.reshape(len(maps["labels"]), -1)
    winner = np.where(
        labels.max(axis=0) > background + maps["margin"], np.array(maps["labels"])[labels.argmax(axis=0)], 0
    )
    logits = segmenter.read_out.background.logits(segmenter.scores(segmenter.encode(png()), Vocabulary(tuple(LABELS))))
    assert (winner == logits.argmax(dim=1).numpy()).mean() > 0.98  # halves are rounded
    answer = client.post(
        "/v1/segment", json={"image": encoded(png()), "labels": ["dog"], "model": "segments", "maps": True}
    )
    assert answer.json()["maps"] is None


@pytest.mark.parametrize("form", [*PICTURE_FORMATS, *DATASET_FORMATS])
def test_every_format_can_be_had(client: TestClient, form: str) -> None:
    """As one file, or as an archive with all files of the format."""
    name = {"embedding": embedded(client), "labels": LABELS, "absent": "keep"}
    answer = client.post("/v1/export", json={**name, "format": form, "photo": "../a b/dög.jpg"})
    assert answer.status_code == 200, answer.text
    assert 'filename="' in answer.headers["content-disposition"]
    assert ".." not in answer.headers["content-disposition"]
    assert answer.content
    if answer.headers["content-type"] == "application/zip" and form != "cvat":
        with zipfile.ZipFile(BytesIO(answer.content)) as archive:
            assert len(archive.namelist()) > 1
            assert not any(part.startswith(("/", "..")) for part in archive.namelist())


@pytest.mark.parametrize("photo", ["a\0b.jpg", "a\nb.jpg", "..", ".", "\N{CAT FACE}" * 200, "a." + "b" * 300, "/"])
@pytest.mark.parametrize("form", ["coco-panoptic", "yolo", "voc-png", "labelme"])
def test_photos_may_be_called_anything(client: TestClient, form: str, photo: str) -> None:
    """Also what no file can be called, and what is too long for the files of a format."""
    name = {"embedding": embedded(client), "labels": LABELS, "absent": "keep"}
    answer = client.post("/v1/export", json={**name, "format": form, "photo": photo})
    assert answer.status_code == 200, answer.text
    assert 'filename=".' not in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    ("path", "values", "status", "said"),
    [
        ("/v1/name", {"labels": ["a"]}, 422, "embedding: this field is missing"),
        ("/v1/name", {"embedding": "none", "labels": ["a"]}, 404, "embed the image again"),
        ("/v1/name", {"embedding": "none", "labels": []}, 422, "labels: name at least one"),
        ("/v1/name", {"embedding": "none", "labels": ["a"], "unknown": 1}, 422, "unknown: there is no such field"),
        ("/v1/name", {"embedding": "none", "labels": ["a"], "longest": 0}, 422, "longest"),
        ("/v1/name", {"embedding": "none", "labels": ["a"], "margin": 1e9}, 422, "margin"),
        ("/v1/name", [1], 422, "object"),
        ("/v1/segment", {"image": "ä", "labels": ["a"]}, 422, "base64"),
        ("/v1/segment", {"image": "", "labels": ["a"]}, 422, "empty"),
        ("/v1/segment", {"image": "AAAA", "labels": ["a"]}, 422, "not a picture"),
        ("/v1/segment", {"image": "AAAA", "labels": ["a" * 301]}, 422, "301 letters"),
        ("/v1/segment", {"image": "AAAA", "labels": ["a", " "]}, 422, "blank"),
        ("/v1/segment", {"image": "AAAA", "labels": [{"label": "a", "others": [" "]}]}, 422, "blank"),
        ("/v1/segment", {"image": "AAAA", "labels": [{"label": "a", "others": ["\ud800"]}]}, 422, "Unicode"),
        ("/v1/segment", {"image": "AAAA", "labels": [f"a{n}" for n in range(1001)]}, 422, "1,001 labels"),
        ("/v1/embed", {"image": "AAAA", "model": "other"}, 404, "no model 'other'"),
        ("/v1/embed", {"image": "http://example.org/a.jpg"}, 422, "base64"),
        ("/v1/export", {"embedding": "none", "labels": ["a"], "format": "doc"}, 422, "format"),
        ("/v1/nothing", {}, 405, "method not allowed"),
        ("/v1/models", {}, 405, "takes GET, not POST"),
    ],
)
def test_what_is_wrong_is_one_sentence(client: TestClient, path: str, values: Any, status: int, said: str) -> None:
    """With a status and a code for programs."""
    answer = client.post(path, content=json.dumps(values), headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    fault = answer.json()["error"]
    assert said in fault["message"]
    assert fault["message"].endswith(".")
    assert fault["code"]
    assert "Traceback" not in answer.text


def test_an_address_says_what_it_takes(client: TestClient) -> None:
    """Not that it is missing."""
    answer = client.get("/v1/segment")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "takes POST, not GET" in answer.json()["error"]["message"]
    assert client.get("/v1/other").status_code == 404


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"{", "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b"[" * 200_000, "application/json", 422),
        (b"x", "text/plain", 415),
        (b"x", "multipart/form-data", 422),
        (b"x", "multipart/form-data; boundary=y", 422),
        (b"", "", 415),
    ],
)
def test_bodies_that_are_no_requests(client: TestClient, content: bytes, media: str, status: int) -> None:
    """Refused, whatever they are."""
    answer = client.post("/v1/segment", content=content, headers={"content-type": media} if media else {})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


def test_large_requests_and_pictures_are_refused() -> None:
    """By the length that they claim, by what they send, and by the header of the picture."""
    with served(Limits(bytes=5000, megapixels=0.001)) as client:
        assert (
            client.post("/v1/embed", content=b"x" * 6000, headers={"content-type": "application/json"}).status_code
            == 413
        )
        pieces = (b"x" * 1000 for _ in range(8))
        assert client.post("/v1/embed", content=pieces, headers={"content-type": "application/json"}).status_code == 413
        answer = client.post("/v1/embed", files={"image": ("a.png", png())})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "megapixels")


def test_who_watches_over_it(client: TestClient) -> None:
    """Models, health and figures."""
    offered = client.get("/v1/models").json()
    models = offered["models"]
    assert set(offered["formats"]) == {*PICTURE_FORMATS, *DATASET_FORMATS}
    assert [(model["name"], model["default"]) for model in models] == [("patches", True), ("segments", False)]
    assert models[0]["margin"] == 0
    assert models[1]["margin"] is None
    assert client.get("/health/live").json() == client.get("/health/ready").json() == {"status": "ok"}
    embedded(client)
    assert 'zeroseg_requests_total{address="/v1/embed",status="200"}' in client.get("/metrics").text


def test_openapi_describes_the_requests(client: TestClient) -> None:
    """Every address, with bodies and refusals."""
    described = client.get("/v1/openapi.json").json()
    assert {*described["paths"]} == {
        *("/v1/segment", "/v1/embed", "/v1/name", "/v1/export", "/v1/models", "/health/live", "/health/ready"),
        "/metrics",
    }
    body = described["paths"]["/v1/segment"]["post"]["requestBody"]["content"]
    assert {*body} == {"application/json", "multipart/form-data"}
    assert body["multipart/form-data"]["schema"]["properties"]["image"]["format"] == "binary"
    assert "$defs" not in json.dumps(described)


def test_only_some_embeddings_are_kept() -> None:
    """The one that was used longest ago goes."""
    with served(Limits(kept=2)) as client:
        names = [embedded(client) for _ in range(2)]
        assert client.post("/v1/name", json={"embedding": names[0], "labels": ["dog"]}).status_code == 200
        names.append(embedded(client))
        found = [client.post("/v1/name", json={"embedding": name, "labels": ["dog"]}).status_code for name in names]
        assert found == [200, 404, 200]


def test_very_many_values_are_refused_before_they_are_looked_at(client: TestClient) -> None:
    """Each of them would take memory."""
    for body in (b'{"labels": [' + b"{}," * 200_000 + b"{}]}", b'{"labels": [' + b"1," * 20_000 + b"1]}"):
        answer = client.post("/v1/name", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422
        assert len(answer.text) < 400
    fields = {"labels": ["a," * 600_000, "b," * 300_000]}
    assert client.post("/v1/segment", files={"image": ("a.png", png())}, data=fields).status_code == 422


def test_unknown_words_are_looked_for_in_bounded_time() -> None:
    """A thousand long labels of many unknown words: a note for some of them, within seconds."""
    segmenter = Segmenter.from_pretrained("photos")
    labels = [f"{number:04} " + " ".join(f"qwx{k}zjv{number}" for k in range(25)) for number in range(1000)]
    begun = time.perf_counter()
    assert len(segmenter.unknown_words(Vocabulary(tuple(labels)))) == 8
    assert time.perf_counter() - begun < 10

"""The server of `zeroseg label-studio`: its answers are the segmenter's own masks, pixel by pixel."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.formats import peer
from tests.label_studio.asking import CONFIG, JSON, Served, serving, tiny_segmenter
from tests.tiny import photo
from zeroseg.formats import brush_lengths, regions
from zeroseg.formats.outlines import painted
from zeroseg.label_studio import Backend, TaskImages
from zeroseg.presence import evidence
from zeroseg.rules import Margin
from zeroseg.segmentation import Segmentation
from zeroseg.vocabulary import Vocabulary

NAMES = {"dog": "dog", "Grass": "g", "red house": "red house", "background": "nothing"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """With one photo, a/b.png."""
    (tmp_path / "root" / "a").mkdir(parents=True)
    photo(52, 40, seed=2).save(tmp_path / "root" / "a" / "b.png")
    (tmp_path / "secret.png").write_bytes((tmp_path / "root" / "a" / "b.png").read_bytes())
    with serving(tmp_path / "root", tiny_segmenter()) as found:
        yield found


def expected(served: Served) -> Segmentation:
    """What the segmenter itself finds, with the words of `CONFIG`."""
    vocabulary = Vocabulary(("dog", "Grass", "red house"), ((), ("lawn", "meadow"), ()))
    return served.segmenter.name(served.segmenter.encode(served.root / "a" / "b.png"), vocabulary)


def test_the_model_is_there(served: Served) -> None:
    """Label Studio asks for this when a model is connected."""
    for path in ("/", "/health", "/health/?a=b"):
        status, values = served.ask("GET", path)
        assert (status, values["status"], values["model_class"]) == (200, "UP", "ZeroSeg")
    request = {"project": "1.2", "schema": CONFIG, "hostname": "http://localhost:8080", "access_token": "x"}
    status, values = served.ask("POST", "/setup", request)
    assert (status, values["model_version"][:8]) == (200, "zeroseg ")
    assert served.ask("POST", "/webhook", {"action": "ANNOTATION_CREATED"}) == (200, {})


def test_brush_masks_are_those_of_the_segmenter(served: Served) -> None:
    """Results are called by the alias, other words are in the hint."""
    found = expected(served)
    assert len(found.present) == 3
    (prediction,) = served.predict("/data/local-files/?d=a/b.png")
    assert served.said == []
    masks = {}
    for result in prediction["result"]:
        assert (result["from_name"], result["to_name"], result["type"]) == ("brush", "photo", "brushlabels")
        assert (result["original_width"], result["original_height"], result["image_rotation"]) == (52, 40, 0)
        (name,) = result["value"]["brushlabels"]
        masks[name] = brush_lengths.decoded(result["value"]["rle"], (52, 40))
        assert result["score"] == pytest.approx(
            found.scores[[NAMES[label] for label in found.labels].index(name)], abs=1e-6
        )
    assert {NAMES[label] for label in found.present} == set(masks)
    for label in found.present:
        np.testing.assert_array_equal(masks[NAMES[label]], found.mask(label))
    assert prediction["score"] == pytest.approx(float(found.fractions @ found.scores), abs=1e-5)


def test_absent_labels_get_no_area(served: Served) -> None:
    """The one that stands out least; unless they are to be kept."""
    vocabulary = Vocabulary(("dog", "Grass", "red house"), ((), ("lawn", "meadow"), ()))
    encoded = served.segmenter.encode(served.root / "a" / "b.png")
    stands_out = evidence(served.segmenter, encoded, vocabulary)
    segmenter = served.segmenter.reading(present_above=float(np.sort(stands_out)[:2].mean()))
    request = {"tasks": [{"data": {"picture": "/data/local-files/?d=a/b.png"}}], "label_config": CONFIG}
    labels = dict[bool, set[str]]()
    for drop in (True, False):
        backend = Backend(segmenter, TaskImages(served.root, "", ""), served.said.append, drop)
        (prediction,) = backend.predict(request)["results"]
        labels[drop] = {result["value"]["brushlabels"][0] for result in prediction["result"]}
    assert labels[False] - labels[True] == {["dog", "g", "red house"][int(stands_out.argmin())]}
    assert len(labels[True]) == 2


def with_polygons_and_boxes() -> str:
    """`CONFIG` with two other controls for the same labels."""
    polygons = CONFIG.replace("BrushLabels", "PolygonLabels").replace("</View>", "")
    return polygons + CONFIG.partition("/>")[2].replace("BrushLabels", "RectangleLabels").replace("brush", "box")


def test_the_sdk_finds_the_answers_valid(served: Served, tmp_path: Path) -> None:
    """Label Studio checks predictions against the project's config."""
    peer.interpreter()
    for number, config in enumerate((CONFIG, with_polygons_and_boxes())):
        asked, answered = tmp_path / f"{number}.json", tmp_path / f"{number}.out.json"
        predictions = served.predict("a/b.png", config=config)
        assert predictions[0]["result"]
        asked.write_text(json.dumps({"config": config, "predictions": predictions}), encoding="utf-8")
        peer.run("validate_predictions.py", asked, answered)
        assert json.loads(answered.read_text(encoding="utf-8")) == [[]]


def test_polygons_and_boxes(served: Served) -> None:
    """The regions, in percent of the picture; two controls are both answered."""
    found = expected(served)
    (prediction,) = served.predict("a/b.png", config=with_polygons_and_boxes())
    polygons = [result for result in prediction["result"] if result["type"] == "polygonlabels"]
    boxes = [result["value"] for result in prediction["result"] if result["type"] == "rectanglelabels"]
    areas = list(regions(found))
    assert len(areas) == len(polygons) == len(boxes)
    for area, polygon, box in zip(areas, polygons, boxes, strict=True):
        name = NAMES[found.labels[area.index]]
        assert (polygon["value"]["polygonlabels"], box["rectanglelabels"]) == ([name], [name])
        ring = np.array(polygon["value"]["points"]) * (0.52, 0.4)
        whole, (left, top, width, height) = np.zeros((40, 52), bool), area.box
        whole[top : top + height, left : left + width] = area.mask
        np.testing.assert_array_equal(painted([ring], (52, 40)), whole)
        pixels = np.array([box["x"], box["y"], box["width"], box["height"]]) * (0.52, 0.4, 0.52, 0.4)
        np.testing.assert_allclose(pixels, area.box)


def test_background_is_a_label_if_it_is_asked_for(tmp_path: Path) -> None:
    """It gets the pixels that no label fits; otherwise they have no result."""
    photo(40, 40).save(tmp_path / "b.png")
    segmenter = tiny_segmenter().reading(background=Margin(200))
    with serving(tmp_path, segmenter) as served:
        assert served.predict("b.png")[0] | {"model_version": ""} == {"model_version": "", "score": 0, "result": []}
        label = '<Label value="Background" alias="nothing"/></BrushLabels>'
        (prediction,) = served.predict("b.png", config=CONFIG.replace("</BrushLabels>", label))
        (result,) = prediction["result"]
        assert result["value"]["brushlabels"] == ["nothing"]
        assert brush_lengths.decoded(result["value"]["rle"], (40, 40)).all()


def test_a_bad_task_does_not_fail_the_others(served: Served) -> None:
    """Its result is empty, and one sentence says why."""
    (served.root / "broken.png").write_bytes(b"no picture")
    bad = ["nowhere.png", "broken.png", None, ["a/b.png"], "a/b.png"]
    results = served.predict(*bad)
    assert [bool(result["result"]) for result in results] == [False, False, False, False, True]
    assert len(served.said) == 4
    assert "task 0: there is no file" in served.said[0]
    assert "--root" in served.said[0]
    tasks = [{"data": {"other": "a/b.png"}}, "a/b.png", {"id": 7, "data": {"picture": "a/b.png"}}]
    status, values = served.ask("POST", "/predict", {"tasks": tasks, "label_config": CONFIG})
    assert (status, [len(result["result"]) > 0 for result in values["results"]]) == (200, [False, False, True])


def test_an_unexpected_error_is_one_bad_task(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as too little memory."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr(served.segmenter, "name", fail)
    (prediction,) = served.predict("a/b.png")
    assert (prediction["result"], served.said) == ([], ["task 0: RuntimeError: out of memory"])


@pytest.mark.parametrize(
    "path",
    [
        "../secret.png",
        "/data/local-files/?d=../secret.png",
        "/data/local-files/?d=a/../../secret.png",
        "/data/local-files/?d=%2E%2E%2Fsecret.png",
        "/data/upload/../../secret.png",
        "%2e%2e/secret.png",
        "link.png",
        "a/b\x00.png",
    ],
)
def test_files_outside_of_the_root_are_refused(path: str, served: Served) -> None:
    """Also by a link."""
    (served.root / "link.png").symlink_to(served.root.parent / "secret.png")
    (prediction,) = served.predict(path)
    assert prediction["result"] == []
    assert "is outside of" in served.said[0] or "is no path" in served.said[0]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "words"),
    [
        ("/predict", b"{", JSON, 400, "not JSON"),
        ("/predict", b"[" * 100_000, JSON, 400, "not JSON"),
        ("/predict", [], JSON, 400, "no JSON object|not a JSON object"),
        ("/predict", {}, JSON, 400, 'no list of "tasks"'),
        ("/predict", {"tasks": []}, JSON, 400, "has no BrushLabels"),
        ("/predict", {"tasks": [], "label_config": "<View"}, JSON, 400, "not XML"),
        ("/setup", {"schema": "<View/>"}, JSON, 400, "has no BrushLabels"),
        ("/predict", {}, {"Content-Type": "text/plain"}, 415, "application/json"),
        ("/predict", None, {**JSON, "Content-Length": "999999999999"}, 413, "larger than"),
        ("/predict", None, {**JSON, "Content-Length": "x"}, 411, "how long"),
        ("/elsewhere", {}, JSON, 404, "nothing here"),
    ],
)
def test_other_requests_are_refused(
    path: str, body: object, headers: dict[str, str], status: int, words: str, served: Served
) -> None:
    """With the right status and one sentence."""
    found, values = served.ask("POST", path, body, headers)
    assert found == status
    assert any(part in values["error"] for part in words.split("|"))


def test_a_fault_of_our_own_is_one_sentence(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is closed, there is no traceback, and the next request is answered."""

    def fail(_: Backend) -> None:
        raise RuntimeError("no idea")

    with monkeypatch.context() as patch:
        patch.setattr(Backend, "health", fail)
        with pytest.raises(http.client.RemoteDisconnected, match="without response"):
            served.ask("GET", "/health")
    assert served.said == ["a request failed (RuntimeError: no idea)."]
    assert served.ask("GET", "/health")[0] == 200
    assert served.ask("POST", "/setup", {})[0] == 200


def test_what_is_wrong_is_said_of_some_tasks(served: Served) -> None:
    """A request with very many tasks of missing files does not fill the terminal."""
    found = served.predict(*["/data/local-files/?d=missing.png"] * 30, "/" + "x" * 5000)
    assert [one["result"] for one in found] == [[]] * 31
    assert len(served.said) == 21
    assert served.said[-1] == "and 11 more tasks of the same request."
    (long,) = served.predict("/" + "x" * 5000)
    assert long["result"] == []
    assert "Errno" not in served.said[-1]


def test_other_methods_are_refused_like_all_requests(served: Served) -> None:
    """With JSON."""
    status, values = served.ask("PUT", "/predict", {})
    assert (status, list(values)) == (501, ["error"])

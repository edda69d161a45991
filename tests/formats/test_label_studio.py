"""Label Studio: what exports look like, what configs may say, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.formats.pictures import CLASSES, RING, annotated
from zeroseg.errors import DatasetError, OutputError
from zeroseg.formats import DATASET_FORMATS, Classes, brush_lengths
from zeroseg.formats.project_labels import ConfigLabel, Control, controls, label_config

KIND = DATASET_FORMATS["label-studio"]


def mask_of(mask: np.ndarray, label: str) -> dict[str, Any]:
    """A brush mask as Label Studio exports it."""
    return {
        "type": "brushlabels",
        "original_width": mask.shape[1],
        "original_height": mask.shape[0],
        "value": {"format": "rle", "rle": brush_lengths.encoded(mask), "brushlabels": [label]},
    }


def test_exports_are_read(tmp_path: Path) -> None:
    """The last annotation that was not skipped; polygons in percent; other results are passed over; no config."""
    left = np.array([[True, False, False, False]] * 2)
    box = {"type": "rectanglelabels", "original_width": 4, "original_height": 2, "value": {"rectanglelabels": ["no"]}}
    corners = [[50, 0], [100, 0], [100, 50], [50, 50]]
    polygon = box | {"type": "polygonlabels", "value": {"points": corners, "polygonlabels": ["cat"]}}
    task = {
        "data": {"image": "/data/upload/3/1f2e-my%20dog.jpg"},
        "annotations": [
            {"result": [mask_of(~left, "old")]},
            {"result": [box, mask_of(left, "dog"), polygon]},
            {"result": [mask_of(~left, "dog")], "was_cancelled": True},
        ],
        "predictions": [{"result": [mask_of(~left, "dog")]}],
    }
    (tmp_path / "tasks.json").write_text(json.dumps([task]), encoding="utf-8")
    (read,) = KIND.read(tmp_path)
    assert read.photo == "1f2e-my dog.jpg"
    assert read.segmentation.labels == ("background", "dog", "cat")
    assert read.segmentation.class_map.tolist() == [[1, 0, 2, 2], [1, 0, 0, 0]]


def test_what_is_written_for_a_picture(tmp_path: Path) -> None:
    """Photos with blanks and signs of addresses; the score; one result a label."""
    KIND.write(tmp_path, CLASSES, [annotated(RING, CLASSES, "a b/50%?&#é.jpg", score=0.25)])
    ((task),) = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    assert task["data"]["image"] == "/data/local-files/?d=a%20b/50%25%3F%26%23%C3%A9.jpg"
    (prediction,) = task["predictions"]
    (result,) = prediction["result"]
    assert (prediction["score"], result["score"], result["value"]["brushlabels"]) == (0.25, 0.25, ["dog"])
    (read,) = KIND.read(tmp_path)
    assert read.photo == "a b/50%?&#é.jpg"


def test_a_config_says_what_is_asked() -> None:
    """Aliases name results, hints are other words; tags of no image, and of other kinds, are left out."""
    xml = """<!-- ours --><View><Header value="x"/><Image name="photo" value="$url"/><Text name="t" value="$t"/>
      <BrushLabels name="b" toName="photo"><Label value="dog" alias="d1" hint="puppy, hound"/><Label value="cat"/>
        <Label value="cat"/><Label/></BrushLabels>
      <View><PolygonLabels name="p" toName="photo"><Label value="tree"/></PolygonLabels></View>
      <Choices name="c" toName="photo"><Choice value="good"/></Choices>
      <RectangleLabels name="r" toName="t"><Label value="word"/></RectangleLabels></View>"""
    dog, cat = ConfigLabel("d1", "dog", ("puppy", "hound")), ConfigLabel("cat", "cat")
    assert controls(xml) == [
        Control("brushlabels", "b", "photo", (dog, cat), "url"),
        Control("polygonlabels", "p", "photo", (ConfigLabel("tree", "tree"),), "url"),
    ]


def test_any_label_comes_back_from_the_config() -> None:
    """Letters that XML would change."""
    labels = ['<b> & "quoted"', "it's", "two\nlines\tand more\r", "犬 🐕", "a:b,c"]
    (control,) = controls(label_config(dict.fromkeys(labels, "#000000")))
    assert [label.name for label in control.labels] == labels


def test_labels_that_xml_cannot_hold(tmp_path: Path) -> None:
    """Nothing is written."""
    with pytest.raises(OutputError, match="control character"):
        KIND.write(tmp_path, Classes(("a\x01b",)), [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("xml", ["<View>", "dog, cat", '<!DOCTYPE x [<!ENTITY a "b">]><View>&a;</View>'])
def test_other_configs_are_refused(xml: str) -> None:
    """Not XML; entities."""
    with pytest.raises(DatasetError, match="the label config"):
        controls(xml)


TASK = {"data": {"image": "a.jpg"}, "predictions": [{"result": [mask_of(np.eye(2, dtype=bool), "x")]}]}


@pytest.mark.parametrize(
    "tasks",
    [
        {},
        [1],
        [TASK | {"data": {}}],
        [TASK | {"predictions": [{"result": [mask_of(np.eye(2, dtype=bool), "x") | {"original_width": 3}]}]}],
        [TASK | {"predictions": [{"result": [mask_of(np.eye(2, dtype=bool), "x") | {"original_width": 1 << 30}]}]}],
        [TASK | {"predictions": [{"result": [mask_of(np.eye(2, dtype=bool), "x") | {"value": {"rle": 9}}]}]}],
        [TASK | {"predictions": []}],
    ],
    ids=["keys", "number", "no image", "size", "too large", "no list", "no size"],
)
def test_other_files_are_refused(tasks: object, tmp_path: Path) -> None:
    """One sentence with the file's name."""
    (tmp_path / "tasks.json").write_text(json.dumps(tasks or {"a": 1}), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"tasks.json' is no file of Label Studio"):
        list(KIND.read(tmp_path))

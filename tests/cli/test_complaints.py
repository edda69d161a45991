"""What users of other tools for segmentation complain about, each a test of ours, named after it.

The complaints are those of SAM 3, Grounded-SAM, CLIPSeg, YOLOE and Label Studio. Files of all kinds are in
`tests/images`, batches and interrupted runs in `tests/segmenting`, formats in `tests/formats`.
"""

from __future__ import annotations

import json
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zeroseg
from tests.cli.conftest import Call
from tests.tiny import photo
from zeroseg.picturebook import Scene, draw_scene, name_of

ODD = (
    "salt, pepper", "Mr. Dog", "and/or", "a/b\\c", "🐕 dog", "狗", "été", "سماء", "label: with a colon", "DOG house",
    "dogs", "it's", 'so "called"', "50 %", "dog\u00a0bowl", "<b>", "{}", "x" * 300,
)  # fmt: skip


@pytest.fixture(scope="module")
def segmenter() -> zeroseg.Segmenter:
    """The bundled model for drawings: small, and its scenes have exact truth."""
    return zeroseg.Segmenter.from_pretrained("picturebook")


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    """A drawing with several things."""
    return draw_scene("held-out", 3).image


def rows(path: Path) -> list[dict[str, Any]]:
    """The labels of a record."""
    return json.loads(path.read_text(encoding="utf-8"))["labels"]


def test_one_pixel_has_one_label(segmenter: zeroseg.Segmenter, scene: Image.Image) -> None:
    """Masks of all labels cover every pixel once."""
    found = segmenter(scene, ["dog", "cat", "tree", "grass", "sky", "house"])
    assert (np.sum([found.mask(label) for label in found.labels], axis=0) == 1).all()


@pytest.mark.filterwarnings("ignore::zeroseg.vocabulary.UnknownWordsWarning")
def test_plant_and_flower_never_merge(segmenter: zeroseg.Segmenter, scene: Image.Image) -> None:
    """Labels that mean nearly the same stay two labels, in either order."""
    for labels in (["plant", "flower"], ["flower", "plant"], ["plant", "plants", "potted plant", "flower pot"]):
        assert [label for label in segmenter(scene, labels).labels if label != "background"] == labels


@pytest.mark.filterwarnings("ignore::zeroseg.vocabulary.UnknownWordsWarning")
def test_labels_are_a_subset_of_the_input_and_spelled_like_it(
    call: Call, segmenter: zeroseg.Segmenter, scene: Image.Image, tmp_path: Path
) -> None:
    """Commas, periods, slashes, emoji, other scripts, 300 letters: in Python, in the record, and in every format."""
    found = segmenter(scene, ODD)
    spelled = [" ".join(label.split()) for label in ODD]
    assert list(found.labels) == ["background", *spelled]
    assert {*found.present, *found.absent} - {"background"} <= set(spelled)
    scene.save(tmp_path / "scene.png")
    words = tmp_path / "words.txt"
    quoted = (f'"{label.replace(chr(34), chr(34) * 2)}"' for label in ODD)
    words.write_text("\n".join(quoted), encoding="utf-8")
    said = call(
        *(
            "segment",
            tmp_path / "scene.png",
            "--model",
            "picturebook",
            "--labels-file",
            words,
            "--out",
            tmp_path / "out",
        ),
        *("--background", "none"),
    )
    assert said.code == 0, said.err
    assert [row["label"] for row in rows(tmp_path / "out/scene.json")] == spelled


def test_a_label_that_is_cut_is_said(call: Call, tmp_path: Path) -> None:
    """300 letters are more than the text encoder reads; a short label is not said to be cut."""
    photo().save(tmp_path / "photo.png")
    long = " ".join(["red house"] * 33)
    words = ["segment", tmp_path / "photo.png", "--model", "picturebook", "--out", tmp_path / "out", "--labels"]
    assert f"the end of the label '{long[:40]}'.. is not read" in call(*words, f"{long}, dog").err
    assert "is not read" not in call(*words, "dog, red house, " + "house " * 4).err


def test_100_labels_are_one_pass_of_the_encoders(
    segmenter: zeroseg.Segmenter, scene: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is encoded once, the labels in one call, for whatever number of labels and photos."""
    calls = list[str]()
    encode, embed = type(segmenter.encoder).encode, type(segmenter.teacher).embed_texts
    monkeypatch.setattr(
        type(segmenter.encoder), "encode", lambda self, *given: calls.append("image") or encode(self, *given)
    )
    monkeypatch.setattr(
        type(segmenter.teacher), "embed_texts", lambda self, texts: calls.append("texts") or embed(self, texts)
    )
    vocabulary = zeroseg.Vocabulary(tuple(f"thing {number}" for number in range(100)))
    for _ in range(2):
        segmenter.name(segmenter.encode(scene), vocabulary)
    assert calls == ["image", "texts", "image"]


def test_memory_does_not_grow_with_photos(segmenter: zeroseg.Segmenter, scene: Image.Image) -> None:
    """What Python holds after 60 photos is what it held after 20; thousands are in docs/reliability.md."""
    vocabulary = zeroseg.Vocabulary(("dog", "grass"))
    tracemalloc.start()
    held = list[int]()
    for number in range(61):
        segmenter.name(segmenter.encode(scene), vocabulary)
        if number in (20, 60):
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[1] - held[0] < 100_000


def test_the_network_is_not_needed(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled models open no connection: not one name is looked up."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    photo().save(tmp_path / "photo.png")
    for model in ("photos", "picturebook"):
        said = call("segment", tmp_path / "photo.png", "--labels", "dog", "--model", model, "--out", tmp_path / model)
        assert said.code == 0, said.err


def test_slashes_in_labels_make_no_folders(call: Call, tmp_path: Path) -> None:
    """Labels are in no file name."""
    photo().save(tmp_path / "photo.png")
    for kind in ("yolo", "coco-panoptic", "cvat", "label-studio"):
        out = tmp_path / kind
        words = ["segment", tmp_path / "photo.png", "--model", "picturebook", "--labels", "../x, a/b", "--out", out]
        assert call(*words, "--background", "none", "--format", kind).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"photo.png", "yolo", "coco-panoptic", "cvat", "label-studio"}


def test_animations_give_their_first_frame_once(call: Call, tmp_path: Path) -> None:
    """APNG, WebP and GIF: one photo, one result."""
    frames = [photo(40, 32, seed=seed) for seed in range(3)]
    for name in ("a.png", "b.webp", "c.gif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100, lossless=True)
    frames[0].save(tmp_path / "d.png")
    said = call("segment", tmp_path, "--model", "picturebook", "--labels", "dog, grass, sky", "--out", tmp_path / "out")
    assert said.code == 0
    assert said.err == "zeroseg: 3 of the pictures have several frames or pages: the first one was segmented.\n"
    masks = [np.asarray(Image.open(tmp_path / "out" / f"{name}.png")) for name in "abd"]
    assert (masks[0] == masks[2]).all()
    assert (masks[1] == masks[2]).all()


def test_negated_words_get_no_region(call: Call, tmp_path: Path) -> None:
    """ "No dog" is read nearly as "dog": it has no region, whatever is there; a sign's name is a label like others."""
    scene = next(scene for scene in (draw_scene("held-out", k) for k in range(99)) if "dog" in shown(scene))
    scene.image.save(tmp_path / "scene.png")
    words = ["segment", tmp_path / "scene.png", "--model", "picturebook", "--background", "none", "--labels"]
    others = (
        "no dog",
        "not a dog",
        "without dog",
        "NO DOGS",
        "never a dog",
        "dog-free",
        "anything but a dog",
        "no dog at all",
    )
    assert call(*words, f"{', '.join(others)}, cat, no parking sign, dog", "--out", tmp_path / "out").code == 0
    found = {row["label"]: row for row in rows(tmp_path / "out/scene.json")}
    assert [(found[label]["fraction"], found[label]["presence"]) for label in others] == [(0, 0)] * len(others)
    assert found["no parking sign"]["presence"] > 0
    assert call(*words, "cat, no parking sign, dog", "--out", tmp_path / "plain").code == 0
    plain = {row["label"]: row for row in rows(tmp_path / "plain/scene.json")}
    assert found["dog"]["fraction"] == plain["dog"]["fraction"] > 0


def shown(scene: Scene) -> set[str]:
    """What a scene shows."""
    return set(map(name_of, scene.contents))


def test_a_label_that_a_background_word_competes_with_is_said(call: Call, tmp_path: Path) -> None:
    """ "Sea" beside the background word "water" would vanish without a word; "dog" has no such rival."""
    photo().save(tmp_path / "photo.png")
    words = ["segment", tmp_path / "photo.png", "--model", "picturebook", "--out", tmp_path / "out", "--labels"]
    said = call(*words, "sea, dog").err
    assert said.count("\n") == 1
    assert "the background word 'water' means nearly the same as the label 'sea'" in said
    for options in (["--background-words", "grass"], ["--background", "none"]):
        assert call(*words, "sea, dog", *options).err == ""

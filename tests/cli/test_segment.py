"""`zeroseg segment` from end to end with tiny random models: right results, or one sentence."""

import errno
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Call, Models, assert_one_sentence, opened
from tests.tiny import photo
from zeroseg.evaluation import open_dataset
from zeroseg.locks import held
from zeroseg.teacher import Teacher

LABELS = "dog, grass, traffic light"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    photo(40, 32).save(path)
    return path


def results(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def written(folder: Path) -> list[str]:
    """All files below a folder, as relative paths."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_every_photo_gets_a_mask_an_overlay_and_figures(
    call: Call, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Several photos, two of one name, one rotated by its camera; the vocabulary is embedded once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # nothing is kept of earlier runs
    embedded: list[int] = []
    embed_texts = Teacher.embed_texts
    monkeypatch.setattr(
        Teacher, "embed_texts", lambda self, texts: embedded.append(len(texts)) or embed_texts(self, texts)
    )
    for name in ("a/beach.png", "b/beach.jpg", "b/tall.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
    photo(48, 32, seed=1).save(tmp_path / "a/beach.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(48, 32, seed=2).save(tmp_path / "b/beach.jpg", exif=exif)
    photo(9, 70, seed=3).save(tmp_path / "b/tall.png")
    out = tmp_path / "out"
    said = call(
        *("segment", tmp_path / "a/beach.png", tmp_path / "b", "--labels", LABELS),
        *("--model", models.student, "--out", out),
    )
    assert (said.code, said.err) == (0, "")
    assert len(embedded) == 2  # labels and background words once, and words to compare them with
    names = ["a/beach", "b/beach", "b/tall"]
    assert written(out) == sorted(f"{name}{end}" for name in names for end in (".png", ".overlay.jpg", ".json"))
    for name, size in zip(names, [(48, 32), (32, 48), (9, 70)], strict=True):
        mask = opened(out / f"{name}.png")
        assert (mask.mode, mask.size) == ("P", size)
        assert np.asarray(mask).max() < 4
        figures = json.loads((out / f"{name}.json").read_text())
        assert [row["label"] for row in figures["labels"]] == ["background", "dog", "grass", "traffic light"]
        counts = np.bincount(np.asarray(mask).ravel(), minlength=4) / mask.width / mask.height
        assert [row["fraction"] for row in figures["labels"]] == pytest.approx(counts, abs=1e-5)
        assert figures["read_out"]["background"] == "margin"
        assert opened(out / f"{name}.overlay.jpg").width > 200
    *lines, counts = said.out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        str(tmp_path / name) for name in ("a/beach.png", "b/beach.jpg", "b/tall.png")
    ]
    assert re.fullmatch(r"3 photos segmented, \d+\.\d\d s each; [0123] of 3 labels found", counts)


def test_what_is_not_found_is_said(call: Call, picture: Path, tmp_path: Path):
    """Else nobody knows whether a word is absent or misspelt. The bundled model and a picture without anything."""
    words = ["segment", picture, "--labels", "zebra, elephant", "--out", tmp_path / "out"]
    said = call(*words).out
    assert said.startswith(f"{picture}: background 100%; not found: zebra, elephant -> ")
    many = ", ".join(f"zebra {number}" for number in range(12))
    assert "and 4 more -> " in call(*words[:3], many, *words[4:]).out


def test_read_out_can_be_chosen(call: Call, models: Models, picture: Path, tmp_path: Path):
    words = ["segment", picture, "--model", models.student, "--labels", LABELS]
    choices = {
        "own": ([], ("patches", "margin", 0.0, 0.95, 0)),
        "none": (["--background", "none"], ("patches", "none", 0.0, 0.95, 0)),
        "product": (["--threshold", "0.5"], ("patches", "product", 0.0, 0.5, 0)),
        "margin": (["--margin", "-3", "--naming", "segments"], ("segments", "margin", -3.0, 0.95, 0)),
        "refined": (["--refinement", "3"], ("patches", "margin", 0.0, 0.95, 3)),
    }
    for name, (options, expected) in choices.items():
        assert call(*words, *options, "--out", tmp_path / name).code == 0
        figures = json.loads((tmp_path / name / "picture.json").read_text())
        read = figures["read_out"]
        fields = ("naming", "background", "margin", "product_threshold", "refinement")
        assert tuple(read[field] for field in fields) == expected
        assert figures["has_background"] == (name != "none")
        assert "sky" in figures["background_words"]
    for rule, field in {"softmax": "threshold", "sigmoid": "sigmoid_threshold", "product": "product_threshold"}.items():
        assert call(*words, "--background", rule, "--threshold", 0.25, "--out", tmp_path / rule).code == 0
        read = json.loads((tmp_path / rule / "picture.json").read_text())["read_out"]
        assert (read["background"], read[field]) == (rule, 0.25)
    assert call(*words, "--presence", 9, "--out", tmp_path / "sure").code == 0
    read = json.loads((tmp_path / "sure/picture.json").read_text())["read_out"]
    assert (read["background"], read["margin"], read["presence"]) == ("margin", 0.0, 9.0)
    assert_one_sentence(call(*words, "--presence", 9, "--background", "none"), 2, "--presence goes with --background")
    assert_one_sentence(call(*words, "--presence", -1), 1, "presence must be a number from 0 to 200, not -1")
    assert_one_sentence(call(*words, "--margin", 2, "--threshold", 0.5), 2, "goes with --background")
    for rule in ("none", "margin"):
        said = call(*words, "--background", rule, "--threshold", 0.5)
        assert_one_sentence(said, 2, f"--threshold does not go with --background {rule}")
    assert_one_sentence(call(*words, "--threshold", 50), 2, "from 0 to 1")
    assert call(*words, "--background-words", "sea, Dog", "--out", tmp_path / "sea").code == 0
    assert json.loads((tmp_path / "sea/picture.json").read_text())["background_words"] == ["sea"]


def test_specks_go_unless_all_regions_are_wanted(call: Call, models: Models, picture: Path, tmp_path: Path):
    words = ["segment", picture, "--model", models.student, "--labels", LABELS, "--refinement", 3]
    for name, options, expected in (("own", [], 0.0005), ("all", ["--min-area", 0], None)):
        assert call(*words, *options, "--out", tmp_path / name).code == 0
        figures = json.loads((tmp_path / name / "picture.json").read_text())
        assert figures["read_out"].get("smallest_region") == expected


# --- labels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["maskclip", "sclip", "naclip", "clearclip"])
def test_any_clip_segments_without_training(method: str, call: Call, models: Models, picture: Path, tmp_path: Path):
    said = call(
        *("segment", picture, "--labels", LABELS, "--out", tmp_path / "out"),
        *("--method", method, "--model", models.teacher),
    )
    assert (said.code, said.err) == (0, "")
    figures = json.loads((tmp_path / "out" / "picture.json").read_text())
    assert figures["method"] == method
    assert opened(tmp_path / "out" / "picture.png").size == (40, 32)


@pytest.mark.parametrize("option", [("--teacher", "bundled"), ("--naming", "segments")])
def test_what_goes_with_students_alone(option: tuple[str, str], call: Call, picture: Path, tmp_path: Path):
    said = call("segment", picture, "--labels", LABELS, "--method", "naclip", *option, "--out", tmp_path / "out")
    assert_one_sentence(said, 2, "go with --method student")


def test_labels_may_repeat_and_be_in_any_script(call: Call, models: Models, picture: Path, tmp_path: Path):
    labels = "Hund, hund,  狗; سماء, {}, background, traffic   light"
    said = call("segment", picture, "--labels", labels, "--model", models.student, "--out", tmp_path / "out")
    assert said.code == 0
    assert '"background" is left out of the labels' in said.err
    figures = json.loads((tmp_path / "out/picture.json").read_text(encoding="utf-8"))
    found = [row["label"] for row in figures["labels"]]
    assert found == ["background", "Hund", "狗", "سماء", "{}", "traffic light"]
    assert "狗" in (tmp_path / "out/picture.json").read_text(encoding="utf-8")


def test_2000_labels_from_a_file(call: Call, models: Models, picture: Path, tmp_path: Path):
    words = tmp_path / "words.txt"
    words.write_text("\ufeff" + "\r\n".join(f"thing {number}" for number in range(1999)) + "\r\n", encoding="utf-8")
    said = call(
        *("segment", picture, "--labels-file", words, "--labels", "dog", "--model", models.student),
        *("--out", tmp_path / "out", "--background", "none"),
    )
    assert (said.code, said.err) == (0, "")
    rows = json.loads((tmp_path / "out/picture.json").read_text())["labels"]
    assert len(rows) == 2000
    assert [row["label"] for row in rows[:2]] == ["dog", "thing 0"]
    mask = np.asarray(opened(tmp_path / "out/picture.png"))
    assert mask.shape == (32, 40)
    assert {rows[number]["index"] for number in np.unique(mask) if rows[number]["fraction"] > 0} == set(np.unique(mask))


def labels_of(folder: Path) -> list[str]:
    return [row["label"] for row in json.loads((folder / "picture.json").read_text(encoding="utf-8"))["labels"]]


def test_options_of_words_may_be_given_several_times(call: Call, models: Models, picture: Path, tmp_path: Path):
    """All of them count, in their order, typed ones first."""
    files = [tmp_path / "one.txt", tmp_path / "two.txt"]
    files[0].write_text("# of the kitchen\nsalt, pepper\n\nbread\n")
    files[1].write_text("milk\ncat\n")
    said = call(
        *("segment", picture, "--labels", "cat", "--labels-file", files[0], "--labels", '"fish, fried", dog'),
        *("--labels-file", files[1], "--background-words", "sea", "--background-words", "sky, wall"),
        *("--model", models.student, "--out", tmp_path / "out"),
    )
    assert (said.code, said.err) == (0, "")
    expected = ["background", "cat", "fish, fried", "dog", "salt, pepper", "bread", "milk"]
    assert labels_of(tmp_path / "out") == expected
    figures = json.loads((tmp_path / "out/picture.json").read_text())
    assert figures["background_words"] == ["sea", "sky", "wall"]
    mask = opened(tmp_path / "out/picture.png")
    palette = mask.getpalette()
    assert palette is not None
    colours = ["#{:02x}{:02x}{:02x}".format(*palette[3 * k : 3 * k + 3]) for k in range(len(expected))]
    assert [row["colour"] for row in figures["labels"]] == colours
    assert colours[:2] == ["#000000", "#4488ee"]


def test_a_quote_that_is_not_closed_and_a_file_that_looks_like_a_list(
    call: Call, models: Models, picture: Path, tmp_path: Path
):
    words = ["segment", picture, "--model", models.student, "--out", tmp_path / "out"]
    assert_one_sentence(call(*words, "--labels", '"salt, pepper'), 1, "not closed")
    (tmp_path / "words.txt").write_text("dog, cat\n")
    said = call(*words, "--labels-file", tmp_path / "words.txt")
    assert said.code == 0
    assert said.err.count("\n") == 1
    assert "words.txt" in said.err
    assert "one label a line" in said.err
    assert labels_of(tmp_path / "out") == ["background", "dog, cat"]


def test_labels_that_the_teacher_reads_alike_are_warned_of(call: Call, models: Models, picture: Path, tmp_path: Path):
    """The text encoder reads so many tokens: what stands behind them tells nobody anything."""
    longest = " ".join(["dog"] * 200)
    said = call(
        *("segment", picture, "--labels", f"{longest} one, cat, {longest} two"),
        *("--model", models.student, "--out", tmp_path / "out"),
    )
    assert said.code == 0
    assert said.err.count("\n") == 1
    assert "as the same tokens" in said.err
    assert len(labels_of(tmp_path / "out")) == 4


@pytest.mark.parametrize("labels", ["", " , ;", "background"])
def test_no_labels(labels: str, call: Call, picture: Path, tmp_path: Path):
    """Said before any model is loaded: there is none here."""
    said = call("segment", picture, "--labels", labels, "--model", tmp_path, "--out", tmp_path / "out")
    assert_one_sentence(said, 1, "vocabulary is empty")


@pytest.mark.parametrize("kind", ["missing", "folder", "latin-1", "empty"])
def test_labels_file_that_cannot_be_used(kind: str, call: Call, picture: Path, tmp_path: Path):
    path = tmp_path / "labels.txt"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes("Bär".encode("latin-1") if kind == "latin-1" else b"")
    said = call("segment", picture, "--labels-file", path, "--model", tmp_path, "--out", tmp_path / "out")
    assert_one_sentence(said, 1, "vocabulary is empty" if kind == "empty" else "labels.txt")


# --- photos -----------------------------------------------------------------------------------------


def test_unreadable_photos_are_reported_and_the_others_segmented(
    call: Call, models: Models, picture: Path, tmp_path: Path
):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(picture.read_bytes()[:-400])
    (tmp_path / "nothing").mkdir()
    bad = [tmp_path / name for name in ("empty.jpg", "missing.jpg", "text.png", "cut.png", "nothing")]
    said = call(
        *("segment", *bad[:3], picture, *bad[3:], "--labels", LABELS),
        *("--model", models.student, "--out", tmp_path / "out"),
    )
    assert said.code == 1
    assert results(tmp_path / "out") == ["picture.json", "picture.overlay.jpg", "picture.png"]
    assert len(said.err.splitlines()) == len(bad)
    assert all(line.startswith("zeroseg: ") for line in said.err.splitlines())
    assert all(any(path.name in line for line in said.err.splitlines()) for path in bad)


def test_no_photo_at_all_is_said_before_a_model_is_loaded(call: Call, tmp_path: Path):
    said = call("segment", tmp_path / "missing.jpg", "--labels", LABELS, "--model", tmp_path / "no-model")
    assert_one_sentence(said, 1, "missing.jpg")


@pytest.mark.parametrize("size", [(1, 1), (2000, 3)])
def test_extreme_shapes(size: tuple[int, int], call: Call, models: Models, tmp_path: Path):
    photo(*size).save(tmp_path / "strange.png")
    said = call(
        *("segment", tmp_path / "strange.png", "--labels", LABELS),
        *("--model", models.student, "--out", tmp_path / "out"),
    )
    assert (said.code, said.err) == (0, "")
    assert opened(tmp_path / "out/strange.png").size == size


def test_photos_are_not_overwritten_and_results_are_no_photos(
    call: Call, models: Models, picture: Path, tmp_path: Path
):
    """Results beside the photo itself; then a second run over the folder that holds the first one's results."""
    before = picture.read_bytes()
    words = ["--labels", LABELS, "--model", models.student]
    assert call("segment", picture, *words, "--out", tmp_path).code == 0
    assert picture.read_bytes() == before
    assert {"picture-2.png", "picture-2.overlay.jpg", "picture-2.json"} <= set(results(tmp_path))
    for name in ("picture-2.png", "picture-2.overlay.jpg"):
        (tmp_path / name).unlink()
    for _ in range(2):
        assert call("segment", tmp_path, *words, "--out", tmp_path / "out").code == 0
        assert results(tmp_path / "out") == ["picture.json", "picture.overlay.jpg", "picture.png"]


def test_options_that_would_do_harm_are_refused(call: Call, models: Models, picture: Path, tmp_path: Path):
    """A report over a photo, a size that takes minutes, a device that is not there: before anything is done."""
    before = picture.read_bytes()
    words = ["segment", picture, "--labels", LABELS, "--model", models.student, "--out", tmp_path / "out"]
    assert_one_sentence(call(*words, "--report", picture), 2, "must end in .html, not 'picture.png'")
    assert_one_sentence(call(*words, "--size", 5000), 2, "--size must be at most 2048")
    assert_one_sentence(call(*words, "--device", "nonsense"), 2, "--device nonsense cannot be used here")
    assert picture.read_bytes() == before
    assert not (tmp_path / "out").exists()


# --- models and disks -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["missing", "empty", "config only", "truncated", "foreign", "a CLIP"])
def test_model_that_cannot_be_used(kind: str, call: Call, models: Models, picture: Path, tmp_path: Path):
    model = tmp_path / "model"
    if kind == "a CLIP":
        shutil.copytree(models.teacher, model)
    elif kind != "missing":
        model.mkdir()
        if kind != "empty":
            shutil.copy(models.student / "config.json", model)
        weights = (models.student / "model.safetensors").read_bytes()
        if kind == "truncated":
            (model / "model.safetensors").write_bytes(weights[:-100])
        if kind == "foreign":
            shutil.copy(models.teacher / "model.safetensors", model)
    said = call("segment", picture, "--labels", LABELS, "--model", model, "--out", tmp_path / "out")
    assert_one_sentence(said, 1, str(model))
    assert not (tmp_path / "out").exists()


def test_teacher_that_cannot_be_used(call: Call, models: Models, picture: Path, tmp_path: Path):
    words = ["segment", picture, "--labels", LABELS, "--model", models.student, "--out", tmp_path / "out"]
    assert_one_sentence(call(*words, "--teacher", tmp_path / "none"), 1, "none")
    assert_one_sentence(call(*words, "--teacher", models.student), 1, str(models.student))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_full_or_read_only_disk_leaves_no_half_file(
    number: int, call: Call, models: Models, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    said = call(
        *("segment", picture, picture, "--labels", LABELS), *("--model", models.student, "--out", tmp_path / "out")
    )
    assert_one_sentence(said, 1, "picture.json", "full" if number == errno.ENOSPC else "read-only")
    assert results(tmp_path / "out") == []


def test_output_folder_that_is_a_file(call: Call, models: Models, picture: Path):
    said = call("segment", picture, "--labels", LABELS, "--model", models.student, "--out", picture)
    assert_one_sentence(said, 1, "not a folder")


# --- masks as a data set ----------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_of_turned_photos_are_read_again_as_they_were_written(
    orientation: int, call: Call, models: Models, tmp_path: Path
):
    """Masks are of the upright picture, and `--dataset folder` takes them so, by size or by default."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "mine").mkdir()
    photo(48, 32, seed=5).save(tmp_path / "mine/one.png", exif=exif)
    said = call(
        *("segment", tmp_path / "mine", "--labels", "dog, grass, sky, cat", "--background", "none"),
        *("--model", models.student, "--out", tmp_path / "mine-masks"),
    )
    assert (said.code, said.err) == (0, "")
    (tmp_path / "mine-masks/labels.txt").write_text("dog\ngrass\nsky\ncat\n")
    (sample,) = open_dataset("folder", folder=tmp_path / "mine")
    written = np.asarray(opened(tmp_path / "mine-masks/one.png"))
    np.testing.assert_array_equal(sample.truth, written)
    upright = tmp_path / "upright.png"
    sample.image.save(upright)
    assert call("segment", upright, "--labels", "dog, grass, sky, cat", "--background", "none", "--model",
                models.student, "--out", tmp_path).code == 0  # fmt: skip
    np.testing.assert_array_equal(np.asarray(opened(tmp_path / "upright-2.png")), written)


def test_labels_that_the_picturebook_does_not_know_are_said(call: Call, picture: Path, tmp_path: Path):
    said = call("segment", picture, "--model", "picturebook", "--labels", "dogs, zebra", "--out", tmp_path / "out")
    assert said.code == 0
    assert said.err.count("\n") == 1
    assert "never read 'zebra'" in said.err
    assert labels_of(tmp_path / "out") == ["background", "dogs", "zebra"]


def test_a_model_of_the_hub_that_cannot_be_had(
    call: Call, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nothing was loaded for it, and nothing is written."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    words = ["segment", picture, "--labels", "dog", "--out", tmp_path / "out", "--model"]
    for options in ([], ["--method", "naclip"]):
        said = call(*words, "some/model", *options)
        assert_one_sentence(said, 1, "'some/model' is not on this machine", "picturebook")
    assert_one_sentence(call(*words, "picturbook"), 1, "did you mean 'picturebook'?")
    assert not (tmp_path / "out").exists()


def test_names_do_not_control_the_terminal(call: Call, models: Models, tmp_path: Path):
    """Escape sequences and line ends in names of files and labels are shown as text; files keep their names."""
    path = tmp_path / "red\x1b[31m\nname.png"
    photo(40, 32).save(path)
    said = call(
        *("segment", path, tmp_path / "no\x1b[2Jfile.png", "--labels", "dog\x1b[5m\u202eblink, background"),
        *("--model", models.student, "--out", tmp_path / "out", "--absent", "keep"),
    )
    assert said.code == 1
    assert "\x1b" not in said.out + said.err
    assert "\u202e" not in said.out + said.err
    assert "red\\x1b[31m\\nname.png" in said.out
    assert "no\\x1b[2Jfile.png" in said.err
    assert '"background" is left out of the labels' in said.err
    assert (tmp_path / "out" / path.name).exists()


def test_a_folder_takes_one_run_at_a_time(call: Call, models: Models, picture: Path, tmp_path: Path):
    """The second says so before it does anything; afterwards the folder is free."""
    command = ("segment", picture, "--labels", LABELS, "--model", models.student, "--out", tmp_path / "out")
    with held(tmp_path / "out", inside=True):
        assert_one_sentence(call(*command), 1, "is in use by")
    assert not list((tmp_path / "out").iterdir())
    assert call(*command).code == 0
    assert not (tmp_path / "out" / ".lock").exists()


def test_results_that_are_not_called_as_their_photos_are_said(call: Call, models: Models, tmp_path: Path):
    """Where tools pair files by name."""
    for suffix in ("png", "webp"):
        photo(40, 32).save(tmp_path / f"zebra.{suffix}")
    command = ("segment", tmp_path, "--labels", LABELS, "--model", models.student, "--out", tmp_path / "out")
    assert "tools that pair files by name" not in call(*command).err
    said = call(*command, "--format", "yolo")
    assert "zebra.webp is called zebra-2: tools that pair files by name need the photo renamed alike" in said.err

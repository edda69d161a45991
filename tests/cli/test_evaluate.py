"""`zeroseg evaluate` on data sets that are read from a folder."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Call, Models, assert_one_sentence
from tests.evaluation.miniature import voc_palette, write_list, write_mask, write_photo
from zeroseg.cli import evaluate
from zeroseg.evaluation import measuring

SIDE = 96
PAGE = (Path(__file__).parents[2] / "docs/datasets.md").read_text(encoding="utf-8")


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Two images of val, one of train; a dog in the first, a person in the second, edges of 255."""
    root = tmp_path / "VOCdevkit/VOC2012"
    for number, label in enumerate((12, 15, 8)):
        truth = np.zeros((SIDE, SIDE + 8), np.uint16)
        truth[20:60, 10:50] = label
        truth[20, 10:50] = 255
        write_photo(root / f"JPEGImages/{number}.jpg", SIDE + 8, SIDE)
        write_mask(root / f"SegmentationClass/{number}.png", truth, voc_palette())
    write_list(root / "ImageSets/Segmentation/val.txt", ["0", "1"])
    write_list(root / "ImageSets/Segmentation/train.txt", ["2"])
    return tmp_path


def test_the_bundled_student_on_voc(call: Call, voc: Path, tmp_path: Path):
    path = tmp_path / "figures.json"
    said = call("evaluate", "--dataset", "voc21", "--data", voc, "--json", path)
    assert (said.code, said.err) == (0, "")
    assert "voc21, 2 val images, student, protocol own\n" in said.out
    assert "│ diningtable " in said.out
    figures = json.loads(path.read_text())
    assert (figures["dataset"], figures["split"], figures["images"]) == ("voc21", "val", 2)
    confusion = np.array(figures["confusion"])
    assert confusion.shape == (21, 21)
    assert confusion.sum(axis=1)[[0, 12, 15]].tolist() == [2 * (SIDE * (SIDE + 8) - 1600), 1560, 1560]
    assert confusion.sum() == 2 * (SIDE * (SIDE + 8) - 40)  # 255 counts for nothing
    printed = re.search(r"\nmIoU ([.\d]+) \(", said.out)
    assert printed is not None
    assert float(printed[1]) == pytest.approx(figures["miou"], abs=0.0006)


@pytest.mark.parametrize("stage", ["evaluating", "sweeping"])
def test_ctrl_c_keeps_what_was_measured(
    stage: str, call: Call, voc: Path, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Also in what comes after the measurement: then all images count as measured, and the files are written."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["evaluate", "--dataset", "voc21", "--data", voc, "--model", models.student, "--refinement", 0, "--sweep"]
    whole, again = tmp_path / "whole.json", tmp_path / "again.json"
    assert call(*words, "--json", whole).code == 0
    kept = tmp_path / "cache/zeroseg/evaluations"
    assert list(kept.iterdir()) == []
    with monkeypatch.context() as patch:
        name = "evaluate" if stage == "evaluating" else "sweep_finely"
        patch.setattr(measuring, name, interrupted_after(getattr(measuring, name), stage))
        said = call(*words, "--json", again)
    assert (said.code, again.exists()) == (130, False)
    assert "continues after the images that were measured" in said.err
    assert len(list(kept.iterdir())) == 1
    assert call(*words, "--json", again).code == 0
    assert json.loads(again.read_text()) == json.loads(whole.read_text())
    assert list(kept.iterdir()) == []


def interrupted_after(work: Callable[..., object], stage: str) -> Callable[..., object]:
    """The same work, interrupted: an evaluation after its first image, a sweep before it begins."""

    def progress(count: int) -> None:
        if count:
            raise KeyboardInterrupt

    def stopped(segmenter: object, dataset: object, *rest: object) -> object:
        if stage == "sweeping":
            raise KeyboardInterrupt
        return work(segmenter, dataset, progress, *rest[1:])

    return stopped


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of five images with masks, two of which cannot be measured: one is damaged, one has another size."""
    root = tmp_path / "own"
    truth = np.zeros((SIDE, SIDE), np.uint16)
    truth[20:60, 10:50] = 1
    for name in ("a", "b", "c", "d", "e"):
        write_photo(root / f"images/{name}.png", SIDE, SIDE)
        write_mask(root / f"masks/{name}.png", truth[:, :80] if name == "d" else truth)
    (root / "labels.json").write_text(json.dumps(["background", "dog"]))
    damaged = root / "masks/b.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    return root


def test_bad_masks_are_found_before_anything_is_measured(
    call: Call, own: Path, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(measuring, "evaluate", None)  # would fail if it was called
    path = tmp_path / "figures.json"
    said = call("evaluate", "--dataset", "folder", "--data", own, "--model", models.student, "--json", path)
    words = ("2 of 5 images cannot be measured", "masks/b.png", "masks/d.png", "80 x 96 pixels", "--skip-bad")
    assert_one_sentence(said, 1, *words)
    assert not path.exists()


@pytest.mark.parametrize("options", [(), ("--calibrate",)])
def test_bad_images_are_left_out_counted_and_named(
    options: tuple[str, ...], call: Call, own: Path, models: Models, tmp_path: Path
):
    """The figure is that of the other images."""
    words = ["evaluate", "--dataset", "folder", "--data", own, "--model", models.student, *options]
    some, rest = tmp_path / "some.json", tmp_path / "rest.json"
    said = call(*words, "--skip-bad", "--json", some)
    assert (said.code, said.err) == (0, "")
    assert "folder, 3 images, student" in said.out
    assert "2 images were left out:\n" in said.out
    for name in "bd":
        for folder in ("images", "masks"):
            (own / folder / f"{name}.png").unlink()
    assert call(*words, "--json", rest).code == 0
    skipping, without = json.loads(some.read_text()), json.loads(rest.read_text())
    skipped = skipping.pop("skipped")
    assert ("b.png" in skipped[0], "d.png" in skipped[1], len(skipped)) == (True, True, 2)
    assert skipping == without
    assert "skipped" not in without


def test_where_nothing_is_left_nothing_is_measured(call: Call, own: Path, models: Models):
    for mask in (own / "masks").iterdir():
        mask.write_bytes(b"no picture")
    words = ["evaluate", "--dataset", "folder", "--data", own, "--model", models.student, "--skip-bad"]
    assert_one_sentence(call(*words), 1, "no image is left without the 5 that are left out")


def test_outputs_that_cannot_be_written_are_refused_first(call: Call, voc: Path, tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    words = ["evaluate", "--dataset", "voc21", "--data", voc / "nothing is opened"]
    assert_one_sentence(call(*words, "--json", file / "x.json"), 1, "Cannot write", "is a file, not a folder")
    assert_one_sentence(call(*words, "--json", tmp_path), 1, "Cannot write", "a folder of that name")
    assert_one_sentence(call(*words, "--report", file), 1, "Cannot write", "is a file, not a folder")


@pytest.mark.parametrize(
    ("options", "origin"),
    [
        ([], "the model's own"),
        (["--background", "sigmoid"], "the default of this rule"),
        (["--protocol", "paper"], "the protocol's"),
    ],
)
def test_a_result_says_where_its_threshold_comes_from(
    options: list[str], origin: str, call: Call, voc: Path, tmp_path: Path
):
    path = tmp_path / "figures.json"
    said = call("evaluate", "--dataset", "voc21", "--data", voc, "--size", 1, *options, "--json", path)
    assert re.search(rf"\nbackground: .*; {origin}\n", said.out)
    assert json.loads(path.read_text())["margin"] == origin


def test_the_first_images_of_another_split_and_no_background(call: Call, voc: Path, models: Models):
    words = ["--dataset", "voc20", "--data", voc, "--model", models.student]
    said = call("evaluate", *words, "--size", 1)
    assert "voc20, 1 val images, student, protocol own\n" in said.out
    assert "every pixel is named" in said.out
    assert "voc20, 1 train images, student, protocol own\n" in call("evaluate", *words, "--split", "train").out


def test_margins_are_tuned_on_the_train_split_or_not_at_all(call: Call, voc: Path, models: Models):
    words = ["--dataset", "voc21", "--data", voc, "--method", "maskclip", "--teacher", models.teacher, "--size", 1]
    assert call("evaluate", *words).out.splitlines()[0] == "tuning the margin on 1 train images"
    first = call("evaluate", *words, "--split", "train").out.splitlines()[0]
    none = "voc21 has no images other than the measured ones that a margin may be tuned on."
    assert first == f"the margin stays 0, not tuned: {none}"
    train = voc / "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt"
    train.unlink()
    said = call("evaluate", *words)
    assert said.code == 0
    assert said.out.startswith(f"the margin stays 0, not tuned: voc21: there is no file {str(train)!r}; ")
    assert "+ 0 (cosine x 100)" in said.out


def test_what_does_not_fit_is_one_sentence(call: Call, voc: Path):
    assert_one_sentence(call("evaluate", "--dataset", "voc21"), 1, "voc21", "--data FOLDER")
    assert_one_sentence(call("evaluate", "--data", voc), 1, "picturebook-voc", "--data")
    words = ["evaluate", "--dataset", "voc21", "--data", voc]
    assert_one_sentence(call(*words, "--split", "held-out"), 1, "voc21", "'held-out'", "val, train")
    assert_one_sentence(call(*words, "--split", "testing"), 2, "'testing'", "--split")
    assert_one_sentence(call(*words, "--size", 0), 2, "--size")
    (voc / "VOCdevkit/VOC2012/SegmentationClass/1.png").unlink()
    assert_one_sentence(call(*words), 1, "1 of 2 masks are missing", "'1'", "http://host.robots.ox.ac.uk")


def test_the_commands_of_the_page_run(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    lines = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert len(lines) >= 2
    for line in lines:
        name, *words = shlex.split(line)
        said = call(*words)
        assert (name, said.code) == ("zeroseg", 0), said.err


def test_every_command_of_the_page_can_be_parsed(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evaluate.Evaluate, "run", lambda _: 0)
    commands = re.findall(r"^zeroseg evaluate (.*)$", PAGE, re.MULTILINE)
    assert len(commands) > 5
    for command in commands:
        assert call("evaluate", *shlex.split(command)).code == 0


@pytest.mark.parametrize(
    ("protocol", "rule"),
    [
        ("paper", "product score under 0.95"),
        ("tcl", "no label reaches 0.4"),
        ("sclip", "nothing reaches 0.1"),
        ("naclip", "nothing reaches 0.1"),
        ("clearclip", "nothing reaches 0.5"),
    ],
)
def test_every_protocol_is_printed_and_saved_with_its_result(
    protocol: str, rule: str, call: Call, voc: Path, models: Models, tmp_path: Path
):
    path = tmp_path / "figures.json"
    words = ["--dataset", "voc21", "--data", voc, "--size", 1, "--protocol", protocol, "--json", path]
    said = call("evaluate", *words, "--method", "naclip", "--teacher", models.teacher)
    assert (said.code, said.err) == (0, "")
    assert f"protocol {protocol}\n" in said.out
    assert rule in said.out
    saved = json.loads(path.read_text())["protocol"]
    assert (saved["name"], saved["dataset"]) == (protocol, "voc21")
    assert saved["shorter_side"] == {"paper": 448, "tcl": 448, "sclip": 336, "naclip": 336, "clearclip": 448}[protocol]


def test_a_report_has_everything_and_a_sweep_has_its_curve(call: Call, voc: Path, models: Models, tmp_path: Path):
    out = tmp_path / "report"
    words = ["--dataset", "voc21", "--data", voc, "--model", models.student]
    said = call("evaluate", *words, "--background", "softmax", "--sweep", "--report", out)
    assert (said.code, said.err) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "result.json", "result.md"]
    figures = json.loads((out / "result.json").read_text())
    assert len(figures["sweep"]["values"]) == len(figures["sweep"]["mious"])
    assert f"on the measured images, {figures['sweep']['values'][np.argmax(figures['sweep']['mious'])]:g}: " in said.out
    assert figures["versions"].keys() == {"zeroseg", "torch", "transformers", "numpy", "pillow", "python"}
    assert "- mIoU: " in (out / "result.md").read_text()
    page = (out / "report.html").read_text()
    assert page.count("<img ") == 2 * 2  # the better and the worse image, truth and prediction
    assert "Over threshold" in page


def test_a_calibrated_margin_stands_beside_the_tuned_one(call: Call, voc: Path, models: Models, tmp_path: Path):
    path = tmp_path / "figures.json"
    words = ["--dataset", "voc21", "--data", voc, "--model", models.student, "--size", 1, "--calibrate"]
    said = call("evaluate", *words, "--json", path)
    assert (said.code, said.err) == (0, "")
    assert "calibrating the margin on 1 train images, without their masks\n" in said.out
    figures = json.loads(path.read_text())
    assert figures["margin"] == "calibrated on 1 train images, without masks"
    assert figures["tuned"]["images"] == "tuned on 1 train images"
    tuned = figures["tuned"]
    assert f"mIoU with the margin tuned on 1 train images, {tuned['margin']:g}: {tuned['miou']:.3f}\n" in said.out
    scenes = call("evaluate", "--model", models.student, "--size", 1, "--calibrate", "--tuning-images", 2)
    assert "calibrating the margin on 2 unlabelled scenes, without their masks\n" in scenes.out
    assert "mIoU with the margin tuned on 2 validation scenes" in scenes.out


def test_a_folder_is_calibrated_on_what_is_measured_and_says_so(call: Call, models: Models, tmp_path: Path):
    write_photo(tmp_path / "mine/images/one.png", SIDE, SIDE)
    write_mask(tmp_path / "mine/masks/one.png", np.ones((SIDE, SIDE), np.uint8))
    (tmp_path / "mine/labels.txt").write_text("background\ndog\n")
    words = ["evaluate", "--dataset", "folder", "--data", tmp_path / "mine", "--model", models.student]
    said = call(*words, "--calibrate")
    assert said.code == 0, said.err
    assert "calibrating the margin on 1 of the measured images, without their masks\n" in said.out
    assert "not tuned: folder has no images other than the measured ones that a margin may be tuned on." in said.out
    (tmp_path / "mine/labels.txt").write_text("sky\ndog\n")
    assert_one_sentence(call(*words, "--calibrate"), 2, "folder", "no background", "--calibrate")
    write_mask(tmp_path / "mine/masks/one.png", np.full((SIDE, SIDE), 255, np.uint8))
    assert_one_sentence(call(*words, "--ignore", "255"), 1, "folder", "ignored")


def test_a_baselines_clip_is_named_either_way_and_saved(call: Call, voc: Path, models: Models, tmp_path: Path):
    words = ["evaluate", "--dataset", "voc21", "--data", voc, "--method", "sclip", "--size", 1, "--report", tmp_path]
    for option in ("--model", "--teacher"):
        assert call(*words, option, models.teacher).code == 0
        figures = json.loads((tmp_path / "result.json").read_text())
        assert (figures["model"], figures["teacher"]) == (None, str(models.teacher))
        assert f"- teacher: {models.teacher}" in (tmp_path / "result.md").read_text()
    assert_one_sentence(call(*words, "--model", "a", "--teacher", "b"), 2, "--model", "--teacher")


def test_fewer_images_than_the_benchmark_has_are_no_figure_of_it(call: Call, voc: Path, models: Models):
    said = call("evaluate", "--dataset", "voc21", "--data", voc, "--model", models.student)
    assert "2 of the 1,449 official val images: not a figure of the benchmark.\n" in said.out


def test_small_regions_are_merged_where_it_is_asked_for(call: Call, models: Models, tmp_path: Path):
    words = ["evaluate", "--size", 1, "--model", models.student, "--refinement", 2, "--json", tmp_path / "figures.json"]
    said = call(*words, "--smallest-region", 0.01)
    assert "\niterations of refinement: 2; areas under 1.00% of the picture take the class around them\n" in said.out
    assert json.loads((tmp_path / "figures.json").read_text())["read_out"]["smallest_region"] == 0.01
    assert "\niterations of refinement: 2\n" in call(*words).out


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--protocol", "tcl", "--background", "margin"), "--background"),
        (("--protocol", "tcl", "--calibrate"), "--calibrate"),
        (("--protocol", "paper", "--refinement", "3"), "not 3"),
        (("--protocol", "tcl", "--refinement", "3"), "0 or 10 iterations"),
        (("--protocol", "tcl", "--smallest-region", "0.001"), "keeps all regions"),
        (("--method", "true-regions", "--smallest-region", "0.001"), "cannot be changed"),
        (("--calibrate", "--background", "product"), "--background product"),
        (("--protocol", "clip"), "'clip'"),
    ],
)
def test_what_a_protocol_lays_down_cannot_be_changed(options: tuple[str, ...], word: str, call: Call):
    assert_one_sentence(call("evaluate", *options), 2, word)


def test_masks_of_0_and_255_and_numbers_to_ignore(call: Call, models: Models, tmp_path: Path):
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:10], mask[10] = 255, 1
    write_photo(tmp_path / "mine/images/one.png", SIDE, SIDE)
    write_mask(tmp_path / "mine/masks/one.png", mask)
    (tmp_path / "mine/labels.txt").write_text("background\ndog\n")
    words = ["evaluate", "--dataset", "folder", "--data", tmp_path / "mine", "--model", models.student]
    counts = {(): [85 * SIDE, SIDE], ("none",): [85 * SIDE, 11 * SIDE], ("0", "255"): [SIDE]}
    for ignored, expected in counts.items():
        options = ["--ignore", *ignored] if ignored else []
        said = call(*words, *options, "--json", tmp_path / "figures.json")
        assert said.code == 0, said.err
        confusion = np.array(json.loads((tmp_path / "figures.json").read_text())["confusion"])
        assert confusion.sum(axis=1).tolist() == expected
    assert_one_sentence(call(*words, "--ignore", "sky"), 2, "--ignore", "'sky'")
    assert_one_sentence(call(*words, "--ignore", "none", "0"), 2, "--ignore", "'none 0'")
    assert_one_sentence(call(*words, "--ignore"), 2, "--ignore", "not ''")
    assert_one_sentence(call(*words, "--ignore", "70000"), 1, "70000", "65,535")
    assert_one_sentence(call(*words, "--masks", "turned"), 2, "--masks", "'turned'")
    for option in (("--ignore", "0"), ("--masks", "stored")):
        assert_one_sentence(call("evaluate", *option), 1, "picturebook-voc", option[0], "folder", "coco-panoptic")

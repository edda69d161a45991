"""teach, cache, distill, evaluate, segment: one after the other with tiny networks, and what they refuse."""

import json
import math
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL import Image

import zeroseg
from tests.cli.conftest import Call, Models, assert_one_sentence
from tests.tiny import LITE_STUDENT, PATCH_STUDENT, STUDENT, VIEWS, photo, write_photos
from zeroseg.baselines import BaselineName
from zeroseg.cli import cost, distill, teach
from zeroseg.feature_cache import FeatureCache
from zeroseg.recipes import RECIPES
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.training.distillation import DistillConfig, LossWeights
from zeroseg.training.loop import LoopConfig

LOOP = LoopConfig(steps=4, batch_size=2, workers=0, precision="fp32", log_every=1, evaluate_every=2)


@pytest.fixture
def recipe(models: Models, monkeypatch: pytest.MonkeyPatch) -> DistillConfig:
    """A recipe "tiny" among the others."""
    student = replace(PATCH_STUDENT, teacher=str(models.teacher))
    weights = LossWeights(0.0, 0.5, 0.0, 1.0, 1.0, 1.0)
    config = DistillConfig(student=student, views=VIEWS, losses=weights, centre=True, loop=LOOP)
    monkeypatch.setitem(RECIPES, "tiny", lambda: config)
    return config


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    write_photos(folder, 5)
    return folder


def test_from_photos_to_a_student_that_segments(call: Call, recipe: DistillConfig, photos: Path, tmp_path: Path):
    cache, run = tmp_path / "cache", tmp_path / "run"
    words = ["distill", "--recipe", "tiny", "--images", photos, "--cache", cache, "--out", run]
    said = call(*words)
    assert_one_sentence(
        said, 1, f"`zeroseg cache {photos} --recipe tiny --teacher {recipe.student.teacher} --out {cache}`"
    )
    assert not run.exists()
    said = call(*shlex.split(said.err.split("`")[1].removeprefix("zeroseg ")))
    assert (said.code, said.out) == (0, f"5 images embedded, 0 already there, views 32px 1x1 2x2: {cache}\n")
    said = call(
        *words,
        "--validate-on",
        "picturebook-voc",
        "--validation-scenes",
        1,
        "--steps",
        3,
        "--losses.dense",
        0.5,
        "--learning-rate",
        0.01,
    )
    assert said.code == 0
    settings = json.loads((run / "settings.json").read_text())
    assert settings["loop"]["steps"] == 3
    assert settings["loop"]["optimiser"]["learning_rate"] == 0.01
    assert settings["distill"]["losses"]["dense"] == 0.5
    assert settings["distill"]["losses"]["overlap"] == 1
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log if "miou" in row] == [-1, 1, 2]
    fingerprint = Teacher.from_pretrained(recipe.student.teacher).text_fingerprint
    trained = replace(recipe.student, text_fingerprint=fingerprint)
    assert Student.from_pretrained(run / "student").config == trained
    assert "text_fingerprint" not in settings["distill"]["student"]  # runs of earlier versions can be resumed
    assert_one_sentence(call(*words), 1, "already holds a run", "--resume")
    command = shlex.split(said.out.splitlines()[-1])
    assert command[:2] == ["zeroseg", "segment"]
    command[command.index("PHOTO")] = str(photos / "photo00.png")
    assert call(*command[1:], "--out", tmp_path / "out").code == 0
    assert (tmp_path / "out/photo00.png").exists()


def write_jpegs(folder: Path) -> None:
    """Photos as cameras leave them: of many sizes, upright by a note only, grey, progressive, in folders."""
    turned = Image.Exif()
    turned[0x0112] = 6
    (folder / "2026" / "may").mkdir(parents=True)
    photo(640, 480, 1).save(folder / "IMG_0001.JPG", quality=80)
    photo(480, 640, 2).save(folder / "2026" / "IMG_0002.jpeg", exif=turned)
    photo(301, 97, 3).convert("L").save(folder / "2026" / "grey.jpg")
    photo(97, 301, 4).convert("CMYK").save(folder / "2026" / "may" / "print.jpg")
    photo(64, 64, 5).save(folder / "2026" / "may" / "small.jpg", progressive=True, quality=20)


def test_recipe_of_the_bundled_student_learns_from_a_folder_of_photos(call: Call, tmp_path: Path):
    """Nothing on the way knows of the picturebook: the same recipe takes what a camera left."""
    photos, cache, run = tmp_path / "photos", tmp_path / "cache", tmp_path / "run"
    write_jpegs(photos)
    assert call("cache", photos, "--recipe", "picturebook", "--out", cache).code == 0
    assert len(FeatureCache(cache)) == 5
    words = ["--images", photos, "--cache", cache, "--out", run, "--validate-on", "none"]
    said = call("distill", "--recipe", "picturebook", *words, "--steps", 3, "--batch-size", 4, "--loop.log-every", 1)
    assert said.code == 0, said.err
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [0, 1, 2]
    assert all(math.isfinite(row["loss"]) for row in log)
    labels = ["--labels", "rose, sky"]
    assert call("segment", photos, *labels, "--model", run / "student", "--out", tmp_path / "out").code == 0
    (path,) = (tmp_path / "out").rglob("IMG_0002.png")
    with Image.open(path) as mask:
        assert mask.size == (640, 480)  # turned upright


@pytest.mark.parametrize(
    "room",
    ["student", "segmenter.py", "scoring.py", "refine.py", "losses.py", "views.py", "feature_cache", "training",
     "teacher", "cli/segment.py", "cli/cache.py", "cli/distill.py"],
)  # fmt: skip
def test_what_photos_go_through_does_not_import_the_picturebook(room: str):
    path = Path(zeroseg.__file__).parent / room
    files = [path] if path.is_file() else list(path.rglob("*.py"))
    assert files
    assert not [file for file in files if re.search(r"(import|from) zeroseg\.picturebook", file.read_text())]


def test_distill_resumes_and_says_when_it_was_interrupted(
    call: Call, recipe: DistillConfig, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert recipe.loop.steps == 4
    words = ["distill", "--recipe=tiny", "--images", photos, "--cache", tmp_path / "cache", "--out", tmp_path / "run"]
    call("cache", photos, "--recipe", "tiny", "--out", tmp_path / "cache")
    assert call(*words, "--loop.checkpoint-every", 2).code == 0
    former = (tmp_path / "run/student/model.safetensors").read_bytes()
    assert call(*words, "--loop.checkpoint-every", 2, "--loop.workers", 1, "--resume").code == 0
    assert (tmp_path / "run/student/model.safetensors").read_bytes() == former
    assert_one_sentence(call(*words, "--seed", 5, "--resume"), 1, "other settings")
    monkeypatch.setattr(distill, "distill", lambda *_: None)
    assert call(*words, "--resume").code == 130


def test_cache_goes_on_reports_the_unreadable_and_refuses_other_views(
    call: Call, recipe: DistillConfig, photos: Path, tmp_path: Path
):
    assert recipe.views == VIEWS
    (photos / "broken.jpg").write_bytes(b"no picture")
    cache = tmp_path / "cache"
    words = ["cache", photos, "--recipe", "tiny", "--out", cache]
    said = call(*words)
    assert said.code == 0
    assert "1 image could not be read" in said.out
    assert json.loads((cache / "quarantine.jsonl").read_text())["image"] == str(photos / "broken.jpg")
    write_photos(photos, 6)
    assert "1 images embedded, 5 already there" in call(*words).out
    assert len(FeatureCache(cache)) == 6
    assert_one_sentence(call(*words, "--grids", 1, 2, 3), 1, str(cache), "views")
    assert_one_sentence(call(*words, "--grids", 0), 1, "grids")
    assert call(*words[:-1], tmp_path / "other", "--grids", 2, "--overlapping", "--side", 48).code == 0
    assert FeatureCache(tmp_path / "other").views.key == "48px 2x2 overlapping"


def test_cache_of_nothing(call: Call, recipe: DistillConfig, tmp_path: Path):
    assert recipe.views == VIEWS
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    words = ["--recipe", "tiny", "--out", tmp_path / "cache"]
    assert_one_sentence(call("cache", tmp_path / "broken.jpg", *words), 1, "quarantine.jsonl")
    assert_one_sentence(call("cache", tmp_path / "missing", *words), 1, "missing")
    assert_one_sentence(call("cache", tmp_path, *words, "--teacher", tmp_path / "none"), 1, "none")


def test_distill_refuses_a_cache_of_another_teacher(call: Call, recipe: DistillConfig, photos: Path, tmp_path: Path):
    assert recipe.views == VIEWS
    call("cache", photos, "--recipe", "tiny", "--out", tmp_path / "cache")
    (tmp_path / "cache/manifest.json").write_text(replace(FeatureCache(tmp_path / "cache").manifest, teacher="?").text)
    words = [
        "distill",
        "--recipe",
        "tiny",
        "--images",
        photos,
        "--cache",
        tmp_path / "cache",
        "--out",
        tmp_path / "run",
    ]
    assert_one_sentence(call(*words), 1, "another teacher")


def test_teach_on_a_folder_of_captions(call: Call, photos: Path, tmp_path: Path):
    rows = [{"file_name": f"photo0{k}.png", "text": f"a photo of thing {k}"} for k in range(4)]
    words = ["teach", "--images", photos, "--out", tmp_path / "run"]
    assert_one_sentence(call(*words), 1, "captions")
    (photos / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sizes = {"image-size": 16, "vision-width": 16, "text-width": 16, "vision-layers": 1, "text-layers": 1, "heads": 2}
    words += [word for name, value in sizes.items() for word in (f"--{name}", value)]
    said = call(*words, "--vocabulary-size", 600, "--steps", 2, "--batch-size", 2, "--loop.workers", 0)
    assert said.code == 0
    assert f"--teacher {tmp_path / 'run/teacher'}" in said.out
    assert Teacher.from_pretrained(tmp_path / "run/teacher").size == 16
    assert_one_sentence(call(*words), 1, "already holds a run")


def test_teach_learns_the_picturebook_by_default(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given: list[Any] = []
    monkeypatch.setattr(teach, "teach", lambda *words: given.extend(words))
    assert call("teach", "--out", tmp_path, "--steps", 7, "--resume").code == 130
    source, config, run, name, resume = given
    assert (len(source), config.loop.steps, run, name, resume) == (200_000, 7, tmp_path, "picturebook", True)


@pytest.mark.parametrize("dataset", ["picturebook-voc", "picturebook-context"])
def test_evaluate_prints_what_it_measured_and_how(dataset: str, call: Call, models: Models, tmp_path: Path):
    path = tmp_path / "figures.json"
    said = call("evaluate", "--dataset", dataset, "--model", models.student, "--size", 2, "--json", path)
    assert (said.code, said.err) == (0, "")
    figures = json.loads(path.read_text())
    assert figures["images"] == 2
    printed = re.search(
        r"\nmIoU ([.\d]+) \(95 % interval ([.\d]+) to ([.\d]+)\)\n.*majority class ([.\d]+)\n", said.out
    )
    assert printed is not None
    expected = [figures["miou"], *figures["miou_interval"], figures["upper_bound_miou"]]
    assert [float(figure) for figure in printed.groups()] == pytest.approx(expected, abs=0.0006)
    assert f"\n{figures['flops_an_image'] / 1e9:.2f} GFLOP an image\n" in said.out
    assert figures["flops_an_image"] == cost.count_flops(PATCH_STUDENT, 0.0)["total"]
    assert "patches" in said.out
    assert ("every pixel is named" in said.out) == (dataset == "picturebook-context")
    assert all(f"│ {name} " in said.out for name in figures["iou"])


@pytest.mark.parametrize("method", sorted({*get_args(BaselineName)} - {"background"}))
def test_evaluate_tunes_the_margin_of_a_baseline_and_says_so(method: str, call: Call, models: Models, tmp_path: Path):
    path = tmp_path / "figures.json"
    iterations = 0 if method == "true-regions" else 2  # its regions are true
    words = ["--teacher", models.teacher, "--size", 1, "--tuning-images", 1, "--refinement", iterations, "--json", path]
    said = call("evaluate", "--method", method, *words)
    assert (said.code, said.err) == (0, "")
    assert "margin" in said.out.splitlines()[0]
    assert "validation scenes" in said.out.splitlines()[0]
    figures = json.loads(path.read_text())
    assert figures["method"] == method
    assert f"{figures['read_out']['margin']:g} (cosine x 100); tuned on 1 validation scenes\n" in said.out
    assert f"\niterations of refinement: {iterations}\n" in said.out
    assert figures["margin"] == "tuned on 1 validation scenes"
    assert figures["read_out"]["refinement"] == iterations
    assert f"\n{figures['flops_an_image'] / 1e9:.2f} GFLOP an image\n" in said.out


def test_evaluate_refuses_a_students_options_for_a_baseline(call: Call, models: Models):
    words = ["evaluate", "--method", "crops"]
    assert_one_sentence(call(*words, "--naming", "patches"), 2, "--method student")
    assert_one_sentence(call(*words, "--model", models.student), 1, str(models.student))  # which is no CLIP


def test_evaluate_refuses_what_the_model_cannot_do(call: Call, tmp_path: Path):
    assert_one_sentence(call("evaluate", "--model", tmp_path / "none"), 1, "none")


def test_a_convolutional_student_is_chosen_by_its_name(call: Call, recipe: DistillConfig, photos: Path, tmp_path: Path):
    assert (
        call("cache", photos, "--recipe", "tiny", "--teacher", recipe.student.teacher, "--out", tmp_path / "c").code
        == 0
    )
    words = ["distill", "--recipe", "tiny", "--images", photos, "--cache", tmp_path / "c", "--out", tmp_path / "run"]
    lite = ["--student.encoder", "efficientnet_lite0", "--student.image-size", 64]
    assert_one_sentence(call(*words, *lite), 1, "patch_size must be 16")
    lite += ["--student.patch-size", 16, "--trainable-blocks", 0, "--loop.optimiser.encoder-rate", 0.1]
    said = call(*words, *lite)
    assert said.code == 0
    student = Student.from_pretrained(tmp_path / "run" / "student")
    assert (student.config.encoder, student.config.grid) == ("efficientnet_lite0", 4)
    (photo,) = list(photos.iterdir())[:1]
    said = call(
        "segment", photo, "--labels", "dog, cat", "--model", tmp_path / "run" / "student", "--out", tmp_path / "o"
    )
    assert said.code == 0


def test_cost_of_a_frozen_encoder_is_less(call: Call, recipe: DistillConfig, monkeypatch: pytest.MonkeyPatch):
    lite = replace(recipe, student=replace(LITE_STUDENT, image_size=224))
    said = dict[int | None, str]()
    for blocks in (None, 0):
        monkeypatch.setitem(RECIPES, "tiny", lambda blocks=blocks: replace(lite, trainable_blocks=blocks))
        said[blocks] = call("cost", "--recipe", "tiny").out
        step = cost.training_flops(lite.student, lite.mask_ratio, blocks)
        assert f"a training step: {step / 1e9:,.2f} GFLOP an image" in said[blocks]
    assert said[None] != said[0]


def test_cost_adds_up(call: Call, recipe: DistillConfig, monkeypatch: pytest.MonkeyPatch):
    said = call("cost", "--recipe", "tiny")
    assert (said.code, said.err) == (0, "")
    assert f"{cost.count_parameters(recipe.student)['total']:,}" in said.out
    monkeypatch.setitem(RECIPES, "tiny", lambda: replace(recipe, student=STUDENT, losses=LossWeights()))
    assert "decoder" in call("cost", "--recipe", "tiny").out

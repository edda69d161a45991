"""What a run needs, said before it is started: `zeroseg cost` and `zeroseg distill --dry-run`, for every recipe."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Call, Models, assert_one_sentence
from tests.tiny import clip_folder, locked_folder, siglip_folder, write_photos
from zeroseg.recipes import RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_says_what_its_run_needs_and_trains_nothing(recipe: str, call: Call, tmp_path: Path):
    said = call("distill", "--recipe", recipe, "--dry-run", "--out", tmp_path / "run")
    assert (said.code, said.err) == (0, "")
    for words in ("parameters", "GFLOP", "on one RTX 4090 (24 GB)", "40% of the peak", "memory: about", "disk:"):
        assert words in said.out
    assert not (tmp_path / "run").exists()
    assert "in all" in call("cost", "--recipe", recipe).out


def test_photos_and_a_cache_change_the_sum(call: Call, tmp_path: Path):
    write_photos(tmp_path, 30)
    words = ["distill", "--recipe", "photos_vitb16", "--dry-run", "--images", tmp_path, "--probe", 5, "--steps", 100]
    live, cached = call(*words).out, call(*words, "--cache", tmp_path / "none").out
    assert "32.0 epochs of 25" in live
    assert "in every step, without a cache" in live
    assert "once, for the cache" in cached
    assert "cache 77 kB an image" in cached
    assert "144 windows" in live
    assert_one_sentence(call(*words[:-3], 30), 1, "the probe holds out 30 images, and there are 30", "--probe")
    assert_one_sentence(
        call(*words[:4], "--images", tmp_path, "--out", tmp_path / "run", "--teacher", "some/clip"), 1, "--probe"
    )
    small = call(
        "distill", "--recipe", "photos_small", "--dry-run", "--images", tmp_path, "--cache", tmp_path / "none"
    ).out
    assert "once, for the cache (not in the sum): 30 images, less than a minute on one CPU core" in small


def test_the_sizes_of_a_teacher_that_is_not_here_are_left_out(call: Call):
    said = call("distill", "--recipe", "photos_vitb16", "--dry-run", "--teacher", "some/clip").out
    assert "the sizes of some/clip are not known here" in said


def test_what_runs_on_a_cpu_is_given_in_minutes_of_a_core(call: Call):
    said = call("cost", "--recipe", "photos_small").out
    assert "14 minutes on one CPU core" in said
    assert "less than a minute on one RTX 4090 (24 GB), A100, H100 SXM" in said
    assert "GFLOP for an image, once, for the cache" in said  # the bundled teacher's tower is counted
    assert "CPU core" not in call("cost", "--recipe", "imagenet_vitb16").out


@pytest.mark.parametrize(
    ("teacher", "words"),
    [("photos", "efficientnet_lite0"), ("openai/clip-vit-large-patch14", "width is 768")],
    ids=["other form", "other sizes"],
)
def test_a_run_that_would_be_refused_has_no_price(teacher: str, words: str, call: Call):
    said = call("distill", "--recipe", "photos_vitb16", "--dry-run", "--teacher", teacher)
    assert_one_sentence(said, 1, words)
    assert said.out == ""
    assert (
        call("distill", "--recipe", "photos_vitb16", "--dry-run", "--teacher", teacher, "--start-from", "a/b").code == 0
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--student.layers", 6], "blocks.4"),
        (["--teacher", "LIT"], "the vision tower of a LiT, which has another form"),
        (["--start-from", "photos"], "another form than the recipe's"),
    ],
    ids=["more layers", "a LiT of a ViT", "another student"],
)
def test_a_dry_run_tries_the_start_of_a_run(words: list[object], said: str, call: Call, tmp_path: Path):
    lit = locked_folder(tmp_path, "vit")
    given = [lit if word == "LIT" else word for word in words]
    assert_one_sentence(call("distill", "--recipe", "picturebook", "--dry-run", *given), 1, said)


@pytest.mark.parametrize("folder", [clip_folder, siglip_folder], ids=["clip", "siglip"])
def test_from_a_folder_of_photos_to_the_best_student(
    folder: object, call: Call, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`photos_vitb16` itself, made small: it adapts to the family of its teacher, probes, resumes, and segments."""
    assert models.teacher.exists()
    teacher, photos, run = tmp_path / "teacher", tmp_path / "photos", tmp_path / "run"
    for made in (teacher, photos):
        made.mkdir()
    (clip_folder if folder is clip_folder else siglip_folder)(teacher)
    write_photos(photos, 9)
    recipe = RECIPES["photos_vitb16"]()
    student = replace(recipe.student, image_size=32, patch_size=8, width=32, layers=2, heads=2, inference_size=32)
    loop = replace(
        recipe.loop, steps=4, batch_size=2, micro_batches=2, workers=0, evaluate_every=2, precision="fp32", log_every=1
    )
    windows = replace(recipe.windows, side=16, stride=6)
    views = replace(recipe.views, side=32, grids=(1, 2))
    small = replace(recipe, student=student, loop=loop, windows=windows, views=views, probe=3)
    monkeypatch.setitem(RECIPES, "photos_vitb16", lambda: small)
    words = ["distill", "--recipe", "photos_vitb16", "--images", photos, "--teacher", teacher, "--out", run]
    said = call(*words)
    assert said.code == 0, said.err
    assert "kept: the student after step" in said.out
    assert call(*words, "--resume").out == said.out
    assert (run / "student-last/model.safetensors").exists()
    labels = ["--labels", "dog, grass", "--model", run / "student", "--out", tmp_path / "out"]
    assert call("segment", photos / "photo00.png", *labels).code == 0
    assert (tmp_path / "out/photo00.png").exists()


def test_distill_needs_images_and_a_cache_where_targets_are_centred(call: Call, tmp_path: Path):
    write_photos(tmp_path, 2)
    assert_one_sentence(call("distill", "--out", tmp_path / "run"), 2, "--images")
    words = ["distill", "--images", tmp_path, "--out", tmp_path / "run"]
    assert_one_sentence(call(*words), 1, "this recipe needs --cache", "`zeroseg cache")
    assert not (tmp_path / "run").exists()

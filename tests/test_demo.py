"""The demo from end to end, with tiny networks and a budget of a second."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from transformers import CLIPImageProcessorPil

from tests.tiny import PATCH_STUDENT, TEACH, VIEWS, clip, student, tokenizer
from zeroseg import demo
from zeroseg.cli import COMMANDS, main
from zeroseg.demo import DemoConfig, demonstration
from zeroseg.demo.curves import RECENT, nearest_by_grid, points
from zeroseg.demo.demonstration import next_commands
from zeroseg.demo.pictures import PHOTOS, SCENES, pictures_in
from zeroseg.demo.training_run import free_run
from zeroseg.training.distillation import DistillConfig, LossWeights
from zeroseg.training.loop import LoopConfig
from zeroseg.training.monitor import read_log
from zeroseg.views import ViewsConfig

IMAGES = 6


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> DemoConfig:
    folder = tmp_path_factory.mktemp("models")
    student(PATCH_STUDENT).save_pretrained(folder / "student")
    student(replace(PATCH_STUDENT, teacher=str(folder / "teacher"))).save_pretrained(folder / "photos")
    side = TEACH.image_size
    clip().save_pretrained(folder / "teacher")
    tokenizer().save_pretrained(folder / "teacher")
    processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    processor.save_pretrained(folder / "teacher")
    recipe = DistillConfig(
        student=PATCH_STUDENT,
        views=VIEWS,
        losses=LossWeights(reconstruction=0, distillation=0.5, matching=0, overlap=1, patch_view=1, dense=1),
        flips=True,
        centre=True,
        loop=LoopConfig(batch_size=4, workers=0, precision="fp32"),
    )
    return DemoConfig(
        recipe=recipe,
        photos=folder / "photos",
        model=folder / "student",
        teacher=folder / "teacher",
        fewest_images=IMAGES,
        most_images=IMAGES,
        timing_steps=4,
        curve_points=2,
        curve_scenes=2,
        table_scenes=2,
        tuning_scenes=1,
    )


@pytest.fixture(scope="module")
def out(config: DemoConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that was given once."""
    folder = tmp_path_factory.mktemp("out") / "demo"
    assert demo.run(folder, minutes=0.01, quiet=True, config=config) == folder / "report.html"
    return folder


def test_the_folder_holds_photos_pictures_scenes_cache_run_and_report(out: Path):
    for name, folder in (("photos", PHOTOS), ("pictures", SCENES)):
        assert {path.name for path in (out / name).iterdir()} == {one.path.name for one in pictures_in(folder)}
    assert len(list((out / "images").glob("*.png"))) == IMAGES
    assert len(list(out.glob("cache-*/manifest.json"))) == 1
    assert (out / "run-1" / "student" / "model.safetensors").is_file()
    assert (out / "report.html").is_file()


def test_the_curve_begins_before_training_and_ends_after_it(out: Path, config: DemoConfig):
    log = read_log(out / "run-1")
    curve = points(log, "miou")
    steps = json.loads((out / "run-1" / "settings.json").read_text())["loop"]["steps"]
    assert (curve[0][0], curve[-1][0]) == (0, steps)
    assert len(curve) == 1 + config.curve_points
    assert len(points(log, "token_cosine")) >= 2


def test_the_report_has_all_parts_and_asks_for_nothing_outside(out: Path):
    html = (out / "report.html").read_text(encoding="utf-8")
    expected = [
        "Photos, segmented by words", "Scenes of the picturebook, segmented by words", "Held-out mIoU", "token",
        "Which view is nearest", "student at the start", "student after",
        "bundled student", "teacher, MaskCLIP-style", "teacher, 4 x 4 crops", "Settings",
    ]  # fmt: skip
    assert [part for part in expected if part not in html] == []
    assert "http://" not in html
    assert "https://" not in html
    assert html.count("<img") == 2 * len(list(out.glob("p*/*.*g")))
    assert "nan" not in html.split("</style>")[1].split("<main>")[0]


def test_a_second_demo_uses_what_is_there(out: Path, config: DemoConfig, capsys: pytest.CaptureFixture[str]):
    before = {path: path.stat().st_mtime_ns for path in [*out.glob("images/*"), *out.glob("cache-*/*")]}
    shorter = replace(config, table_scenes=1, curve_scenes=1, photos=None)
    report = demo.run(out, minutes=0.001, config=shorter)
    assert "Photos, segmented" not in report.read_text(encoding="utf-8")

    said = " ".join(capsys.readouterr().out.split())
    assert (out / "run-2" / "student").is_dir()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "of an earlier demo" in said
    assert said.count(str(report)) == 1
    assert "margins on 100" in said
    assert "Try next" in said


def test_the_command_leaves_the_talking_to_the_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(demo, "run", lambda out, _: out / "report.html")
    assert main(["demo"]) == 0
    assert capsys.readouterr().out == ""


def test_ctrl_c_says_what_is_there(
    config: DemoConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt("ctrl-c")

    monkeypatch.setattr(demonstration, "cache_features", interrupted)
    with pytest.raises(KeyboardInterrupt, match="ctrl-c"):
        demo.run(tmp_path, minutes=0.001, config=config)

    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith("Stopped.")
    assert "8 segmented photos, 6 segmented pictures" in last
    assert f"{IMAGES} drawn scenes" in last


def test_three_commands_that_exist(tmp_path: Path):
    commands = [command for _, command in next_commands(tmp_path / "run 1")]
    assert len(commands) == 3
    called = [part.split()[1] for command in commands for part in command.split(" && ")]
    assert called == ["picturebook", "segment", "evaluate", "cache", "distill"]
    assert set(called) <= COMMANDS.keys()
    assert f"'{tmp_path / 'run 1' / 'student'}'" in commands[1]


def test_nearest_views_are_counted_by_grid_over_the_last_records():
    views = ViewsConfig(side=96, overlapping=True)
    old, new = {"nearest": [9] * 83}, {"nearest": [1] + [0] * 82}
    counts = nearest_by_grid([old, {"miou": 0.5}, *[new] * RECENT], views)
    assert {grid: len(values) for grid, values in counts.items()} == {"2 x 2": 9, "3 x 3": 25, "4 x 4": 49}
    assert counts["2 x 2"][0] == RECENT
    assert sum(sum(values) for values in counts.values()) == RECENT
    assert sum(sum(values) for values in nearest_by_grid([], views).values()) == 0


def test_points_leave_out_records_without_the_figure():
    assert points([{"step": -1, "miou": 0.1}, {"step": 0, "loss": 2.0}], "miou") == [(0.0, 0.1)]


def test_runs_are_numbered(tmp_path: Path):
    for _ in range(3):
        free_run(tmp_path).mkdir()
    numbers = sorted(int(path.name.removeprefix("run-")) for path in tmp_path.iterdir())
    assert all(b - a == 1 for a, b in pairwise(numbers))

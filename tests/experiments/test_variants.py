"""Every variant of every experiment can be run, from its base's cache, and is not the base."""

import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import zeroseg
from zeroseg.evaluation import DATASETS
from zeroseg.experiments import EXPERIMENTS, Experiment, Variant, changes
from zeroseg.experiments.design import TRAINING_POINTS, VALIDATION_POINTS
from zeroseg.experiments.records import settings_of
from zeroseg.report.charts import COLOURS
from zeroseg.student import Student
from zeroseg.teacher import Teacher
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.initialisation import start_from_teacher

EXPERIMENT = pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=list(EXPERIMENTS))
VARIANT = pytest.mark.parametrize(
    ("experiment", "variant"),
    [
        pytest.param(experiment, v, id=f"{experiment.name}-{v.name}")
        for experiment in EXPERIMENTS.values()
        for v in experiment.variants
    ],
)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher.from_pretrained("picturebook")


def config_of(experiment: Experiment, variant: Variant, seed: int = 0) -> DistillConfig:
    return experiment.config(variant, experiment.recipe(), seed)


def _from_teacher(experiment: Experiment) -> list[DistillConfig]:
    """The different students of an experiment whose encoder starts as the bundled teacher's."""
    configs = [config_of(experiment, variant) for variant in experiment.variants]
    starting = [config for config in configs if config.encoder_from_teacher and config.student.encoder == "vit"]
    return list({config.student: config for config in starting}.values())


@VARIANT
def test_a_variant_builds_and_reads_its_bases_cache(experiment: Experiment, variant: Variant):
    config = config_of(experiment, variant)
    with torch.device("meta"):
        Student(config.student)
    base = experiment.recipe()
    assert set(config.views.boxes()) <= set(base.views.boxes())
    assert config.student.teacher == base.student.teacher
    naming = base.student.read_out.naming if config.student.patch_head else "segments"
    assert config.student.read_out == replace(base.student.read_out, naming=naming)


@pytest.mark.parametrize("experiment", [experiment for experiment in EXPERIMENTS.values() if _from_teacher(experiment)])
def test_an_encoder_that_starts_from_the_teachers_has_its_weights(experiment: Experiment, teacher: Teacher):
    """The first layer's are compared with the file of the bundled teacher."""
    file = Path(zeroseg.__file__).parent / "weights/teacher/model.safetensors"
    theirs = load_file(file)["vision_model.encoder.layers.0.mlp.fc1.weight"].float()
    for config in _from_teacher(experiment):
        student = Student(config.student)
        start_from_teacher(student, teacher)
        torch.testing.assert_close(student.get_parameter("encoder.blocks.0.mlp.first.weight"), theirs)


@EXPERIMENT
def test_all_variants_are_different_runs(experiment: Experiment):
    configs = [config_of(experiment, variant) for variant in experiment.variants]
    settings = [settings_of(config, "", 0, {}) for config in configs]
    assert all(one not in settings[:place] for place, one in enumerate(settings))
    assert config_of(experiment, experiment.base, 3).loop.seed == 3


@VARIANT
def test_samples_are_equal(experiment: Experiment, variant: Variant):
    loop, base = config_of(experiment, variant).loop, experiment.recipe().loop
    factor = {"small-longest": 27, "small-longest-mae": 27, "faithful-longer": 4}.get(variant.name, 1)
    assert loop.steps * loop.batch_size == factor * base.steps * base.batch_size


@VARIANT
@pytest.mark.parametrize("steps", [1, 4, 37, 2500])
def test_a_run_is_watched_as_often_as_its_curve_has_points(experiment: Experiment, variant: Variant, steps: int):
    base = experiment.recipe()
    loop = experiment.config(variant, replace(base, loop=replace(base.loop, steps=steps)), 0).loop
    logged = {step for step in range(loop.steps) if step % loop.log_every == 0} | {loop.steps - 1}
    looked = {step for step in range(loop.steps) if (step + 1) % loop.evaluate_every == 0} | {loop.steps - 1}
    assert min(loop.steps, TRAINING_POINTS // 2) <= len(logged) <= TRAINING_POINTS
    assert 1 + len(looked) <= VALIDATION_POINTS


@EXPERIMENT
def test_the_design_is_sound(experiment: Experiment):
    names = [variant.name for variant in experiment.variants]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in names)
    assert all(variant.words and "|" not in variant.words for variant in experiment.variants)
    assert set(experiment.datasets) <= set(DATASETS)
    assert {column.reading for column in experiment.columns} <= experiment.readings.keys()
    assert next(iter(experiment.readings.values())) == {}, "the first reading is the recipe's own"


@EXPERIMENT
def test_a_group_has_a_colour_for_each_line(experiment: Experiment):
    assert all(len(group) < COLOURS for group in experiment.groups.values()), "make another group: colours would repeat"


def test_changes_change_what_they_say_and_nothing_else():
    base = EXPERIMENTS["faithful"].recipe()
    summed = changes.summed(base).losses
    assert (summed.reconstruction, summed.distillation, summed.matching) == (1.0, 96.0, 96.0)
    both = changes.together(changes.losses(matching=0.1), changes.summed)(base)
    assert both.losses.matching == pytest.approx(9.6)
    eight = changes.batch_size(8)(base)
    assert (eight.loop.batch_size, eight.loop.steps) == (8, 4 * base.loop.steps)
    assert changes.optimiser(4)(base).loop.optimiser.learning_rate == 4 * base.loop.optimiser.learning_rate
    for change in (changes.batch_size(8), changes.optimiser(4), changes.samples(10)):
        assert asdict(replace(change(base), loop=base.loop)) == asdict(base)

"""Every named run builds, says what it costs, survives JSON; the paper's size takes a real step within 8 GB."""

import inspect
import json
import math
import re
import subprocess
import sys
from typing import Any

import pytest

from zeroseg.recipes import RECIPES
from zeroseg.student import StudentConfig
from zeroseg.student.config import plain_settings
from zeroseg.training.dense_targets import WindowsConfig
from zeroseg.training.distillation import DistillConfig, LossWeights
from zeroseg.training.loop import LoopConfig
from zeroseg.training.optimiser import OptimiserConfig
from zeroseg.views import ViewsConfig

GB = 10**9

# In a process of its own: the peak of memory is then this step's alone.
STEP = """
import json, resource, sys
import torch
from zeroseg.precision import mixed_precision
from zeroseg.recipes import RECIPES
from zeroseg.student import Student
from zeroseg.training.distillation import Distillation
from zeroseg.training.view_data import ViewBatch
from zeroseg.training.optimiser import build_optimiser

torch.manual_seed(0)
config = RECIPES["imagenet_vitb16"]()
student = Student(config.student).train()
optimiser = build_optimiser(student, config.loop.optimiser)
batch = ViewBatch(
    torch.randint(0, 256, (8, 3, 224, 224), dtype=torch.uint8),
    torch.randn(8, 30, 768),
    torch.zeros(8, dtype=torch.bool),
    names=[str(number) for number in range(8)],
)
before = student.encoder.positions.detach().clone()
with mixed_precision(torch.device("cpu"), config.loop.precision == "bf16"):
    (loss,) = Distillation(student, config, None).losses(batch, 0.0, torch.Generator().manual_seed(0))
loss.value.backward()
optimiser.step()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
moved = bool((student.encoder.class_token != before).any())
print(json.dumps({"loss": loss.value.item(), "parts": sorted(loss.parts), "peak": peak, "moved": moved}))
"""


def rebuilt(values: dict[str, Any]) -> DistillConfig:
    """A recipe from plain JSON values."""
    views, windows, loop = values["views"], values["windows"], values["loop"]
    parts = {
        "student": StudentConfig.from_json(values["student"]),
        "views": ViewsConfig(**views | {"grids": tuple(views["grids"])}),
        "losses": LossWeights(**values["losses"]),
        "windows": WindowsConfig(**windows | {"scales": tuple(windows.get("scales", (1.0,)))}),
        "loop": LoopConfig(
            **loop | {"optimiser": OptimiserConfig(**loop["optimiser"]), "log_to": tuple(loop["log_to"])}
        ),
    }
    return DistillConfig(**values | parts)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_survives_json(name: str):
    config = RECIPES[name]()
    assert rebuilt(json.loads(json.dumps(plain_settings(config)))) == config


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_has_the_name_of_its_function(name: str):
    assert RECIPES[name].__name__ == name
    assert list(RECIPES) == sorted(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_docstring_states_hardware_time_and_figure(name: str):
    """The docstring of a recipe is where people learn what it takes and what it gives."""
    written = inspect.getdoc(RECIPES[name]) or ""

    assert re.search(r"\b(cores?|CPU|GPU|[VAH]\d00)\b", written), f"{name}: no hardware in its docstring"
    assert re.search(r"\d[\d.]* ?(\w+-)?(minutes|hours)", written), f"{name}: no time in its docstring"
    assert re.search(r"mIoU\D{0,40}\d|\d[\d.]* mIoU", written), f"{name}: no expected mIoU in its docstring"


def test_the_papers_sizes_and_hyperparameters():
    """`imagenet_vitb16` against the paper's text, number by number."""
    config = RECIPES["imagenet_vitb16"]()
    student, loop = config.student, config.loop

    assert (student.image_size, student.patch_size, student.width, student.layers, student.heads) == (
        224, 16, 768, 12, 12,
    )  # fmt: skip
    assert (student.head_layers, student.grouping_after, student.segment_tokens) == (5, (2, 4), (32, 8))
    assert (student.decoder_layers, student.assignment, student.patch_head) == (8, "gumbel", False)
    assert len(config.views.boxes()) == 30
    assert config.mask_ratio == 0.6
    assert not config.flips
    assert loop.batch_size == 4096
    assert loop.steps == 80 * 1_281_167 // 4096
    assert loop.optimiser.warmup == 20 / 80
    assert loop.optimiser.learning_rate == pytest.approx(1.5e-4 * 4096 / 256)
    assert (loop.optimiser.beta1, loop.optimiser.beta2, loop.optimiser.weight_decay) == (0.9, 0.95, 0.05)


def test_the_published_hyperparameters_of_photos():
    """`photos_vitb16` within what the literature supports (docs/method.md)."""
    config = RECIPES["photos_vitb16"]()
    loop, windows = config.loop, config.windows

    assert 1e-5 <= loop.optimiser.learning_rate * loop.optimiser.encoder_rate <= 2e-5
    assert config.trainable_blocks == 2
    assert config.mask_ratio == 0
    assert loop.steps * loop.batch_size <= 10 * 25_000
    assert loop.evaluate_every * loop.batch_size == 25_000  # the probe, once an epoch
    assert 448 <= config.student.image_size <= 560
    assert windows.stride % config.student.patch_size
    assert windows.side % config.student.patch_size == 0
    assert config.encoder_from_teacher
    assert config.probe
    assert not config.centre


def test_one_step_of_the_papers_size_runs_within_8_gb():
    done = subprocess.run([sys.executable, "-c", STEP], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    step = json.loads(done.stdout)

    assert math.isfinite(step["loss"])
    assert {"reconstruction", "distillation", "matching"} <= set(step["parts"])
    assert step["moved"]
    assert step["peak"] < 8 * GB, f"the step took {step['peak'] / GB:.1f} GB"

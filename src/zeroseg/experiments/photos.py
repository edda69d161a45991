"""The experiment `photos`: our recipe for photos, short and in its plainest form; each variant changes one thing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zeroseg.experiments import changes
from zeroseg.experiments.design import Change, Column, Experiment, Variant
from zeroseg.recipes import photos_small, photos_small_faithful
from zeroseg.training.dense_targets import WindowsConfig
from zeroseg.training.distillation import DistillConfig

ALL, OBJECTS = "msrc21", "msrc21-objects"
STEPS, SIDE = 150, 224
ENCODER_RATE = 0.2  # of the head's rate, for blocks that start pretrained


def photos_short() -> DistillConfig:
    """`photos_small` with 150 steps on 224 pixels, a frozen encoder, centred targets, and all patches seen.

    With batches of 32, three to twelve minutes on one thread of a CPU core that does other work (docs/photos.md).
    """
    recipe = photos_small()
    return replace(
        recipe,
        student=replace(recipe.student, image_size=SIDE),
        trainable_blocks=0,
        centre=True,
        mask_ratio=0.0,
        loop=replace(recipe.loop, steps=STEPS),
    )


def _last_blocks(count: int) -> Variant:
    change = changes.together(changes.settings(trainable_blocks=count), changes.optimiser(encoder_rate=ENCODER_RATE))
    return Variant(
        f"last-{count}", f"the encoder's last {count} blocks are trained too, at a fifth of the rate", change
    )


ONE_WINDOW = WindowsConfig(side=SIDE, method="maskclip")
SEVERAL_SCALES = replace(ONE_WINDOW, scales=(0.7, 1.0, 1.4, 2.0), smoothing=0.12)


def _dense_map(name: str, title: str, windows: WindowsConfig, **weights: float) -> Variant:
    return Variant(
        name, title, changes.together(changes.settings(windows=windows), changes.losses(window=4.0, **weights))
    )


def _papers(config: DistillConfig) -> DistillConfig:
    """The recipe `photos_small_faithful`, as long as `config` and with its background words."""
    recipe = photos_small_faithful()
    read_out = replace(config.student.read_out, naming="segments")
    student = replace(recipe.student, image_size=config.student.image_size, read_out=read_out)
    loop = replace(config.loop, optimiser=recipe.loop.optimiser)
    return replace(recipe, student=student, loop=loop)


def _of_papers(name: str, title: str, *more: Change) -> Variant:
    return Variant(name, title, changes.together(_papers, *more))


COSINE = changes.together(changes.student(assignment="cosine"), changes.settings(centre=True))

PHOTOS = Experiment(
    name="photos",
    recipe=photos_short,
    base=Variant("base", "encoder frozen, crops as targets, centred, all patches seen, 224 pixels"),
    groups={
        "Encoder": (_last_blocks(2), _last_blocks(5)),
        "Targets": (
            Variant("no-centre", "targets neither centred nor scaled", changes.settings(centre=False)),
            _dense_map("dense-map", "the teacher's own dense map is a target, too", ONE_WINDOW),
            _dense_map("dense-map-alone", "the same, and patches have no targets from crops", ONE_WINDOW, dense=0.0),
            _dense_map(
                "dense-map-scales", "a dense map too: at four scales, smoothed over what looks alike", SEVERAL_SCALES
            ),
        ),
        "Patches and pixels": (
            Variant("mask-0.5", "half of the patches dropped in training", changes.settings(mask_ratio=0.5)),
            Variant("pixels-320", "trained on 320 pixels, not 224", changes.student(image_size=320)),
        ),
        "The paper's losses and head": (
            _of_papers("faithful", "the recipe `photos_small_faithful`"),
            _of_papers("faithful-longer", "the same, 4 times the samples", changes.samples(4)),
            _of_papers("faithful-cosine", "the same with cosine assignment and centred targets", COSINE),
            _of_papers(
                "faithful-cosine-no-matching", "the same without segment matching", COSINE, changes.losses(matching=0.0)
            ),
        ),
    },
    readings={"patches": {}, "segments": {"naming": "segments"}},
    columns=(
        Column("objects", OBJECTS, "patches"),
        Column("objects, refined", OBJECTS, "patches", refined=True),
        Column("objects by segment", OBJECTS, "segments"),
        Column("all classes", ALL, "patches"),
        Column("all classes, refined", ALL, "patches", refined=True),
        Column("all classes by segment", ALL, "segments"),
        Column("upper bound of segments", OBJECTS, "segments", "upper_bound_miou"),
    ),
    template=Path(__file__).with_suffix(".md"),
    by_class=(ALL,),
)

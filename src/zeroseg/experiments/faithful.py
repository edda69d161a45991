"""The experiment `faithful`: the paper's recipe on the picturebook; each variant changes one thing.

All variants use the same cache, with the paper's 30 views.
"""

from dataclasses import replace
from pathlib import Path

from zeroseg.experiments import changes
from zeroseg.experiments.design import Column, Experiment, Variant
from zeroseg.recipes import picturebook, picturebook_faithful
from zeroseg.rules import Margin
from zeroseg.training.distillation import DistillConfig
from zeroseg.training.initialisation import NOT_OF_THE_FORM

VOC = "picturebook-voc"

MEANS = changes.together(changes.student(patch_head=True, segment_embedding="mean"), changes.losses(dense=1.0))
FROM_TEACHER = changes.together(
    changes.student(input_norm=True, positions="learned"), changes.settings(encoder_from_teacher=True)
)
WITH_ALL = changes.together(changes.student(assignment="cosine"), FROM_TEACHER, changes.settings(centre=True))
SMALL = changes.together(changes.samples(27), changes.student(width=64, layers=2))


def from_ours(config: DistillConfig) -> DistillConfig:
    """Start from the bundled student, whose segments are distinct, and continue with the losses of `config`."""
    own = config.student
    student = replace(picturebook().student, **{name: getattr(own, name) for name in NOT_OF_THE_FORM})
    return replace(config, student=student, start_from="bundled", losses=replace(config.losses, reconstruction=0.0))


FAITHFUL = Experiment(
    name="faithful",
    recipe=picturebook_faithful,
    base=Variant("base", "the recipe `picturebook_faithful` as it is"),
    groups={
        "Head": (
            Variant("light", "the lighter head: no group tokens travel", changes.student(grouping="light")),
            Variant("learned", "learned positions", changes.student(positions="learned")),
        ),
        "Targets": (
            Variant("centred", "targets centred and scaled", changes.settings(centre=True)),
            Variant("raw-lengths", "targets not scaled to length 1", changes.settings(normalise=False)),
            Variant("sums", "distances to views summed over dimensions, not averaged", changes.summed),
        ),
        "Matching": (
            Variant("matching-0.1", "segment matching at weight .1", changes.losses(matching=0.1)),
            Variant(
                "no-matching", "no segment matching: reconstruction and distillation", changes.losses(matching=0.0)
            ),
        ),
        "Batch and rate": (
            Variant(
                "batch-128",
                "batch of 128, equal samples, learning rate times 4",
                changes.together(changes.batch_size(128), changes.optimiser(factor=4.0)),
            ),
            Variant("warmup", "a quarter of the run is warm-up", changes.optimiser(warmup=0.25)),
            Variant("rate-quarter", "learning rate divided by 4", changes.optimiser(factor=0.25)),
            Variant("rate-4", "learning rate times 4", changes.optimiser(factor=4.0)),
        ),
        "Assignment": (
            Variant("cosine", "cosine assignment", changes.student(assignment="cosine")),
            Variant(
                "cosine-no-matching",
                "the same without segment matching",
                changes.together(changes.student(assignment="cosine"), changes.losses(matching=0.0)),
            ),
            Variant(
                "cosine-teacher-centred", "cosine assignment, encoder from the teacher's, centred targets", WITH_ALL
            ),
            Variant("temperature-0.1", "Gumbel temperature .1", changes.student(temperature=0.1)),
        ),
        "Segments as means of patches": (
            Variant("means", "segments are means of patches that dense targets train", MEANS),
            Variant(
                "means-cosine-teacher-centred",
                "the same with cosine assignment, encoder from the teacher's, centred targets",
                changes.together(MEANS, WITH_ALL),
            ),
        ),
        "Initial weights": (
            Variant("from-teacher", "encoder started from the teacher's", FROM_TEACHER),
            Variant("mae", "the first half of the run is MAE pretraining", changes.settings(pretraining=0.5)),
            Variant("from-ours", "the bundled student goes on with the paper's losses", from_ours),
            Variant(
                "from-ours-no-matching",
                "the same without segment matching",
                changes.together(from_ours, changes.losses(matching=0.0)),
            ),
        ),
        "Longer": (
            Variant("small-longest", "27 times the samples; width 64, 2 encoder layers", SMALL),
            Variant(
                "small-longest-mae",
                "the same; a fifth is MAE pretraining, a quarter warm-up; batch of 128, rate times 4",
                changes.together(
                    SMALL,
                    changes.settings(pretraining=0.2),
                    changes.batch_size(128),
                    changes.optimiser(factor=4.0, warmup=0.25),
                ),
            ),
        ),
    },
    readings={"product": {}, "margin": {"background": Margin()}},
    columns=(
        Column("mIoU, product score", VOC, "product"),
        Column("mIoU, margin rule", VOC, "margin"),
        Column("upper bound of segments", VOC, "product", "upper_bound_miou"),
    ),
    template=Path(__file__).with_suffix(".md"),
)

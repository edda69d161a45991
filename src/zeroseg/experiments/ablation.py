"""The experiment `ablation`: our recipe on the picturebook; each variant leaves out one part."""

from pathlib import Path

from zeroseg.experiments import changes
from zeroseg.experiments.design import Column, Experiment, Variant
from zeroseg.recipes import picturebook

VOC, CONTEXT, COCO = "picturebook-voc", "picturebook-context", "picturebook-coco"

ABLATION = Experiment(
    name="ablation",
    recipe=picturebook,
    base=Variant("ours", "the recipe `picturebook` as it is"),
    groups={
        "Losses": (
            Variant("no-overlap", "no overlap-weighted matching", changes.losses(overlap=0.0)),
            Variant("no-patch-view", "no patch-view matching", changes.losses(patch_view=0.0)),
            Variant("no-dense", "no dense targets", changes.losses(dense=0.0)),
            Variant("no-distillation", "no multi-scale distillation", changes.losses(distillation=0.0)),
            Variant("plus-matching", "also the paper's segment matching, at weight .2", changes.losses(matching=0.2)),
        ),
        "Data, targets, initial weights": (
            Variant("no-focus", "views count evenly for all patches in them", changes.settings(focus=0.0)),
            Variant("no-flips", "no flipped images", changes.settings(flips=False)),
            Variant("no-centre", "targets neither centred nor scaled", changes.settings(centre=False)),
            Variant(
                "from-scratch", "encoder not started from the teacher's", changes.settings(encoder_from_teacher=False)
            ),
        ),
        "Grouping and masking": (
            Variant("gumbel", "the paper's assignment in place of cosines", changes.student(assignment="gumbel")),
            Variant("tokens-8", "8 segment tokens in place of 16", changes.student(segment_tokens=(32, 8))),
            Variant("mask-0", "all patches seen in training", changes.settings(mask_ratio=0.0)),
            Variant("mask-0.6", "60 % of the patches dropped in training, not 25 %", changes.settings(mask_ratio=0.6)),
        ),
        "Optimiser": (
            Variant("adamw", "AdamW in place of Muon", changes.optimiser(algorithm="adamw")),
            Variant("adamw-slow", "AdamW at a quarter of the rate", changes.optimiser(algorithm="adamw", factor=0.25)),
        ),
    },
    readings={"patches": {}, "segments": {"naming": "segments"}},
    columns=(
        Column("voc", VOC, "patches"),
        Column("voc, refined", VOC, "patches", refined=True),
        Column("voc by segment", VOC, "segments"),
        Column("upper bound of segments", VOC, "segments", "upper_bound_miou"),
        Column("context", CONTEXT, "patches"),
        Column("coco", COCO, "patches"),
    ),
    template=Path(__file__).with_suffix(".md"),
)

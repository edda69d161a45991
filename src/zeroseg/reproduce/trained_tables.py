"""Tables 1 and 3 to 6 of the paper in the small: supervision, window scales, losses, mask ratios, more images.

The paper's own losses collapse at this size (docs/faithful.md), so the runs are of our recipe, in which overlap,
patch-view and dense matching take the place of the paper's segment matching. Each table is one change at a time of
`table_recipe`, under which all of them share their base.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from zeroseg.experiments import Column, Experiment, Variant, changes
from zeroseg.experiments.design import Change
from zeroseg.recipes import picturebook
from zeroseg.reproduce.paper_table import PaperTable
from zeroseg.reproduce.supervised import train_with_captions, train_with_masks, train_with_words
from zeroseg.training.distill import DistillConfig, LossWeights
from zeroseg.views import ViewsConfig

VOC, CONTEXT, COCO = "picturebook-voc", "picturebook-context", "picturebook-coco"
BY_PATCH = Column("voc", VOC, "patches")
BY_SEGMENT = Column("voc by segment", VOC, "segments")
CEILING = Column("oracle of segments", VOC, "segments", "oracle_miou")
READINGS = {"patches": {}, "segments": {"naming": "segments"}}
TEMPLATE = Path(__file__).with_name("results.md")
STEPS = 300
NOTHING = LossWeights(reconstruction=0.0, distillation=0.0, matching=0.0)


def table_recipe() -> DistillConfig:
    """Our recipe with the paper's four window scales, overlapping, and short.

    300 steps of 64 take about four minutes on one thread of a CPU core.
    """
    recipe = picturebook()
    return replace(recipe, views=_views(1, 2, 3, 4), loop=replace(recipe.loop, steps=STEPS))


def _views(*grids: int) -> ViewsConfig:
    return ViewsConfig(side=96, grids=grids, overlapping=True)


def _losses(**weights: float) -> Change:
    """These losses and no others."""
    return changes.settings(losses=replace(NOTHING, **weights))


def _experiment(
    name: str,
    base: Variant,
    groups: Mapping[str, tuple[Variant, ...]],
    *columns: Column,
    readings: Mapping[str, Mapping[str, str]] = READINGS,
) -> Experiment:
    return Experiment(name, table_recipe, base, groups, readings, columns, TEMPLATE)


def _dropped(*ratios: int) -> tuple[Variant, ...]:
    """Rows of table 5; ratios in per cent."""
    return tuple(Variant(f"mask-{r}", f"{r} % dropped", changes.settings(mask_ratio=r / 100)) for r in ratios)


BY_CAPTIONS = changes.together(
    changes.losses(overlap=0.0, patch_view=0.0, dense=0.0),
    changes.student(patch_head=False, read_out=replace(picturebook().student.read_out, naming="segments")),
    changes.settings(mask_ratio=0.0),
)
T1 = PaperTable(
    name="t1",
    title="Table 1: image-only distillation against supervision by text",
    note="Equal scenes and steps, the same body, the same first weights (the teacher's, its text encoder's too). Who "
    "learns from captions is named by segment token, the others by patch; margins are tuned for each. The paper's rows "
    "are ZeroSeg and GroupViT on CC3M and COCO. *masks* is no rival but the ceiling: true masks of all 54 classes.",
    experiment=_experiment(
        "t1",
        Variant("views", "ZeroSeg, our recipe: the teacher's views, no text"),
        {
            "Supervised": (
                Variant("captions", "a caption for each (GroupViT)", BY_CAPTIONS, "captions", train_with_captions),
                Variant("captions-words", "multi-label contrast, too", BY_CAPTIONS, "words, too", train_with_words),
                Variant("masks", "the true class of every pixel", changes.settings(), "masks", train_with_masks),
            )
        },
        Column("voc", VOC, "own"),
        Column("oracle", VOC, "own", "oracle_miou"),
        Column("context", CONTEXT, "own"),
        Column("coco", COCO, "own"),
        readings={"own": {}},
    ),
    paper={"views": 37.3, "captions": 28.1},
    column=Column("voc", VOC, "own"),
)

T3 = PaperTable(
    name="t3",
    title="Table 3: window scales",
    note="Our windows overlap (half a window apart), so a scale of n x n has (2n - 1)^2 of them.",
    experiment=_experiment(
        "t3",
        Variant("all", "windows of 1x1, 2x2, 3x3 and 4x4"),
        {
            "Scales": (
                Variant("1x1", "the whole image alone", changes.settings(views=_views(1))),
                Variant("1x1-2x2", "1x1 and 2x2", changes.settings(views=_views(1, 2))),
                Variant("1x1-3x3", "1x1 and 3x3", changes.settings(views=_views(1, 3))),
                Variant("1x1-4x4", "1x1 and 4x4", changes.settings(views=_views(1, 4))),
            )
        },
        BY_PATCH,
        BY_SEGMENT,
        CEILING,
    ),
    paper={"1x1": 21.1, "1x1-2x2": 23.7, "1x1-3x3": 40.2, "1x1-4x4": 32.4, "all": 40.8},
    column=BY_PATCH,
)

WHOLE = changes.settings(multi_scale=False)
T4 = PaperTable(
    name="t4",
    title="Table 4: losses",
    note="Named by segment, because no patch embedding is trained without our matching. Rows with *equation 1* have "
    "the paper's own segment matching in its place, at weight 1.",
    experiment=_experiment(
        "t4",
        Variant("both", "multi-scale distillation and our matching"),
        {
            "Losses": (
                Variant(
                    "base",
                    "the global token against the whole image",
                    changes.together(_losses(distillation=1.0), WHOLE),
                ),
                Variant("multi-scale", "the global token against all views", _losses(distillation=1.0)),
                Variant("matching", "the base and our matching", WHOLE),
            ),
            "With equation 1": (
                Variant(
                    "matching-equation-1",
                    "the base and the paper's segment matching",
                    changes.together(_losses(distillation=1.0, matching=1.0), WHOLE),
                ),
                Variant(
                    "both-equation-1",
                    "multi-scale distillation and the paper's segment matching",
                    _losses(distillation=1.0, matching=1.0),
                ),
            ),
        },
        BY_SEGMENT,
        CEILING,
        BY_PATCH,
    ),
    paper={"base": 21.1, "multi-scale": 28.5, "matching": 38.6, "both": 40.8},
    column=BY_SEGMENT,
)

T5 = PaperTable(
    name="t5",
    title="Table 5: mask ratio",
    note="Equal samples. Images/s are those of whole training steps, on whatever else the machine did beside them.",
    experiment=_experiment(
        "t5",
        Variant("mask-25", "25 % of the patches dropped in training, as in our recipe"),
        {"Up to 40 %": _dropped(0, 20, 30, 40), "From 50 %": _dropped(50, 60, 70, 80)},
        BY_PATCH,
        BY_SEGMENT,
        CEILING,
    ),
    paper={
        "mask-0": 35.6, "mask-20": 37.6, "mask-30": 38.7, "mask-40": 40.4,
        "mask-50": 39.8, "mask-60": 40.8, "mask-70": 33.3, "mask-80": 32.8,
    },
    column=BY_PATCH,
)  # fmt: skip

T6 = PaperTable(
    name="t6",
    title="Table 6: more unlabelled images",
    note="Equal steps. The paper goes from ImageNet's 1.3 million images to ten times as many, as *tenth* to *all*.",
    experiment=_experiment(
        "t6",
        Variant("all", "14,336 images"),
        {
            "Images": (
                Variant("half", "7,168 images", changes.settings(first_images=7168)),
                Variant("quarter", "3,584 images", changes.settings(first_images=3584)),
                Variant("tenth", "1,434 images", changes.settings(first_images=1434)),
            )
        },
        BY_PATCH,
        BY_SEGMENT,
        Column("context", CONTEXT, "patches"),
        Column("coco", COCO, "patches"),
    ),
    paper={"tenth": 40.8, "all": 42.9},
    column=BY_PATCH,
)

TRAINED: dict[str, PaperTable] = {table.name: table for table in (T1, T3, T4, T5, T6)}

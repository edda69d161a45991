"""The rows of the paper's tables 3 to 5 as variants of our recipes, with the paper's figures.

The paper's mIoU are on PASCAL VOC, per cent. Our matching stands in the place of the paper's, which collapses at our
scales (docs/faithful.md).
"""

from __future__ import annotations

from dataclasses import replace

from zeroseg.experiments import changes
from zeroseg.experiments.design import Change, Variant
from zeroseg.training.distillation import LossWeights
from zeroseg.views import ViewsConfig

WINDOW_SCALES = {"1x1": 21.1, "1x1-2x2": 23.7, "1x1-3x3": 40.2, "1x1-4x4": 32.4, "ours": 40.8}
LOSSES = {"loss-base": 21.1, "loss-multi-scale": 28.5, "loss-matching": 38.6, "ours": 40.8}
MASK_RATIOS = {0: 35.6, 20: 37.6, 30: 38.7, 40: 40.4, 50: 39.8, 60: 40.8, 70: 33.3, 80: 32.8}
NOTHING = LossWeights(reconstruction=0.0, distillation=0.0, matching=0.0)
GLOBAL = changes.student(segment_embedding="global")
WHOLE = changes.settings(multi_scale=False)


def views_of(side: int, *grids: int) -> ViewsConfig:
    """Overlapping views of a square of `side` pixels."""
    return ViewsConfig(side=side, grids=grids, overlapping=True)


def only(**weights: float) -> Change:
    """Only these losses; segments are named, because no loss trains the patches."""
    return changes.together(
        changes.settings(losses=replace(NOTHING, **weights)),
        changes.read_out(naming="segments"),
        changes.student(patch_head=False),
    )


def window_scales(side: int) -> tuple[Variant, ...]:
    """Table 3 without its last row, which is the base."""
    grids = {"the whole image alone": (1,), "1x1 and 2x2": (1, 2), "1x1 and 3x3": (1, 3), "1x1 and 4x4": (1, 4)}
    return tuple(
        Variant("-".join(f"{n}x{n}" for n in some), words, changes.settings(views=views_of(side, *some)))
        for words, some in grids.items()
    )


LOSS_ROWS = (
    Variant(
        "loss-base", "the global token against the whole image", changes.together(only(distillation=1.0), GLOBAL, WHOLE)
    ),
    Variant("loss-multi-scale", "the global token against all views", changes.together(only(distillation=1.0), GLOBAL)),
    Variant("loss-matching", "the base and our matching", WHOLE),
)
"""Table 4 without its last row, which is the base."""

EQUATION_1 = (
    Variant(
        "equation-1",
        "the base and the paper's segment matching",
        changes.together(only(distillation=1.0, matching=1.0), WHOLE),
    ),
    Variant(
        "equation-1-multi-scale",
        "multi-scale distillation and the paper's segment matching",
        only(distillation=1.0, matching=1.0),
    ),
)
"""Table 4 with the paper's own matching."""


def dropped(*ratios: int) -> tuple[Variant, ...]:
    """Rows of table 5; ratios in per cent."""
    return tuple(Variant(f"mask-{r}", f"{r} % dropped", changes.settings(mask_ratio=r / 100)) for r in ratios)


def with_figures(variants: tuple[Variant, ...], figures: dict[str, float]) -> tuple[Variant, ...]:
    """The same rows, with the paper's figure in their words."""
    return tuple(replace(row, words=f"{row.words} (the paper: {figures[row.name]:.1f})") for row in variants)

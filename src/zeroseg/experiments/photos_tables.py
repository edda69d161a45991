"""The experiment `photos-tables`: the paper's tables 3 to 5 on photos, with our recipe, short."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zeroseg.experiments.design import Variant
from zeroseg.experiments.paper_rows import (
    EQUATION_1,
    LOSS_ROWS,
    LOSSES,
    MASK_RATIOS,
    WINDOW_SCALES,
    dropped,
    window_scales,
    with_figures,
)
from zeroseg.experiments.photos import PHOTOS
from zeroseg.recipes import photos_small

OF_RATIOS = {f"mask-{ratio}": figure for ratio, figure in MASK_RATIOS.items()}

PHOTOS_TABLES = replace(
    PHOTOS,
    name="photos-tables",
    base=Variant("ours", "all four scales, our losses, no patches dropped (the paper: 40.8, 40.8, 35.6)"),
    groups={
        "Table 3, window scales": with_figures(window_scales(photos_small().views.side), WINDOW_SCALES),
        "Table 4, losses": (*with_figures(LOSS_ROWS, LOSSES), *EQUATION_1),
        "Table 5, up to 40 % dropped": with_figures(dropped(20, 30, 40), OF_RATIOS),
        "Table 5, from 50 % dropped": with_figures(dropped(50, 60, 70, 80), OF_RATIOS),
    },
    template=Path(__file__).with_suffix(".md"),
)

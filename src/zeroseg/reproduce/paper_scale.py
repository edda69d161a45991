"""The paper's tables at full scale: ViT-B/16 on ImageNet from CLIP ViT-L/14, with its losses, recipe and protocol.

We have not run it. It has the same rows, runs, records and page as the small scale; `zeroseg reproduce --scale paper
--dry-run` prints what the runs cost.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zeroseg.experiments import Column, Experiment, Scenes, Variant, changes
from zeroseg.experiments.design import Change
from zeroseg.experiments.paper_rows import LOSSES, MASK_RATIOS, WHOLE, WINDOW_SCALES, dropped
from zeroseg.recipes import imagenet_vitb16
from zeroseg.reproduce.costs import CLIP_VIT_L14
from zeroseg.reproduce.paper_table import (
    GROUPVIT,
    IMAGENET_1K,
    SPEED_UPS,
    V100_HOURS,
    WITH_CC12M,
    CostTable,
    PaperTable,
    Scale,
    WordsTable,
    on,
)  # fmt: skip
from zeroseg.reproduce.ready import TRAINING_FREE, UNTRAINED
from zeroseg.reproduce.supervised import CAPTIONS, LABELS, train_with_captions, train_with_words
from zeroseg.reproduce.supervised import WORDS as WORDS_TOO
from zeroseg.training.distillation import DistillConfig
from zeroseg.views import ViewsConfig

VOC, CONTEXT, COCO = "voc21", "context60", "coco-object"
OWN = Column("VOC", VOC, "own")
UPPER_BOUND = Column("upper bound of segments", VOC, "own", "upper_bound_miou")
ON_CONTEXT, ON_COCO = Column("Context", CONTEXT, "own"), Column("COCO", COCO, "own")
IMAGENET = 1_281_167
WORDS = ("bedclothes", "ground", "keyboard", "motorbike")


def imagenet_recipe() -> DistillConfig:
    """The paper's run on the first 1,281,167 images."""
    return replace(imagenet_vitb16(), first_images=IMAGENET)


def _views(*grids: int) -> Change:
    return changes.settings(views=ViewsConfig(side=224, grids=grids))


NO_MATCHING = changes.together(changes.losses(matching=0.0), changes.student(segment_embedding="global"))
BY_CAPTIONS = changes.together(
    changes.losses(reconstruction=0.0, matching=0.0),
    changes.student(decoder_layers=0, segment_embedding="global"),
    changes.settings(mask_ratio=0.0),
)

ROWS = Experiment(
    name="tables-paper",
    recipe=imagenet_recipe,
    base=Variant("ours", "the paper's recipe: ImageNet, no text"),
    groups={
        "Untrained": UNTRAINED,
        "Supervised": (
            Variant(
                "captions", "captions of the same images (GroupViT)", BY_CAPTIONS, CAPTIONS, 1, train_with_captions
            ),
            Variant(
                "captions-words",
                "with multi-label contrast as well",
                BY_CAPTIONS,
                WORDS_TOO,
                1 + LABELS,
                train_with_words,
            ),
        ),
        "Window scales": (
            Variant("1x1-2x2", "1x1 and 2x2", _views(1, 2)),
            Variant("1x1-3x3", "1x1 and 3x3", _views(1, 3)),
            Variant("1x1-4x4", "1x1 and 4x4", _views(1, 4)),
        ),
        "Losses": (
            Variant("loss-base", "the global token against the whole image", changes.together(NO_MATCHING, WHOLE)),
            Variant("loss-multi-scale", "the global token against all views", NO_MATCHING),
            Variant("loss-matching", "the base and segment matching", WHOLE),
        ),
        "Up to 40 %": dropped(0, 20, 30, 40),
        "From 50 %": dropped(50, 70, 80),
        "Images": (
            Variant("images-more", "all images that are given: ImageNet, then CC12M", changes.settings(first_images=0)),
        ),
    },
    readings={"own": {}},
    columns=(OWN, UPPER_BOUND, ON_CONTEXT, ON_COCO),
    template=Path(__file__).with_name("results_paper.md"),
    by_class=(CONTEXT,),
    protocol="paper",
)

SCALES_OF_ROWS = {"loss-base" if row == "1x1" else row: miou for row, miou in WINDOW_SCALES.items()}  # the same run
RATIOS = {"ours" if ratio == 60 else f"mask-{ratio}": miou for ratio, miou in MASK_RATIOS.items()}
SUPERVISION = {"ours": IMAGENET_1K, "captions": GROUPVIT}
MORE_IMAGES = {"ours": IMAGENET_1K, "images-more": WITH_CC12M}
CAPTIONED_ROWS = ("captions", "captions-words")
PAPER = Scale(
    name="paper",
    rows=ROWS,
    tables=(
        PaperTable(
            name="t1",
            title="Table 1: supervision, and baselines without training",
            rows=("ours", *CAPTIONED_ROWS, *TRAINING_FREE),
            paper=on(0, SUPERVISION),
            columns=(OWN, UPPER_BOUND, ON_CONTEXT, ON_COCO),
            column=OWN,
            also={ON_CONTEXT: on(1, SUPERVISION), ON_COCO: on(2, SUPERVISION)},
        ),
        PaperTable("t3", "Table 3: window scales", tuple(SCALES_OF_ROWS), SCALES_OF_ROWS, (OWN, UPPER_BOUND), OWN),
        PaperTable("t4", "Table 4: losses", tuple(LOSSES), LOSSES, (OWN, UPPER_BOUND), OWN),
        PaperTable(
            name="t5",
            title="Table 5: mask ratio",
            rows=tuple(RATIOS),
            paper=RATIOS,
            columns=(OWN, UPPER_BOUND),
            column=OWN,
            speed_up={"ours" if ratio == 60 else f"mask-{ratio}": float(more) for ratio, more in SPEED_UPS.items()},
        ),
        PaperTable(
            name="t6",
            title="Table 6: more unlabelled images",
            rows=("ours", "images-more"),
            paper=on(0, MORE_IMAGES),
            columns=(OWN, ON_CONTEXT, ON_COCO),
            column=OWN,
            also={ON_CONTEXT: on(1, MORE_IMAGES), ON_COCO: on(2, MORE_IMAGES)},
        ),
    ),
    words=WordsTable(
        name="t8",
        title="Table 8: sub-words and compound words",
        rows=("ours", *CAPTIONED_ROWS),
        dataset=CONTEXT,
        words=WORDS,
        paper={"ours": 27.85, "captions": 9.78},
        by_word={"ours": (11.21, 23.31, 29.1, 47.77), "captions": (0.91, 9.33, 7.39, 21.47)},
    ),
    costs=CostTable("t7", ("ours", "captions", "captions-words"), V100_HOURS),
    page="results-paper",
    measured_on=Scenes(held_out=0),  # all images, as in the protocols
    images=IMAGENET,
    command="zeroseg cache imagenet/train --recipe imagenet_vitb16 --out cache",
    teacher=CLIP_VIT_L14,
    tflops=31.0,  # the paper's 84 V100-hours
    data=(
        "ImageNet-1k, train: 1,281,167 images, about 138 GB",
        "captions of these or other images, for the rows that learn from them: ImageNet has none",
        "CC12M beside ImageNet, for images-more",
        "PASCAL VOC 2012, about 2 GB (--data.voc)",
        "PASCAL Context with the images of VOC 2010, about 2 GB (--data.context)",
        "COCO val2017 with the maps of COCO-Stuff, about 1.5 GB (--data.coco)",
    ),
    beyond=("images-more",),
)

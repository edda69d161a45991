"""The paper's tables at small scale: their rows on the picturebook.

The paper's own losses collapse at this size (docs/faithful.md), so the runs use our recipe, in which overlap,
patch-view and dense matching replace the paper's segment matching. Each row is one change of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from transformers import CLIPConfig

from zeroseg.experiments import Column, Experiment, Variant, changes
from zeroseg.experiments.paper_rows import (
    EQUATION_1,
    GLOBAL,
    LOSS_ROWS,
    LOSSES,
    MASK_RATIOS,
    WINDOW_SCALES,
    dropped,
    only,
    views_of,
    window_scales,
)
from zeroseg.models import BUNDLED
from zeroseg.picturebook import ALL_NOUNS, COMPOUNDS, STUFF_NAMES, VOC_NOUNS
from zeroseg.recipes import picturebook
from zeroseg.reproduce.costs import TeacherSizes
from zeroseg.reproduce.paper_table import (
    CAPTIONED,
    DEIT,
    GROUPVIT,
    IMAGENET_1K,
    SPEED_UPS,
    V100_HOURS,
    WITH_CC12M,
    CostTable,
    Figure,
    PaperTable,
    Scale,
    StudyPlan,
    WordsTable,
    on,
)  # fmt: skip
from zeroseg.reproduce.ready import TRAINING_FREE, UNTRAINED, bundled, windows_of_one_size
from zeroseg.reproduce.supervised import CAPTIONS, LABELS, train_with_captions, train_with_masks, train_with_words
from zeroseg.reproduce.supervised import WORDS as WORDS_TOO
from zeroseg.training.distillation import DistillConfig

VOC, CONTEXT, COCO = "picturebook-voc", "picturebook-context", "picturebook-coco"
OWN = Column("voc", VOC, "own")
REFINED = Column("voc, refined", VOC, "own", refined=True)
BY_SEGMENT = Column("voc by segment", VOC, "segments")
UPPER_BOUND = Column("upper bound of segments", VOC, "segments", "upper_bound_miou")
ON_CONTEXT, ON_COCO = Column("context", CONTEXT, "own"), Column("coco", COCO, "own")

STEPS, SIDE = 200, 96
IMAGES = 7168
DECODER_LAYERS = 2  # of rows with reconstruction: as many as in the faithful recipe at this size


def short_recipe() -> DistillConfig:
    """Our recipe with the paper's four window scales, overlapping; short, and without refinement.

    200 steps of 64 take two minutes on one thread of a CPU core.
    """
    recipe = picturebook()
    read_out = replace(recipe.student.read_out, refinement=0)
    return replace(
        recipe,
        student=replace(recipe.student, read_out=read_out),
        views=views_of(SIDE, 1, 2, 3, 4),
        loop=replace(recipe.loop, steps=STEPS),
    )


def _rebuilt(*ratios: int) -> tuple[Variant, ...]:
    """Further rows for table 5, with the paper's reconstruction of dropped patches; ratios in per cent."""
    decoder = changes.together(changes.student(decoder_layers=DECODER_LAYERS), changes.losses(reconstruction=1.0))
    return tuple(
        Variant(
            f"mask-{r}-rebuilt",
            f"{r} % dropped, and reconstructed",
            changes.together(decoder, changes.settings(mask_ratio=r / 100)),
        )
        for r in ratios
    )


def _images(**counts: int) -> tuple[Variant, ...]:
    """Rows of table 6."""
    return tuple(
        Variant(f"images-{name}", f"{count:,} images", changes.settings(first_images=count))
        for name, count in counts.items()
    )


ALSO_REFINED = changes.read_out(refinement=picturebook().student.read_out.refinement)
BY_CAPTIONS = changes.together(
    changes.losses(overlap=0.0, patch_view=0.0, dense=0.0),
    changes.read_out(naming="segments"),
    changes.student(patch_head=False, segment_embedding="global", assignment="gumbel"),
    changes.settings(mask_ratio=0.0),
    changes.optimiser(factor=0.25),
    ALSO_REFINED,
)

LONGER = changes.samples(1 / (1 - 0.6))
WITH_MASKS = changes.together(BY_CAPTIONS, changes.student(assignment="cosine"), changes.optimiser(factor=0.25))
BUNDLED_ROW = Variant("bundled", "our recipe in full: 21 times the steps", learns_from="nothing", ready=bundled)

ROWS = Experiment(
    name="tables",
    recipe=short_recipe,
    base=Variant("ours", "our recipe: the teacher's views, no text", ALSO_REFINED),
    groups={
        "Untrained": (*UNTRAINED, BUNDLED_ROW),
        "Windows of one size": windows_of_one_size(2, 3, 4),
        "Supervised": (
            Variant("captions", "a caption for each (GroupViT)", BY_CAPTIONS, CAPTIONS, 1, train_with_captions),
            Variant(
                "captions-segments",
                "with the learning rate that keeps segments distinct",
                WITH_MASKS,
                CAPTIONS,
                1,
                train_with_captions,
            ),
            Variant(
                "captions-words",
                "with multi-label contrast as well",
                BY_CAPTIONS,
                WORDS_TOO,
                1 + LABELS,
                train_with_words,
            ),
            Variant("masks", "the true class of every pixel", ALSO_REFINED, "masks", train=train_with_masks),
        ),
        "Window scales": window_scales(SIDE),
        "Losses": (
            *LOSS_ROWS,
            Variant(
                "loss-multi-scale-2x2",
                "the global token against 1x1 and 2x2 alone",
                changes.together(only(distillation=1.0), GLOBAL, changes.settings(views=views_of(SIDE, 1, 2))),
            ),
        ),
        "Losses with equation 1": EQUATION_1,
        "Up to 40 %": dropped(0, 20, 30, 40),
        "From 50 %": dropped(50, 60, 70, 80),
        "Why every patch counts": (
            *_rebuilt(20, 40, 60),
            Variant(
                "mask-60-longer",
                "60 % dropped, 2.5 times the steps: as many patches seen as by `mask-0`",
                changes.together(changes.settings(mask_ratio=0.6), LONGER),
            ),
            Variant(
                "mask-0-longer",
                "0 % dropped, 2.5 times the steps",
                changes.together(changes.settings(mask_ratio=0.0), LONGER),
            ),
        ),
        "Images": _images(half=IMAGES // 2, quarter=IMAGES // 4, tenth=IMAGES // 10 + 1),
    },
    readings={"own": {}, "segments": {"naming": "segments"}},
    columns=(OWN, REFINED, BY_SEGMENT, UPPER_BOUND, ON_CONTEXT, ON_COCO),
    template=Path(__file__).with_name("results.md"),
    by_class=(COCO, CONTEXT),
)

SUPERVISION = {"ours": CAPTIONED, "captions": GROUPVIT, "masks": DEIT}
MORE_IMAGES = {"images-tenth": IMAGENET_1K, "ours": WITH_CC12M}
EVERYTHING = (*ALL_NOUNS, *STUFF_NAMES)
NAMED = (OWN, BY_SEGMENT, UPPER_BOUND)
CAPTIONED_ROWS = ("captions", "captions-segments", "captions-words")
PICTUREBOOK = Scale(
    name="picturebook",
    rows=ROWS,
    tables=(
        PaperTable(
            name="t1",
            title="Table 1: supervision, and baselines without training",
            rows=("ours", *CAPTIONED_ROWS, *TRAINING_FREE, "bundled", "masks"),
            paper=on(0, SUPERVISION),
            columns=(OWN, REFINED, BY_SEGMENT, UPPER_BOUND, ON_CONTEXT, ON_COCO),
            column=OWN,
            also={ON_CONTEXT: on(1, SUPERVISION), ON_COCO: on(2, SUPERVISION)},
        ),
        PaperTable(
            name="t3",
            title="Table 3: window scales",
            rows=(*WINDOW_SCALES, "windows-2x2", "windows-3x3", "windows-4x4"),
            paper=WINDOW_SCALES,
            columns=NAMED,
            column=OWN,
        ),
        PaperTable(
            name="t4",
            title="Table 4: losses",
            rows=(*LOSSES, "loss-multi-scale-2x2", "equation-1", "equation-1-multi-scale"),
            paper=LOSSES,
            columns=(BY_SEGMENT, UPPER_BOUND, OWN),
            column=BY_SEGMENT,
        ),
        PaperTable(
            name="t5",
            title="Table 5: mask ratio",
            rows=(
                *("mask-0", "mask-20", "ours", *(f"mask-{ratio}" for ratio in MASK_RATIOS if ratio > 20)),
                *("mask-20-rebuilt", "mask-40-rebuilt", "mask-60-rebuilt", "mask-60-longer", "mask-0-longer"),
            ),
            paper={f"mask-{ratio}": miou for ratio, miou in MASK_RATIOS.items()},
            columns=NAMED,
            column=OWN,
            speed_up={f"mask-{ratio}": float(percent) for ratio, percent in SPEED_UPS.items()},
        ),
        PaperTable(
            name="t6",
            title="Table 6: more unlabelled images",
            rows=("images-tenth", "images-quarter", "images-half", "ours"),
            paper=on(0, MORE_IMAGES),
            columns=(OWN, BY_SEGMENT, ON_CONTEXT, ON_COCO),
            column=OWN,
            also={ON_CONTEXT: on(1, MORE_IMAGES), ON_COCO: on(2, MORE_IMAGES)},
        ),
    ),
    words=WordsTable(
        name="t8",
        title="Table 8: sub-words and compound words",
        rows=("ours", *CAPTIONED_ROWS),
        dataset=COCO,
        words=tuple(word for word in COMPOUNDS if word in ALL_NOUNS),
        paper={"ours": 27.85, "captions": 9.78},
    ),
    costs=CostTable("t7", ("ours", "captions", "captions-words", "masks"), V100_HOURS),
    figures=(
        Figure("losses", "The same scenes under four sets of losses", tuple(LOSSES), labels=VOC_NOUNS, nouns=VOC_NOUNS),
        Figure(
            "captions",
            "All 54 names at once: learnt from the teacher's views, and learnt from captions",
            ("ours", "captions-segments"),
            labels=EVERYTHING,
            nouns=ALL_NOUNS,
            has_background=False,
        ),
    ),
    study=StudyPlan("t2", ("ours", "captions-segments"), EVERYTHING),
    page="results",
    images=IMAGES,
    command=f"zeroseg picturebook write --split unlabelled --count {IMAGES} --out images\n"
    "zeroseg cache images --grids 1 2 3 4 --out cache",
    teacher=TeacherSizes.of(CLIPConfig.from_pretrained(BUNDLED["picturebook"].teacher)),
    tflops=0.1,  # a thread of a CPU core
    data=(
        f"{IMAGES:,} scenes, drawn by `zeroseg picturebook write`: 88 MB",
        "test scenes are drawn when they are measured",
    ),
)

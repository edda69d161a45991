"""Named complete runs. Each is one function; its docstring states hardware, time and the figure to expect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from zeroseg.picturebook import STUFF_NAMES
from zeroseg.rules import Margin, Product
from zeroseg.student.config import SMALLEST_REGION, ReadOut, StudentConfig
from zeroseg.training.dense_targets import WindowsConfig
from zeroseg.training.distillation import DistillConfig, LossWeights
from zeroseg.training.loop import LoopConfig
from zeroseg.training.optimiser import OptimiserConfig
from zeroseg.views import ViewsConfig

SMALL = StudentConfig(
    image_size=96,
    patch_size=8,
    width=128,
    layers=4,
    heads=4,
    input_norm=True,
    decoder_width=96,
    decoder_layers=2,
    decoder_heads=4,
    segment_tokens=(32, 8),
    embedding_width=96,
    inference_size=96,
    teacher="bundled",
)
WITHOUT_THE_PAPERS = LossWeights(reconstruction=0.0, distillation=0.0, matching=0.0)
PHOTO_STUFF = (
    "building", "wall", "window", "door", "floor", "grass", "tree", "sky", "water", "sand", "snow", "mountain", "rock",
    "ground", "road", "fence", "brick",
)  # fmt: skip
PHOTO_THINGS = ("table", "cup", "curtain", "carpet", "paper", "room", "kitchen", "machine", "cloth")


def picturebook() -> DistillConfig:
    """Ours, on the picturebook: the bundled student.

    The target of every patch is the mean of the views with the patch near their centre. With small weights, every view
    is also predicted from the tokens and from the patches in it. 180 overlapping views; cosine assignment; the encoder
    starts from the teacher's. From 14,336 scenes, 47 minutes on one thread of a busy CPU core (and 18 on two threads
    for a cache of 205 views); mIoU of .804 on the 300 held-out VOC-like scenes (three seeds, ± .001), .661 without
    refinement.
    """
    read_out = ReadOut("patches", Margin(7.0), STUFF_NAMES, refinement=10)
    student = replace(
        SMALL, positions="learned", grouping="light", assignment="cosine", segment_tokens=(32, 16), decoder_layers=0,
        patch_head=True, read_out=read_out,
    )  # fmt: skip
    return DistillConfig(
        student=student,
        views=ViewsConfig(side=96, grids=(1, 2, 4, 6), overlapping=True),
        losses=LossWeights(reconstruction=0.0, distillation=0.2, matching=0.0, overlap=0.2, patch_view=0.2, dense=4.0),
        mask_ratio=0.25,
        focus=2.0,
        flips=True,
        centre=True,
        encoder_from_teacher=True,
        loop=LoopConfig(steps=4200, batch_size=64, optimiser=OptimiserConfig("muon", learning_rate=7e-3)),
    )


def picturebook_faithful() -> DistillConfig:
    """The paper's head, losses, assignment, views and read-out, at the picturebook's size and from scratch.

    It collapses (docs/faithful.md): after 600 steps on 7,168 scenes, 5 minutes on one thread of a busy CPU core, all
    segment tokens are the same, and the mIoU is .022 on the 300 held-out VOC-like scenes (three seeds, ± .001).
    """
    return DistillConfig(
        student=replace(SMALL, input_norm=False, read_out=ReadOut("segments", Product(0.95))),
        views=ViewsConfig(side=96),
        losses=LossWeights(),
        loop=LoopConfig(steps=2500),
    )


def photos_small() -> DistillConfig:
    """Ours, on photos, for CPUs: the first of two runs that make the bundled student `photos`.

    The encoder is an EfficientNet-Lite0 whose frozen tower is its teacher's, a LiT from `zeroseg teach --tower
    efficientnet_lite0`. Targets are 84 overlapping views of a square of 448 pixels, losses as in `picturebook`, no
    patches dropped. From 7,219 photos, 10 minutes on one CPU core, and an hour on one for the cache; mIoU of .54 on
    every fourth validation photo of MSRC-21, without refinement. `photos_small_dense` goes on from there.
    """
    read_out = ReadOut(
        "patches", Margin(-2.0, presence=10.0), PHOTO_STUFF + PHOTO_THINGS, keep_mean=False, refinement=10,
        smallest_region=SMALLEST_REGION, alike=0.4, background_things=PHOTO_THINGS,
    )  # fmt: skip
    student = StudentConfig(
        encoder="efficientnet_lite0",
        image_size=224,
        width=192,
        heads=6,
        positions="learned",
        decoder_layers=0,
        grouping="light",
        segment_tokens=(32, 16),
        assignment="cosine",
        embedding_width=256,
        patch_head=True,
        inference_size=320,
        teacher="photos",
        read_out=read_out,
    )
    return DistillConfig(
        student=student,
        views=ViewsConfig(side=448, overlapping=True),
        losses=LossWeights(reconstruction=0.0, distillation=0.2, matching=0.0, overlap=0.2, patch_view=0.2, dense=4.0),
        mask_ratio=0.0,
        focus=1.0,
        flips=True,
        centre=True,
        encoder_from_teacher=True,
        trainable_blocks=0,
        loop=LoopConfig(steps=500, batch_size=32, optimiser=OptimiserConfig("muon", learning_rate=3e-3)),
    )


def photos_small_faithful() -> DistillConfig:
    """The paper's head, losses, assignment, views and read-out on photos, with the encoder of `photos_small`.

    The encoder starts as the teacher's tower, and its last two blocks are trained; the paper's starts from nothing and
    sees a million images. It collapses (docs/photos.md): after 150 steps, 4 minutes on one CPU core, one segment is in
    use, and the mIoU is .006 on 100 validation photos of MSRC-21, where `photos_small` has .52 after as many.
    """
    first = photos_small()
    student = replace(
        first.student, positions="sine", decoder_width=96, decoder_layers=2, decoder_heads=4, grouping="groupvit",
        segment_tokens=(32, 8), assignment="gumbel", patch_head=False, read_out=ReadOut("segments", Product(0.95)),
    )  # fmt: skip
    return DistillConfig(
        student=student,
        views=ViewsConfig(side=448),
        losses=LossWeights(),
        encoder_from_teacher=True,
        trainable_blocks=2,
        loop=replace(first.loop, optimiser=OptimiserConfig(encoder_rate=0.2)),
    )


def photos_small_dense() -> DistillConfig:
    """The second run for the bundled student `photos`: `--start-from` the student of `photos_small`.

    (Without that, it starts from the teacher's tower, as that does.) At 320 pixels; the main target is the teacher's
    own dense map of the picture, the mean of four scales, smoothed over what looks alike. The encoder's last two blocks
    are trained, too. From 7,219 photos, 60 minutes on one CPU core; mIoU of .61 on every fourth validation photo of
    MSRC-21 without refinement, .63 with it.
    """
    first = photos_small()
    return replace(
        first,
        student=replace(first.student, image_size=320),
        losses=replace(first.losses, dense=0.5, window=4.0),
        windows=WindowsConfig(side=320, method="maskclip", moved=False, scales=(0.7, 1.0, 1.4, 2.0), smoothing=0.12),
        trainable_blocks=2,
        loop=replace(first.loop, steps=350, optimiser=OptimiserConfig("muon", learning_rate=2e-3, encoder_rate=0.2)),
    )


def imagenet_vitb16() -> DistillConfig:
    """The paper's run: ViT-B/16 at 224 from CLIP ViT-L/14, ImageNet-1k, 80 epochs of which 20 warm-up, batch 4096.

    About 84 V100-hours and a mIoU of 40.8 on VOC in the paper (tables 7 and 1); we have not run it. The learning rate
    follows MAE's rule: 1.5e-4 x batch / 256.
    """
    batch, images, epochs, warmup = 4096, 1_281_167, 80, 20
    return DistillConfig(
        student=StudentConfig(),
        views=ViewsConfig(side=224),
        losses=LossWeights(),
        loop=LoopConfig(
            steps=epochs * images // batch,
            batch_size=batch,
            workers=16,
            evaluate_every=5000,
            checkpoint_every=1000,
            optimiser=OptimiserConfig(
                learning_rate=1.5e-4 * batch / 256, warmup=warmup / epochs, weight_decay=0.05, beta1=0.9, beta2=0.95
            ),
        ),
    )


def photos_vitb16() -> DistillConfig:
    """A hub CLIP or SigLIP 2 at ViT-B/16, made dense on unlabelled photos: 25,000 of them, ten epochs, one 24 GB GPU.

    The student starts as the teacher's whole tower, so its map of patches is the teacher's own (MaskCLIP's read-out),
    and learns the teacher's read-out averaged over windows, its embeddings of crops, and segments. `docs/method.md` has
    the source of each choice. About 6 hours on an RTX 4090 at 40 % of its peak, 9 without a cache (`zeroseg cost`
    counts them); we have not run it. The nearest published run, SPAR, lifts the mean mIoU of six data sets from 33.1 to
    43.6 for SigLIP 2 and from 27.7 to 34.4 for OpenCLIP.
    """
    photos, epochs, batch = 25_000, 10, 8
    student = StudentConfig(
        image_size=448,
        activation="quick_gelu",
        input_norm=True,
        last_attention="own",
        positions="learned",
        decoder_layers=0,
        grouping="light",
        segment_tokens=(32, 16),
        assignment="cosine",
        embedding_width=512,
        patch_head=True,
        patch_projection="linear",
        teacher="openai/clip-vit-base-patch16",
        read_out=ReadOut("patches", Margin(), refinement=10),
    )
    return DistillConfig(
        student=student,
        views=ViewsConfig(side=448, grids=(1, 3, 4), overlapping=True),
        losses=replace(
            WITHOUT_THE_PAPERS, overlap=5.0, patch_view=5.0, dense=5.0, dense_cosine=0.5, window=10.0, window_cosine=1.0
        ),
        mask_ratio=0.0,
        flips=True,
        focus=2.0,
        windows=WindowsConfig(side=224, stride=24, method="naclip"),
        encoder_from_teacher=True,
        trainable_blocks=2,
        probe=500,
        loop=LoopConfig(
            steps=epochs * photos // batch,
            batch_size=batch,
            micro_batches=4,
            workers=8,
            evaluate_every=photos // batch,
            optimiser=OptimiserConfig(learning_rate=1e-4, encoder_rate=0.2, weight_decay=1e-4, beta2=0.999),
        ),
    )


RECIPES: dict[str, Callable[[], DistillConfig]] = {
    "imagenet_vitb16": imagenet_vitb16,
    "photos_small": photos_small,
    "photos_small_dense": photos_small_dense,
    "photos_small_faithful": photos_small_faithful,
    "photos_vitb16": photos_vitb16,
    "picturebook": picturebook,
    "picturebook_faithful": picturebook_faithful,
}

"""The trained baselines of table 1, on the images of our students: one is trained on captions, one on true masks.

Both have the body of our student, the same initial weights and the same number of steps. The numbers of scenes are in
their file names (`zeroseg picturebook write`), so their captions and masks are drawn again and need no files. Captions
of other images are read from a file in their folder (`training/captioned.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from zeroseg.errors import DatasetError, TrainingError
from zeroseg.experiments import ExperimentContext, Run
from zeroseg.picturebook import ALL_NOUNS, COLOURS, NOUNS, SPLITS, STUFF, STUFF_NAMES, caption, draw_scene
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student
from zeroseg.training.captioned import CAPTION_FILES, CaptionedFolder, frequent_words
from zeroseg.training.loop import Metrics
from zeroseg.training.mask_supervision import MaskSupervisionConfig, supervise_with_masks
from zeroseg.training.text_supervision import TextSupervisionConfig, supervise_with_text
from zeroseg.training.view_data import cached_images
from zeroseg.vocabulary import Vocabulary

CAPTIONS, WORDS = "captions", "words, too"  # supervision of variants, as it is in their settings
LABELS = 3  # words of each caption in multi-label contrast: GroupViT's value
PICTURED = [word for kind in (NOUNS, STUFF, COLOURS) for thing in kind for word in (thing.name, *thing.synonyms)]
Evaluate = Callable[..., Metrics]


def numbers_of(images: Sequence[Path]) -> list[tuple[str, int]]:
    """Split and number of scenes, from their file names. Raises `TrainingError` for other pictures."""
    scenes = [(image, _scene(image)) for image in images]
    for image, scene in scenes:
        if scene is None:
            raise TrainingError(
                f"{image} is not a scene of the picturebook, so it has no caption and no mask: give images from "
                "`zeroseg picturebook write`."
            )
    return [scene for _, scene in scenes if scene is not None]


def _captions_above(folder: Path) -> Path:
    """The first of the folder and its parents that has a file of captions; the folder itself if none has one."""
    places = (folder, *folder.parents)
    return next((place for place in places if any((place / name).is_file() for name in CAPTION_FILES)), folder)


def _scene(image: Path) -> tuple[str, int] | None:
    split, _, number = image.stem.rpartition("-")
    return (split, int(number)) if split in SPLITS and number.isdigit() else None


def captions_of(images: Sequence[Path]) -> list[tuple[Path, str]]:
    """Images with their captions: drawn for scenes, read from a file for other images.

    The file is in the image's folder or in one of its parents. Raises `DatasetError` if there is no such file, or if it
    has none of the images.
    """
    if all(map(_scene, images)):
        return [(image, _caption(*scene)) for image, scene in zip(images, numbers_of(images), strict=True)]
    folders = dict.fromkeys(_captions_above(folder) for folder in dict.fromkeys(image.parent for image in images))
    pairs = [pair for folder in folders for pair in CaptionedFolder(folder, 1).captioned]
    asked = {image.resolve() for image in images}
    captioned = [(image, caption) for image, caption in pairs if image.resolve() in asked]
    if not captioned:
        raise DatasetError(f"none of the captions in {', '.join(map(str, folders))} belongs to one of the images.")
    return captioned


def train_with_captions(
    run: Run, folder: Path, context: ExperimentContext, evaluate: Evaluate, resume: bool, labels: int = 0
) -> bool:
    """Train on one caption for each scene; with `labels`, also multi-label contrast of nouns, stuff and colours."""
    config, captioned = run.config, captions_of(_images(run, context))
    of_scenes = all(map(_scene, (image for image, _ in captioned)))
    words = PICTURED if of_scenes else frequent_words(caption for _, caption in captioned)
    text = TextSupervisionConfig(
        student=config.student,
        labels=labels,
        mask_ratio=config.mask_ratio,
        flips=config.flips,
        encoder_from_teacher=config.encoder_from_teacher,
        text_from_teacher=config.encoder_from_teacher,
        loop=config.loop,
    )
    chosen = words if labels else ()
    return (
        supervise_with_text(captioned, chosen, text, folder, context.teacher, evaluate, resume, context.quiet)
        is not None
    )


def train_with_words(run: Run, folder: Path, context: ExperimentContext, evaluate: Evaluate, resume: bool) -> bool:
    """Train on captions with GroupViT's multi-label contrast."""
    return train_with_captions(run, folder, context, evaluate, resume, LABELS)


def train_with_masks(run: Run, folder: Path, context: ExperimentContext, evaluate: Evaluate, resume: bool) -> bool:
    """Train on the true class of every pixel: all nouns and kinds of stuff."""
    config = run.config
    masks = MaskSupervisionConfig(
        student=config.student,
        mask_ratio=config.mask_ratio,
        flips=config.flips,
        encoder_from_teacher=config.encoder_from_teacher,
        loop=config.loop,
    )
    classes = Vocabulary((*ALL_NOUNS, *STUFF_NAMES), background=())
    words, _ = Segmenter.of(Student(config.student), context.teacher).embed(classes)
    source = _Scenes(numbers_of(_images(run, context)), classes.labels)
    name = f"{len(source)} scenes"
    return (
        supervise_with_masks(source, words, masks, folder, name, context.teacher, evaluate, resume, context.quiet)
        is not None
    )


class _Scenes:
    """Scenes with the true class of every pixel."""

    def __init__(self, scenes: Sequence[tuple[str, int]], classes: Sequence[str]) -> None:
        self._scenes, self._classes = scenes, classes

    def __len__(self) -> int:
        return len(self._scenes)

    def labelled(self, number: int) -> tuple[Image.Image, UInt8[np.ndarray, "H W"]]:
        """A scene, and class ids; every pixel has a class."""
        scene = draw_scene(*self._scenes[number])
        return scene.image, scene.class_map(self._classes, missing=255)


def _images(run: Run, context: ExperimentContext) -> list[Path]:
    """The images on which a distillation of the run would be trained."""
    return [*cached_images(context.images, context.cache)[0][: run.config.first_images or None]]


def _caption(split: str, number: int) -> str:
    scene = draw_scene(split, number)
    return caption(scene, (0, 0, *scene.image.size), Random(f"caption:{split}:{number}"))

"""Locked-image tuning (LiT, Zhai et al. 2022): a text tower learns to agree with a frozen image tower.

The features of the images are computed once (`tower_features`), and their projection is computed from them
(`tuning_sources`). Then a text tower in CLIP's format is trained on single words: the labels that the texts of the
images give (`labels`). What the image tower knows of images comes from its pretraining. For an EfficientNet-Lite these
are the class labels of ImageNet-1k: it stands in for a CLIP where none can be had. What is learned is in `word_tuning`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, VisionTextDualEncoderConfig
from transformers import VisionTextDualEncoderModel as DualEncoder

from zeroseg.errors import ConfigError
from zeroseg.teacher.image_tower import image_processor
from zeroseg.teacher.teacher import choose_attention, save_known_words, save_whole
from zeroseg.training.checkpoint import checkpoints_in, expect_checkpoint
from zeroseg.training.labels import known_words
from zeroseg.training.run import train
from zeroseg.training.teach import text_settings, train_tokenizer
from zeroseg.training.tower_features import Crops, embed_crops
from zeroseg.training.towers import Tower
from zeroseg.training.tuning_sources import (
    Described,
    Grouped,
    Labelled,
    Source,
    check_labels,
    class_source,
    first_projection,
    named_images,
    sentence_photos,
)  # fmt: skip
from zeroseg.training.word_tuning import LockedTuningConfig, WordTuning

LIT = Any  # the annotations of these models in transformers are not correct

Counting = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""A function from a title and a total to what shows progress: it is called with the number done since its last call."""


@contextmanager
def silently(_title: str, _total: int) -> Generator[Callable[[int], None]]:
    """Show no progress."""
    yield lambda _: None


def tune(
    tower: Tower,
    pairs: Sequence[Described],
    config: LockedTuningConfig,
    run: Path,
    resume: bool = False,
    counting: Counting = silently,
) -> LIT | None:
    """Tune a text tower to `tower` and save both, in the format of `transformers`, in the folder `run / "teacher"`.

    `pairs`: the images of each folder with their texts (`captioned.read_described`). `counting` shows how far the
    images are embedded; their features stay in `run / "features"`. None if the run was interrupted. Raises
    `TeacherError` for a tower without pooled output, `ConfigError` for sizes or shares that do not fit it,
    `DatasetError` if no text gives a label, `ImageError` for an image that cannot be read, and `TrainingError`.
    """
    torch.set_float32_matmul_precision("high")
    _check(tower, len(pairs), config)
    if resume and not checkpoints_in(run):
        if not (run / "features").is_dir():
            expect_checkpoint(run)  # raises: there is nothing to resume
        resume = False  # it was interrupted while images were embedded
    named = [named_images(some) for some in pairs]
    photos = [photo for some in pairs for photo in sentence_photos(some)]
    check_labels(named, photos)
    sources, sentences = _embed(tower, named, photos, config, run, counting)
    classes = class_source(tower)
    sentences_said = [text for some in pairs for _, texts in some for text in texts]
    labels = sorted({label for source in [*sources, *classes, sentences] for some in source.labels for label in some})
    tokenizer = train_tokenizer([*labels, *config.templates, *sentences_said], config.vocabulary_size)
    dual = build_lit(tower, tokenizer, config)
    with torch.no_grad():
        projection = first_projection([*sources, sentences], config.embedding_width, config.whitening)
        dual.visual_projection.weight.copy_(projection)
        dual.logit_scale.fill_(math.log(config.scale))
    images = [*(some for folder in named for some in folder), *photos]
    listed = hashlib.sha256("\n".join(f"{path} {labels}" for path, labels in images).encode()).hexdigest()[:16]
    name, shown = f"{tower.fingerprint} {listed}", sentences if photos else None
    tuning = WordTuning(dual, tokenizer, [*sources, *classes], shown, len(sources), name, config)
    if not train(tuning, run, resume=resume):
        return None
    processor = image_processor(list(tower.mean), list(tower.std), config.image_size)
    save_whole(dual, tokenizer, processor, run / "teacher")
    save_known_words(run / "teacher", known_words(labels))
    return dual


def _embed(
    tower: Tower, named: Sequence[Labelled], photos: Grouped, config: LockedTuningConfig, run: Path, counting: Counting
) -> tuple[list[Source], Source]:
    """The named images of each folder, and the photos with sentences."""
    names = [path for some in named for path, _ in some]
    seed = config.loop.seed
    crops = Crops(config.image_size, config.crops, config.smallest_crop, seed)
    views = Crops(config.image_size, config.views, config.smallest_view, seed)
    with counting("embedding", len(names) + len(photos)) as progress:
        features = embed_crops(tower, names, crops, run / "features" / "names", progress)
        seen = embed_crops(tower, [path for path, _ in photos], views, run / "features" / "sentences", progress)
    parts = features.split([len(some) for some in named])
    sources = [Source(part, [labels for _, labels in some]) for part, some in zip(parts, named, strict=True)]
    return sources, Source.of_photos(seen, [groups for _, groups in photos])


def _check(tower: Tower, folders: int, config: LockedTuningConfig) -> None:
    """Raise an error for a config that does not fit tower and pairs, before anything is embedded."""
    tower.check(config.image_size)
    if config.embedding_width >= tower.width:
        raise ConfigError(
            f"embedding_width must be {tower.width - 1} at most, one less than the tower's, not "
            f"{config.embedding_width}."
        )
    wanted = folders + (tower.classes is not None)
    if config.shares and len(config.shares) != wanted:
        raise ConfigError(
            f"shares needs {wanted} numbers, one for each folder of pairs and one for the tower's classes if it has "
            f"any, not {len(config.shares)}."
        )


def build_lit(tower: Tower, tokenizer: CLIPTokenizer, config: LockedTuningConfig) -> LIT:
    """A LiT of `transformers` with the given tower and an untrained text tower, on the tower's device."""
    settings = text_settings(config.text_width, config.text_layers, config.heads, config.longest_text, tokenizer)
    text = CLIPTextConfig(**settings)
    torch.manual_seed(config.loop.seed)
    make: LIT = VisionTextDualEncoderConfig
    whole = make.from_vision_text_configs(tower.model.config, text, projection_dim=config.embedding_width)
    dual: LIT = DualEncoder(whole, tower.model, CLIPTextModel(text)).to(tower.model.device)
    choose_attention(dual)
    return dual

"""Text supervision of the same student body, as in GroupViT (Xu et al. 2022): training on image-caption pairs only.

It is the paper's central comparison. A contrastive loss moves the global token of an image and the embedding of its
caption together, and those of different pairs apart. Segments form because the global token is made from them.

Letters: B pair, L text, W single word as a text, T U token, D embedding width, S pixels along a side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from zeroseg.errors import ConfigError
from zeroseg.losses import multi_label_contrast
from zeroseg.precision import full_precision
from zeroseg.squares import square_of_file
from zeroseg.student import Student, StudentConfig
from zeroseg.student.encoder import random_keep
from zeroseg.teacher import Teacher
from zeroseg.training import diagnostics
from zeroseg.training.batch import Batch
from zeroseg.training.initialisation import start_from_teacher
from zeroseg.training.loop import LoopConfig, Loss, Metrics, without_loop
from zeroseg.training.sampling import flipped, hflip, numbers_of
from zeroseg.training.student_training import check_mask_ratio, train_student, training_device

TEXT = "text"  # the folder of the text encoder in the run's folder


@dataclass(frozen=True)
class TextSupervisionConfig:
    """A student that is trained on captions, and its training. It needs neither decoder nor patch head.

    Captions train only the global token, so segments must use its projection (`segment_embedding` "global").
    """

    student: StudentConfig = field(default_factory=lambda: StudentConfig(decoder_layers=0, segment_embedding="global"))
    labels: int = 0
    """Multi-label contrast: the number of words of each caption that are texts of their own (GroupViT: 3)."""
    template: str = "a photo of a {}"
    """The prompt for such a word."""
    mask_ratio: float = 0.0
    """Fraction of the patches that the encoder does not see in training."""
    flips: bool = False
    """Flip half of the images horizontally."""
    encoder_from_teacher: bool = False
    """Start the encoder from the CLIP's own vision tower."""
    text_from_teacher: bool = False
    """Start the text encoder from the CLIP's own."""
    loop: LoopConfig = field(default_factory=LoopConfig)

    def __post_init__(self) -> None:
        if self.student.segment_embedding == "token":
            raise ConfigError('captions do not train segment tokens: choose the segment embedding "global".')
        if self.labels < 0:
            raise ConfigError(f"labels must be 0 or more, not {self.labels}.")
        check_mask_ratio(self.mask_ratio)
        self.loop.check_whole_batches()
        if "{}" not in self.template:
            raise ConfigError(f'the template {self.template!r} needs a place for the word, "{{}}".')


@dataclass
class CaptionBatch(Batch):
    """Square images (0..255), texts as token ids, and which images have them: captions, then single words."""

    images: UInt8[Tensor, "B 3 S S"]
    flipped: Bool[Tensor, " B"]
    captions: Int[Tensor, "L T"]
    of_captions: Bool[Tensor, "B L"]
    words: Int[Tensor, "W U"]
    of_words: Bool[Tensor, "B W"]


class CaptionData:
    """Captioned images, in an order that depends only on seed and epoch."""

    def __init__(
        self,
        captioned: Sequence[tuple[Path, str]],
        words: Sequence[str],
        tokenize: Callable[[list[str]], Int[Tensor, "L T"]],
        config: TextSupervisionConfig,
    ) -> None:
        self.captioned = captioned
        self._tokenize, self._config = tokenize, config
        longest_first = sorted((re.escape(word) for word in words), key=len, reverse=True)
        self._words = re.compile(rf"\b(?:{'|'.join(longest_first)})\b", re.IGNORECASE) if words else None

    def batch(self, step: int) -> CaptionBatch:
        """The batch of step 0, 1, 2 ... (`training.sampling`). Raises `ImageError`."""
        loop = self._config.loop
        chosen = [self.captioned[n] for n in numbers_of(step, loop.batch_size, len(self.captioned), loop.seed)]
        captions, of_captions = self._texts([[caption] for _, caption in chosen])
        random = np.random.default_rng([loop.seed, 11, step])
        words, of_words = self._texts([self._some_words(caption, random) for _, caption in chosen])
        return CaptionBatch(
            torch.stack([square_of_file(path, self._config.student.image_size) for path, _ in chosen]),
            flipped(step, loop.batch_size, loop.seed) & self._config.flips,
            captions,
            of_captions,
            words,
            of_words,
            names=[path.name for path, _ in chosen],
        )

    def _some_words(self, caption: str, random: np.random.Generator) -> list[str]:
        found = dict.fromkeys(word.lower() for word in self._words.findall(caption)) if self._words else {}
        picked = random.permutation(len(found))[: self._config.labels]
        return [self._config.template.format(list(found)[place]) for place in picked]

    def _texts(self, said: Sequence[Sequence[str]]) -> tuple[Int[Tensor, "L T"], Bool[Tensor, "B L"]]:
        """The different texts as token ids, and which images have them."""
        places = {text: place for place, text in enumerate(dict.fromkeys(text for texts in said for text in texts))}
        says = torch.zeros(len(said), len(places), dtype=torch.bool)
        for image, texts in enumerate(said):
            for text in texts:
                says[image, places[text]] = True
        return self._tokenize(list(places)), says


class TextSupervised(nn.Module):
    """A student with a text encoder that is trained together with it."""

    def __init__(self, config: TextSupervisionConfig, teacher: Teacher) -> None:
        super().__init__()
        torch.manual_seed(config.loop.seed)
        self.config = config
        self.student = Student(config.student)
        if config.encoder_from_teacher:
            start_from_teacher(self.student, teacher)
        self.text = teacher.text_encoder(pretrained=config.text_from_teacher)
        self.register_load_state_dict_pre_hook(_rename_clip)

    def embed(self, tokens: Int[Tensor, "L T"]) -> Float[Tensor, "L D"]:
        """The text encoder's embeddings, not normalised."""
        if not len(tokens):
            return torch.zeros(0, self.config.student.embedding_width, device=tokens.device)
        return self.text.embed(tokens)


def _rename_clip(_model: nn.Module, tensors: dict[str, Tensor], *_: object) -> None:
    """Rename tensors of older checkpoints, in which the model of the text encoder was called `clip`."""
    for name in [name for name in tensors if name.startswith("clip.")]:
        tensors[f"text.model.{name.removeprefix('clip.')}"] = tensors.pop(name)


class TextSupervision:
    """The objective: contrast of images with captions, and with single words if `labels` is above 0."""

    title = "text"

    def __init__(
        self,
        model: TextSupervised,
        config: TextSupervisionConfig,
        data: CaptionData,
        words: Sequence[str],
        teacher: str,
    ) -> None:
        """`teacher`: the fingerprint of the teacher whose text encoder has the same form."""
        self.model, self.student, self.data = model, model.student, data
        self.config, self.loop = config, config.loop
        self.words, self.teacher = list(words), teacher

    @property
    def settings(self) -> Metrics:
        """The config, the teacher's fingerprint, the number of pairs, the words of multi-label contrast."""
        return {
            "text_supervision": without_loop(self.config), "teacher": self.teacher, "pairs": len(self.data.captioned),
            "words": self.words,
        }  # fmt: skip

    def batch(self, step: int) -> CaptionBatch:
        """The batch of step 0, 1, 2 ..."""
        return self.data.batch(step)

    def losses(self, batch: CaptionBatch, _progress: float, generator: torch.Generator) -> Iterator[Loss]:
        """The loss of the batch."""
        config, model = self.config, self.model
        images = hflip(batch.images.float() / 255, batch.flipped)
        keep = random_keep(len(images), config.student.grid**2, config.mask_ratio, generator)
        output = self.student(images, keep, generator)
        captions, words = model.embed(batch.captions), model.embed(batch.words)
        with full_precision(images.device):
            scale = model.text.logit_scale()
            parts = {"captions": multi_label_contrast(output.image, captions, batch.of_captions, scale)}
            if len(words):
                parts["words"] = multi_label_contrast(output.image, words, batch.of_words, scale)
        segments, masks = output.segments.detach(), output.masks.detach()
        yield Loss(
            torch.stack(list(parts.values())).sum(),
            {name: part.detach() for name, part in parts.items()},
            lambda: diagnostics.read(segments, masks, segments[:, :0]),
        )


def supervise_with_text(
    captioned: Sequence[tuple[Path, str]],
    words: Sequence[str],
    config: TextSupervisionConfig,
    run: Path,
    teacher: Teacher,
    evaluate: Callable[[Student, Teacher], Metrics] | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Student | None:
    """Train a student on captioned images. It is saved in `run / "student"`, its text encoder in `run / "text"`.

    `words`: the words that multi-label contrast looks for in captions. The text encoder has the form and the tokenizer
    of `teacher`, and its weights if the config says so; nothing is distilled from it. None if the run was interrupted.
    Raises `ConfigError` if the config has `labels` and `words` is empty, `TrainingError`, `ImageError`.
    """
    if config.labels and not words:
        raise ConfigError("multi-label contrast needs the words to look for in captions.")
    student = replace(config.student, embedding_width=teacher.width, teacher=str((run / TEXT).resolve()))
    config = replace(config, student=student)
    model = TextSupervised(config, teacher).to(training_device(teacher))

    def evaluate_with_text(student: Student) -> Metrics:
        assert evaluate is not None
        return evaluate(student, model.text.as_teacher())

    data = CaptionData(captioned, words, model.text.tokenize, config)
    objective = TextSupervision(model, config, data, words, teacher.fingerprint)
    measured = evaluate_with_text if evaluate is not None else None

    def save_text(run: Path) -> None:
        model.text.save(run / TEXT)
        text_fingerprint = model.text.as_teacher().text_fingerprint
        model.student.config = replace(config.student, text_fingerprint=text_fingerprint)

    return train_student(objective, run, measured, resume, quiet, save_text)

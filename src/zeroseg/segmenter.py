"""Segmenter: an image and a vocabulary in, a `Segmentation` out.

An image is encoded once for any number of vocabularies, and a vocabulary is embedded once for any number of images.

Letters: R region (P patch or S segment), W word, C class, K class with the background, D embedding width, H W pixels.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from zeroseg import scoring
from zeroseg.components import without_small_components
from zeroseg.encoding import Encoded, ImageEncoder, Size, StudentEncoder, WordEmbedder
from zeroseg.errors import WeightsError
from zeroseg.exported import ExportedEncoder, ExportedText, is_exported, read
from zeroseg.hub import folder_of
from zeroseg.images import ImageSource, borrow_image, resize, resize_picture
from zeroseg.known_words import said_of_labels
from zeroseg.models import DEFAULT
from zeroseg.refine import refine
from zeroseg.rules import BackgroundRule, ClassScores, Sigmoid, rule_named
from zeroseg.segmentation import BACKGROUND, Segmentation
from zeroseg.student import Student
from zeroseg.student.config import ReadOut, StudentConfig
from zeroseg.teacher import TextTower, load_text_tower
from zeroseg.vocabulary import UnknownWordsWarning, Vocabulary, label_key, make_vocabulary

if TYPE_CHECKING:
    from zeroseg.teacher import Teacher

LARGEST_ASPECT = 6  # longer pictures are compressed to it: position embeddings do not extend that far
MOST_UNKNOWN = 8  # labels that a warning names
REFINED_SIDE = 224  # masks are refined on the picture with at most this shorter side, pixels


class Segmenter:
    """Segments images by words: `Segmenter.from_pretrained()("photo.jpg", labels=["dog", "grass"])`."""

    def __init__(
        self, encoder: ImageEncoder, teacher: TextTower, read_out: ReadOut, words: WordEmbedder | None = None
    ) -> None:
        """`encoder` finds regions in images, `teacher` embeds words, `read_out` decides how regions get names.

        `words`: a word embedder of the same teacher, to share its embeddings with another segmenter.
        """
        self.encoder, self.teacher, self.read_out = encoder, teacher, read_out
        self.words = words or WordEmbedder(teacher)

    @classmethod
    def from_pretrained(
        cls, model: str | Path = DEFAULT, teacher: str | Path | None = None, device: str | None = None
    ) -> Segmenter:
        """Load a student (a bundled name, a folder or a hub name) with the text encoder of its teacher.

        The folder may be one of `zeroseg export`, which has its own text encoder and runs on the CPU.
        `teacher` overrides the name in the student's config. `device`: by default CUDA if it is available.
        Raises `TeacherError`, and `WeightsError`, also for a teacher that the student was not distilled from.
        """
        folder = folder_of(model, "student")
        if is_exported(folder):
            return cls._exported(folder, teacher, device)
        student = Student.from_pretrained(model)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        text_tower = load_text_tower(teacher or student.config.teacher, device, student.config.text_fingerprint)
        named = f"the student {model}", f"the teacher {teacher or student.config.teacher}"
        _check_teacher(student.config, text_tower, *named)
        return cls.of(student.to(device), text_tower)

    @classmethod
    def _exported(cls, folder: Path, teacher: str | Path | None, device: str | None) -> Segmenter:
        """A segmenter from the folder of an exported model (see `from_pretrained`)."""
        if device not in (None, "cpu"):
            raise WeightsError(f"exported models run on the CPU, not on {device}: name the student that was exported.")
        description = read(folder)
        known = description.student.text_fingerprint
        text = load_text_tower(teacher, "cpu", known) if teacher else ExportedText(folder, description)
        _check_teacher(description.student, text, f"the exported model in {folder}", f"the teacher {teacher}")
        return cls(ExportedEncoder(folder, description), text, description.student.read_out)

    @classmethod
    def of(cls, student: Student, teacher: TextTower) -> Segmenter:
        """A segmenter from a student in memory, with the read-out of its config.

        Raises `WeightsError` for a teacher that the student was not distilled from.
        """
        _check_teacher(student.config, teacher, "the student", "the given teacher")
        return cls(StudentEncoder(student), teacher, student.config.read_out)

    @property
    def whole_teacher(self) -> Teacher:
        """The teacher with its image tower. Raises `WeightsError` for an exported model: it has texts only."""
        whole = self.teacher.whole
        if whole is None:
            raise WeightsError("an exported model has no whole teacher: name the student that was exported.")
        return whole

    def __call__(
        self,
        image: ImageSource,
        labels: str | Iterable[str] | Mapping[str, Sequence[str]] | Vocabulary,
        read_out: ReadOut | None = None,
    ) -> Segmentation:
        """Segment one image.

        `image`: anything that `load_image` takes. `labels`: a list, one line with commas, labels with other words for
        each (`{"sofa": ["couch", "settee"]}`), or a `Vocabulary`.
        `read_out`: replaces the segmenter's own.

        Warns (`UnknownWordsWarning`) of labels that the teacher has not learned, if it says which it has.
        Raises `ImageError`, `VocabularyError`, and `WeightsError` for a naming that the model does not have.
        """
        vocabulary = labels if isinstance(labels, Vocabulary) else make_vocabulary(labels)
        for sentence in self.unknown_words(vocabulary):
            warnings.warn(sentence, UnknownWordsWarning, stacklevel=2)
        return self.name(self.encode(image), vocabulary, read_out)

    def unknown_words(self, vocabulary: Vocabulary) -> list[str]:
        """One sentence for each label that the teacher has not learned, or reads as another: at most `MOST_UNKNOWN`.

        A label with another word that the teacher knows is not one of them.
        Empty for teachers that do not say which words they know, such as those of the hub.
        """
        others = vocabulary.aliases or [()] * len(vocabulary.labels)
        said = said_of_labels(zip(vocabulary.labels, others, strict=True), self.teacher.known_words)
        return list(islice(said, MOST_UNKNOWN))

    def encode(self, image: ImageSource) -> Encoded:
        """The regions of an image, ready for any number of vocabularies. Raises `ImageError`."""
        return self.encode_batch([image])[0]

    @torch.inference_mode()
    def encode_batch(self, images: Sequence[ImageSource]) -> list[Encoded]:
        """The regions of several images, in their order; images of one working size are encoded in one batch.

        One image after the other is read and resized. Raises `ImageError` for the first that cannot be read.
        """
        by_size: defaultdict[Size, list[tuple[int, Size, Float[Tensor, "3 H W"]]]] = defaultdict(list)
        for number, image in enumerate(images):
            picture = borrow_image(image)
            size = picture.height, picture.width
            working = working_size(*size, self.encoder.shorter_side, self.encoder.multiple)
            by_size[working].append((number, size, resize_picture(picture, working)))
        found: dict[int, Encoded] = {}
        for working, resized in by_size.items():
            numbers, sizes, pictures = zip(*resized, strict=True)
            pixels = torch.stack(pictures)
            small = working_size(*working, min(min(working), REFINED_SIDE), 1)
            for number, seen, encoded in zip(numbers, pixels, self.encoder.encode(pixels, sizes), strict=True):
                found[number] = replace(encoded, pixels=resize(seen, small).to(encoded.image.device))
        return [found[number] for number in range(len(images))]

    @torch.inference_mode()
    def name(
        self,
        encoded: Encoded,
        vocabulary: Vocabulary,
        read_out: ReadOut | None = None,
        kept: Bool[np.ndarray, " C"] | None = None,
    ) -> Segmentation:
        """Give every pixel of an encoded image the best name of a vocabulary.

        `encoded`: an image's regions, from `encode`. `vocabulary`: the labels, with other words for them, words for the
        background (None: those of the read-out) and templates. `read_out` replaces the segmenter's own: which regions
        are named, when a pixel is background, how many iterations refine the masks, which areas are too small. `kept`:
        labels that may get pixels; None for all of them. Without a background and without any, all of them may.

        The result has the image's own size; its first label is "background" if the rule has a background. The score of
        a label is the mean probability over its regions. Raises `WeightsError` for a naming that the model does not
        have.
        """
        read_out = read_out or self.read_out
        rule = read_out.background
        scores = self.scores(encoded, vocabulary, read_out, kept)
        logits = rule.logits(scores)
        class_map = _cleaned(_paint(logits, encoded, read_out), read_out)
        likely = scoring.confidence(rule.probabilities(scores), logits, class_map)
        labels = (BACKGROUND, *vocabulary.labels) if rule.has_background else vocabulary.labels
        return Segmentation(labels, class_map.cpu().numpy(), likely.cpu().numpy(), rule.has_background)

    @torch.inference_mode()
    def scores(
        self,
        encoded: Encoded,
        vocabulary: Vocabulary,
        read_out: ReadOut | None = None,
        kept: Bool[np.ndarray, " C"] | None = None,
    ) -> ClassScores:
        """The scores of all labels in the regions, from which `name` makes masks; its arguments are those of `name`.

        Labels that are not `kept` have the lowest scores.
        """
        read_out = read_out or self.read_out
        words, class_ids, is_stuff = self._embedded(vocabulary, read_out)
        similarities = encoded.similarities(words, read_out)
        if kept is not None and (kept.any() or read_out.background.has_background):
            left_out = torch.tensor([number >= 0 and not kept[number] for number in class_ids])
            similarities[:, left_out.to(similarities.device)] = -scoring.SCALE
        return read_out.background.class_scores(similarities, class_ids, is_stuff)

    def embed(self, vocabulary: Vocabulary, read_out: ReadOut | None = None) -> tuple[Float[Tensor, "W D"], list[int]]:
        """Word embeddings (mean over the templates) and the class of each word, -1 for background words.

        Background words that are too much like a label (`ReadOut.alike`) are left out.
        """
        return self._embedded(vocabulary, read_out or self.read_out)[:2]

    def _embedded(
        self, vocabulary: Vocabulary, read_out: ReadOut
    ) -> tuple[Float[Tensor, "W D"], list[int], Bool[Tensor, " C"]]:
        """Word embeddings, the class of each word, and which labels are stuff.

        These are labels that are background words of the read-out, and labels for which one of these stands down; words
        for things among them do not count.
        """
        things = set(map(label_key, read_out.background_things))
        stuff = set(map(label_key, read_out.background_words)) - things
        rows = vocabulary.words(read_out.background_words)
        words, class_ids = self.words([word for word, _ in rows], vocabulary.templates), [number for _, number in rows]
        is_stuff = torch.tensor([label_key(label) in stuff for label in vocabulary.labels], device=words.device)
        if read_out.alike < 1:
            of_labels = len(class_ids) - class_ids.count(-1)
            others = words[of_labels:]
            cosines = scoring.best_words(scoring.similarities(others, words), class_ids, len(vocabulary.labels))[0]
            alike = cosines > scoring.SCALE * read_out.alike
            words = torch.cat([words[:of_labels], others[~alike.any(dim=1)]])
            apart = torch.tensor([label_key(word) in things for word, _ in rows[of_labels:]], dtype=torch.bool)
            class_ids, is_stuff = class_ids[: len(words)], is_stuff | alike[~apart].any(dim=0)
        return words, class_ids, is_stuff

    @torch.inference_mode()
    def lead_over_background(self, encoded: Encoded, vocabulary: Vocabulary) -> Float[np.ndarray, " R"]:
        """The score of the best label of each region minus that of the best background word (cosine x 100)."""
        words, class_ids = self.embed(vocabulary)
        similarities = encoded.similarities(words, self.read_out)[:-1]
        labels, background = scoring.best_words(similarities, class_ids, len(vocabulary.labels))
        return (labels.amax(dim=1) - background).cpu().numpy()

    def region_map(self, encoded: Encoded) -> Int[np.ndarray, "H W"]:
        """The number of the region of every pixel: the segment that it belongs to, or the patch that covers it."""
        count = encoded.count(self.read_out.naming)
        if self.read_out.naming == "segments":
            return _paint(torch.eye(count, device=encoded.image.device), encoded, self.read_out).int().cpu().numpy()
        (h, w), (height, width) = encoded.grid, encoded.size
        rows, columns = np.arange(height) * h // height, np.arange(width) * w // width
        return rows[:, None] * w + columns[None, :]

    @torch.inference_mode()
    def paint(self, encoded: Encoded, labels: Int[np.ndarray, " R"], classes: int) -> Int[np.ndarray, "H W"]:
        """The class map if region r had the class `labels[r]` (0 .. classes - 1), refined as the read-out says."""
        logits = torch.nn.functional.one_hot(torch.as_tensor(labels), classes).float()
        painted = _paint(logits.to(encoded.image.device), encoded, self.read_out)
        return _cleaned(painted, self.read_out).int().cpu().numpy()

    def rule(self, name: str) -> BackgroundRule:
        """A background rule by name: the read-out's own, or one with the default threshold (`rules.rule_named`).

        "sigmoid" takes its scale from a teacher that was trained with sigmoids. Raises `ConfigError`.
        """
        own, bias = self.read_out.background, self.teacher.logit_bias
        if name == Sigmoid.name != own.name and bias is not None:
            return Sigmoid.of_teacher(self.teacher.logit_scale, bias)
        return rule_named(name, own)

    def reading(self, **changes: Any) -> Segmenter:
        """The same networks and word embeddings with another read-out: `segmenter.reading(naming="segments")`."""
        return Segmenter(self.encoder, self.teacher, replace(self.read_out, **changes), self.words)


def _check_teacher(config: StudentConfig, teacher: TextTower, student_words: str, teacher_words: str) -> None:
    """Raise `WeightsError`, which names both, if a teacher's text tower is not the one of the student's own teacher.

    A student of an earlier version has no fingerprint of it: then only the widths are compared.
    """
    if teacher.width != config.embedding_width:
        raise WeightsError(
            f"{student_words} embeds into {config.embedding_width} dimensions, {teacher_words} into {teacher.width}: "
            "name the teacher that it was distilled from."
        )
    if config.text_fingerprint and teacher.text_fingerprint != config.text_fingerprint:
        raise WeightsError(
            f"{student_words} was distilled from a teacher with another text tower than {teacher_words}, so its masks "
            f"would have wrong names: name its own teacher (when it was trained, {config.teacher})."
        )


def _paint(logits: Float[Tensor, "R K"], encoded: Encoded, read_out: ReadOut) -> Int[Tensor, "H W"]:
    """The class of every pixel from the logits of the regions."""
    if read_out.naming == "segments" and encoded.masks is not None:
        maps, values = encoded.masks, logits.argmax(dim=1)
    else:
        maps, values = logits.T.unflatten(1, encoded.grid), torch.arange(logits.shape[1], device=logits.device)
    if read_out.refinement:
        assert encoded.pixels is not None  # `Segmenter.encode` sets them
        winners = scoring.winners(maps, encoded.size)
        maps, values = refine(maps[winners], encoded.pixels, read_out.refinement), values[winners]
    return scoring.class_map(maps, values, encoded.size)


def _cleaned(class_map: Int[Tensor, "H W"], read_out: ReadOut) -> Int[Tensor, "H W"]:
    """The class map without the specks of refinement: areas that are too small for the read-out."""
    if not read_out.refinement:
        return class_map
    kept = without_small_components(class_map.cpu().numpy(), read_out.smallest_region * class_map.numel())
    return torch.from_numpy(kept).to(class_map.device)


def working_size(height: int, width: int, shorter_side: int, multiple: int) -> Size:
    """Height and width to which an image is resized: shorter side `shorter_side`, multiples of `multiple`, pixels.

    Proportions are kept up to 1 to 6.
    """
    aspect = min(LARGEST_ASPECT, max(height, width) / min(height, width))
    short = max(multiple, round(shorter_side / multiple) * multiple)
    long = max(multiple, round(shorter_side * aspect / multiple) * multiple)
    return (long, short) if height > width else (short, long)

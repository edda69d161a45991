"""Segmenter: an image and a vocabulary in, a `Segmentation` out.

The image goes through the network once for any number of vocabularies, a vocabulary through the text encoder once
for any number of images.

Letters: R region (P patch or S segment), W word, C class, D embedding width, H W pixels, h w grid cells.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from zeroseg import scoring
from zeroseg.errors import WeightsError
from zeroseg.images import ImageSource, load_image, resize, to_tensor
from zeroseg.refine import refine
from zeroseg.segmentation import BACKGROUND, Segmentation
from zeroseg.student import Student
from zeroseg.student.config import Naming, ReadOut
from zeroseg.student.weights import BUNDLED
from zeroseg.teacher import Teacher
from zeroseg.vocabulary import Vocabulary, make_vocabulary

LARGEST_ASPECT = 6  # longer pictures are squeezed: positions are not known that far
REFINED_SIDE = 224  # masks are refined on the picture with at most this shorter side, pixels
KEPT_VOCABULARIES = 16


@dataclass(frozen=True)
class Window:
    """A part of a picture that was encoded by itself, its place given in cells of the whole picture's grid."""

    top: int
    left: int
    encoded: Encoded


@dataclass(frozen=True)
class Encoded:
    """What a network found in one image: embeddings in the teacher's space, for any vocabulary and read-out.

    `patches` are the cells of `grid`, row by row; `segments` come with soft `masks`. A network has one or both. With
    `windows` the regions are the cells of the whole grid, however they are named.
    `mean` is the mean of the teacher's embeddings, as far as the network knows it: part of every embedding.
    """

    image: Float[Tensor, " D"]
    patches: Float[Tensor, "P D"] | None
    segments: Float[Tensor, "S D"] | None
    masks: Float[Tensor, "S h w"] | None
    mean: Float[Tensor, " D"]
    grid: tuple[int, int]  # height, width
    size: tuple[int, int]  # of the picture: height, width
    pixels: Float[Tensor, "3 H W"] | None = None  # of the picture, small: what refinement goes by
    windows: tuple[Window, ...] = ()  # in place of patches of the whole picture: those of its parts

    def regions(self, naming: Naming) -> Float[Tensor, "R D"]:
        """The embeddings to be named. Raises `WeightsError` if the network has none of that kind."""
        found = self.patches if naming == "patches" else self.segments
        if found is None:
            raise WeightsError(f"this model has no {naming} to name: choose the other naming, or another model.")
        return found

    def count(self, naming: Naming) -> int:
        """How many regions there are to be named. Raises `WeightsError` like `regions`."""
        return self.grid[0] * self.grid[1] if self.windows else len(self.regions(naming))


@runtime_checkable
class ImageEncoder(Protocol):
    """Anything that finds regions in an image: a student, or a dense read-out of a teacher."""

    shorter_side: int  # what images are resized to
    multiple: int  # of which both sides must be

    def encode(self, pixels: Float[Tensor, "1 3 H W"], size: tuple[int, int]) -> Encoded:
        """Regions of an image (values 0..1, sides multiples of `multiple`); `size` is the picture's own."""
        ...


class StudentEncoder:
    """A student as an encoder: its segment tokens with their masks, and its patch embeddings."""

    def __init__(self, student: Student) -> None:
        self.student = student.eval()
        self.shorter_side = student.config.inference_size
        self.multiple = student.config.patch_size

    def encode(self, pixels: Float[Tensor, "1 3 H W"], size: tuple[int, int]) -> Encoded:
        """One forward pass over all patches."""
        mean = self.student.target_mean
        grid = (pixels.shape[2] // self.multiple, pixels.shape[3] // self.multiple)
        output = self.student(pixels.to(mean.device))
        in_teacher_space = self.student.in_teacher_space
        patches = None if output.patches is None else in_teacher_space(output.patches[0])
        masks = rearrange(output.masks[0], "s (h w) -> s h w", h=grid[0])
        image, segments = in_teacher_space(output.image[0]), in_teacher_space(output.segments[0])
        return Encoded(image, patches, segments, masks, mean, grid, size)


class Segmenter:
    """Segments images by words: `Segmenter.from_pretrained()("photo.jpg", labels=["dog", "grass"])`."""

    def __init__(self, encoder: ImageEncoder, teacher: Teacher, read_out: ReadOut) -> None:
        self.encoder, self.teacher, self.read_out = encoder, teacher, read_out
        self._embedded: OrderedDict[Vocabulary, tuple[Tensor, list[int]]] = OrderedDict()

    @classmethod
    def from_pretrained(
        cls, model: str | Path = BUNDLED, teacher: str | Path | None = None, device: str | None = None
    ) -> Segmenter:
        """Load a student (folder or hub name) with the text encoder of its teacher.

        `teacher` overrides the name in the student's config. `device`: CUDA where there is one, by default.
        Raises `WeightsError`, `TeacherError`.
        """
        student = Student.from_pretrained(model)
        text_encoder = Teacher.from_pretrained(teacher or student.config.teacher)
        if text_encoder.width != student.config.embedding_width:
            raise WeightsError(
                f"the student {model} speaks {student.config.embedding_width} dimensions, the teacher "
                f"{text_encoder.width}: name the teacher that it was distilled from."
            )
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls.of(student.to(device), text_encoder.to(device))

    @classmethod
    def of(cls, student: Student, teacher: Teacher) -> Segmenter:
        """A student that is in memory, with the read-out of its config."""
        return cls(StudentEncoder(student), teacher, student.config.read_out)

    def __call__(
        self, image: ImageSource, labels: str | Iterable[str] | Vocabulary, read_out: ReadOut | None = None
    ) -> Segmentation:
        """Segment one image by `labels`: a list, one line with commas, or a `Vocabulary`.

        Without a `Vocabulary` the read-out's words stand for the background.

        Raises `ImageError`, `VocabularyError`.
        """
        background = (read_out or self.read_out).background_words
        vocabulary = labels if isinstance(labels, Vocabulary) else make_vocabulary(labels, background)
        return self.name(self.encode(image), vocabulary, read_out)

    @torch.inference_mode()
    def encode(self, image: ImageSource) -> Encoded:
        """The regions of an image, ready for any number of vocabularies."""
        picture = load_image(image)
        size = (picture.height, picture.width)
        working = working_size(*size, self.encoder.shorter_side, self.encoder.multiple)
        pixels = resize(to_tensor(picture), working)
        small = working_size(*working, min(min(working), REFINED_SIDE), 1)
        encoded = self.encoder.encode(pixels[None], size)
        return replace(encoded, pixels=resize(pixels, small).to(encoded.image.device))

    @torch.inference_mode()
    def name(self, encoded: Encoded, vocabulary: Vocabulary, read_out: ReadOut | None = None) -> Segmentation:
        """Give the regions the best names of a vocabulary."""
        read_out = read_out or self.read_out
        words, owners = self.embed(vocabulary)
        similarities = _similarities(encoded, words, read_out)
        are_probabilities = read_out.background == "softmax"
        if are_probabilities:
            similarities = scoring.softmax_score(similarities, read_out.softmax_scale)
        scores, rivals = scoring.best_words(similarities, owners, len(vocabulary.labels))
        if are_probabilities:
            rivals = rivals.clamp(min=0)  # a word that is not there has the probability 0
        scores, image_scores, rivals = scores[:-1], scores[-1], rivals[:-1]
        channels = _channels(scores, image_scores, rivals, vocabulary, read_out)
        class_map = _paint(channels, encoded, read_out)
        has_background = read_out.background != "none"
        likely = torch.cat([rivals[:, None], scores], dim=1) if has_background else scores
        likely = likely if are_probabilities else likely.softmax(dim=1)
        names = (BACKGROUND, *vocabulary.labels) if has_background else vocabulary.labels
        sure = scoring.confidence(likely, channels, class_map).cpu().numpy()
        return Segmentation(names, class_map.cpu().numpy().astype(np.uint16), sure, has_background)

    @torch.inference_mode()
    def embed(self, vocabulary: Vocabulary) -> tuple[Float[Tensor, "W D"], list[int]]:
        """Word embeddings (mean over the templates) and the class of each word, -1 for background words."""
        if vocabulary not in self._embedded:
            rows = vocabulary.words()
            prompts = [prompt for word, _ in rows for prompt in vocabulary.prompts(word)]
            embedded = self.teacher.embed_texts(prompts)
            words = rearrange(embedded, "(w t) d -> w t d", t=len(vocabulary.templates)).mean(dim=1)
            self._embedded[vocabulary] = (words, [owner for _, owner in rows])
            if len(self._embedded) > KEPT_VOCABULARIES:
                self._embedded.popitem(last=False)
        return self._embedded[vocabulary]

    @torch.inference_mode()
    def leads(self, encoded: Encoded, vocabulary: Vocabulary) -> Float[np.ndarray, " R"]:
        """By how much the best label of each region leads the best background word (cosine x 100)."""
        words, owners = self.embed(vocabulary)
        similarities = _similarities(encoded, words, self.read_out)[:-1]
        scores, rivals = scoring.best_words(similarities, owners, len(vocabulary.labels))
        return (scores.amax(dim=1) - rivals).cpu().numpy()

    def region_map(self, encoded: Encoded) -> Int[np.ndarray, "H W"]:
        """The region of every pixel: the segment that it belongs to, or the patch under it."""
        count = encoded.count(self.read_out.naming)
        if self.read_out.naming == "segments":
            return _paint(torch.eye(count, device=encoded.image.device), encoded, self.read_out).cpu().numpy()
        (h, w), (height, width) = encoded.grid, encoded.size
        rows, columns = np.arange(height) * h // height, np.arange(width) * w // width
        return rows[:, None] * w + columns[None, :]

    @torch.inference_mode()
    def paint(self, encoded: Encoded, labels: Int[np.ndarray, " R"], classes: int) -> Int[np.ndarray, "H W"]:
        """The map if every region had the label given for it: drawn and refined as the regions' own names are."""
        channels = torch.nn.functional.one_hot(torch.as_tensor(labels), classes).float()
        return _paint(channels.to(encoded.image.device), encoded, self.read_out).cpu().numpy()

    def reading(self, **changes: object) -> Segmenter:
        """The same networks under another read-out: `segmenter.reading(naming="segments")`."""
        return Segmenter(self.encoder, self.teacher, replace(self.read_out, **changes))


def _similarities(encoded: Encoded, words: Float[Tensor, "W D"], read_out: ReadOut) -> Float[Tensor, "R1 W"]:
    """Cosines x 100 of all regions, and in the last row of the whole picture; over windows they are averaged."""
    if encoded.windows:
        return _averaged(encoded, words, read_out)
    taken_out = torch.zeros_like(encoded.mean) if read_out.keep_mean else encoded.mean
    regions = encoded.regions(read_out.naming) - taken_out
    embeddings = torch.cat([regions, (encoded.image - taken_out)[None]])
    return scoring.similarities(embeddings, words)


def _averaged(encoded: Encoded, words: Float[Tensor, "W D"], read_out: ReadOut) -> Float[Tensor, "R1 W"]:
    """Every cell's mean over the windows that show it; named by segments, a cell says there what its segment does."""
    total = words.new_zeros(*encoded.grid, len(words))
    times = words.new_zeros(*encoded.grid, 1)
    pictures: list[Tensor] = []
    for window in encoded.windows:
        h, w = window.encoded.grid
        found = _similarities(window.encoded, words, read_out)
        masks = window.encoded.masks if read_out.naming == "segments" else None
        cells = found[:-1] if masks is None else found[masks.argmax(dim=0).flatten()]
        total[window.top : window.top + h, window.left : window.left + w] += cells.view(h, w, -1)
        times[window.top : window.top + h, window.left : window.left + w] += 1
        pictures.append(found[-1])
    return torch.cat([(total / times).flatten(0, 1), torch.stack(pictures).mean(dim=0)[None]])


def _channels(
    scores: Float[Tensor, "R C"],
    image_scores: Float[Tensor, " C"],
    rivals: Float[Tensor, " R"],
    vocabulary: Vocabulary,
    read_out: ReadOut,
) -> Float[Tensor, "R K"]:
    """What every region gives to each class, the background's first where there is one; the highest wins."""
    match read_out.background:
        case "product":
            product = scoring.product_score(scores, image_scores)
            return scoring.with_product_background(product, read_out.product_threshold)
        case "softmax":
            return scoring.with_level_background(scores, rivals, read_out.threshold)
        case "sigmoid":
            scores, rivals = scoring.sigmoid_score(scores), scoring.sigmoid_score(rivals)
            return scoring.with_level_background(scores, rivals, read_out.sigmoid_threshold)
        case "margin" | "none":
            starts = scoring.head_starts(vocabulary.labels, read_out.background_words, read_out.margin)
            scores = scores + starts.to(scores.device)
            if read_out.background == "margin":
                scores = scoring.with_margin_background(scores, rivals, read_out.margin)
            return scoring.probabilities(scores)


def _paint(channels: Float[Tensor, "R C"], encoded: Encoded, read_out: ReadOut) -> Int[Tensor, "H W"]:
    """The class of every pixel from the scores of the regions."""
    if read_out.naming == "segments" and encoded.masks is not None:
        maps, values = encoded.masks, channels.argmax(dim=1)
    else:
        maps, values = channels.T.unflatten(1, encoded.grid), torch.arange(channels.shape[1], device=channels.device)
    if read_out.refinement:
        assert encoded.pixels is not None  # `Segmenter.encode` keeps them
        places = scoring.winners(maps, encoded.size)
        maps, values = refine(maps[places], encoded.pixels, read_out.refinement), values[places]
    return scoring.class_map(maps, values, encoded.size)


def working_size(height: int, width: int, shorter_side: int, multiple: int) -> tuple[int, int]:
    """The size an image is brought to: shorter side `shorter_side`, proportions kept up to 1 to 6, in multiples."""
    aspect = min(LARGEST_ASPECT, max(height, width) / min(height, width))
    short = max(multiple, round(shorter_side / multiple) * multiple)
    long = max(multiple, round(shorter_side * aspect / multiple) * multiple)
    return (long, short) if height > width else (short, long)

"""Segmenter: an image and a vocabulary in, a `Segmentation` out.

The image goes through the network once for any number of vocabularies, a vocabulary through the text encoder once
for any number of images.

Letters: R region, W word, D embedding width, H W pixels, h w grid cells.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from zeroseg import scoring
from zeroseg.errors import WeightsError
from zeroseg.images import ImageSource, load_image, resize, to_tensor
from zeroseg.segmentation import BACKGROUND, Segmentation
from zeroseg.student import Student
from zeroseg.student.config import ReadOut
from zeroseg.student.weights import BUNDLED
from zeroseg.teacher import Teacher
from zeroseg.vocabulary import Vocabulary, make_vocabulary

LARGEST_ASPECT = 6  # longer pictures are squeezed: positions are not known that far
KEPT_VOCABULARIES = 16
BUNDLED_TEACHER = "bundled"  # the teacher's name in the config of a student that ships with the package


@dataclass(frozen=True)
class Encoded:
    """What a network found in one image: embeddings of regions, in the teacher's space.

    The regions are segments with soft `masks`, or (`masks` None) the cells of `grid`, row by row.
    """

    regions: Float[Tensor, "R D"]
    image: Float[Tensor, " D"]
    masks: Float[Tensor, "R h w"] | None
    grid: tuple[int, int]  # height, width
    size: tuple[int, int]  # of the picture: height, width


class ImageEncoder(Protocol):
    """Anything that finds named regions in an image: a student, or a dense read-out of a CLIP."""

    shorter_side: int
    multiple: int

    def encode(self, pixels: Float[Tensor, "1 3 H W"], read_out: ReadOut, size: tuple[int, int]) -> Encoded:
        """Regions of an image whose sides are multiples of `multiple`; `size` is the picture's own."""
        ...


class StudentEncoder:
    """A student as an encoder: its segment tokens with their masks, or its patch embeddings."""

    def __init__(self, student: Student) -> None:
        self.student = student.eval()
        self.shorter_side = student.config.inference_size
        self.multiple = student.config.patch_size

    def encode(self, pixels: Float[Tensor, "1 3 H W"], read_out: ReadOut, size: tuple[int, int]) -> Encoded:
        """One forward pass over all patches."""
        device = self.student.target_mean.device
        grid = (pixels.shape[2] // self.multiple, pixels.shape[3] // self.multiple)
        output = self.student(pixels.to(device))
        by_patch = read_out.naming == "patches"
        if by_patch and output.patches is None:
            raise WeightsError("this student has no patch embeddings: name by segments, or use another student.")
        regions = output.patches if by_patch and output.patches is not None else output.segments
        masks = None if by_patch else rearrange(output.masks[0], "s (h w) -> s h w", h=grid[0])
        inside = self.student.in_teacher_space
        image = inside(output.image[0], read_out.keep_mean)
        return Encoded(inside(regions[0], read_out.keep_mean), image, masks, grid, size)


class Segmenter:
    """Segments images by words: `Segmenter.from_pretrained()("photo.jpg", labels=["dog", "grass"])`."""

    def __init__(self, encoder: ImageEncoder, teacher: Teacher, read_out: ReadOut) -> None:
        self.encoder, self.teacher, self.read_out = encoder, teacher, read_out
        self._embedded: OrderedDict[Vocabulary, tuple[Tensor, list[int]]] = OrderedDict()

    @classmethod
    def from_pretrained(
        cls, model: str | Path = BUNDLED, teacher: str | Path | None = None, device: str | None = None
    ) -> "Segmenter":
        """Load a student (folder or hub name) with the text encoder of its teacher.

        `teacher` overrides the name in the student's config. `device`: CUDA where there is one, by default.
        Raises `WeightsError`, `TeacherError`.
        """
        student = Student.from_pretrained(model)
        named = student.config.teacher
        text_encoder = Teacher.from_pretrained(teacher) if teacher else (
            Teacher.from_pretrained() if named == BUNDLED_TEACHER else Teacher.from_pretrained(named)
        )
        if text_encoder.width != student.config.embedding_width:
            raise WeightsError(
                f"the student {model} speaks {student.config.embedding_width} dimensions, the teacher "
                f"{text_encoder.width}: name the teacher that it was distilled from."
            )
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(StudentEncoder(student.to(device)), text_encoder.to(device), student.config.read_out)

    def __call__(
        self, image: ImageSource, labels: str | Iterable[str] | Vocabulary, read_out: ReadOut | None = None
    ) -> Segmentation:
        """Segment one image by `labels` (a list, one line with commas, or a `Vocabulary`).

        Raises `ImageError`, `VocabularyError`.
        """
        vocabulary = labels if isinstance(labels, Vocabulary) else make_vocabulary(labels)
        return self.name(self.encode(image, read_out), vocabulary, read_out)

    @torch.inference_mode()
    def encode(self, image: ImageSource, read_out: ReadOut | None = None) -> Encoded:
        """The regions of an image, ready for any number of vocabularies."""
        picture = load_image(image)
        size = (picture.height, picture.width)
        working = working_size(*size, self.encoder.shorter_side, self.encoder.multiple)
        pixels = resize(to_tensor(picture), working)
        return self.encoder.encode(pixels[None], read_out or self.read_out, size)

    @torch.inference_mode()
    def name(self, encoded: Encoded, vocabulary: Vocabulary, read_out: ReadOut | None = None) -> Segmentation:
        """Give the regions the best names of a vocabulary."""
        read_out = read_out or self.read_out
        words, owners = self.embed(vocabulary)
        classes = len(vocabulary.labels)
        scores, rivals = scoring.best_words(scoring.similarities(encoded.regions, words), owners, classes)
        image_scores = scoring.best_words(scoring.similarities(encoded.image[None], words), owners, classes)[0][0]
        has_background = read_out.background != "none"
        if read_out.background == "product":
            channels = scoring.with_product_background(
                scoring.product_score(scores, image_scores), read_out.product_threshold
            )
        elif read_out.background == "margin":
            channels = scoring.with_margin_background(scores, rivals, read_out.margin)
        else:
            channels = scores
        if encoded.masks is None:
            class_map = scoring.class_map_of_grid(channels, encoded.grid, encoded.size)
        else:
            class_map = scoring.class_map_of_segments(channels, encoded.masks, encoded.size)
        everything = torch.cat([rivals[:, None], scores], dim=1) if has_background else scores
        names = (BACKGROUND, *vocabulary.labels) if has_background else vocabulary.labels
        sure = _confidence(everything, channels, class_map)
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

    def regions(self, encoded: Encoded) -> Int[np.ndarray, "H W"]:
        """The region of every pixel: its segment, or the patch under it."""
        if encoded.masks is not None:
            count = len(encoded.regions)
            identity = torch.eye(count, device=encoded.regions.device)
            return scoring.class_map_of_segments(identity, encoded.masks, encoded.size).cpu().numpy()
        (h, w), (height, width) = encoded.grid, encoded.size
        rows, columns = np.arange(height) * h // height, np.arange(width) * w // width
        return rows[:, None] * w + columns[None, :]

    def reading(self, **changes: object) -> "Segmenter":
        """The same networks under another read-out: `segmenter.reading(naming="segments")`."""
        return Segmenter(self.encoder, self.teacher, replace(self.read_out, **changes))


def working_size(height: int, width: int, shorter_side: int, multiple: int) -> tuple[int, int]:
    """The size an image is brought to: shorter side `shorter_side`, proportions kept up to 1 to 6, in multiples."""
    aspect = min(LARGEST_ASPECT, max(height, width) / min(height, width))
    short = max(multiple, round(shorter_side / multiple) * multiple)
    long = max(multiple, round(shorter_side * aspect / multiple) * multiple)
    return (long, short) if height > width else (short, long)


def _confidence(
    everything: Float[Tensor, "R C"], channels: Float[Tensor, "R C"], class_map: Int[Tensor, "H W"]
) -> np.ndarray:
    """For each class the mean probability (softmax over all words) of the regions that it wins, 0 where absent.

    A class that wins pixels between the regions but no region gets its best probability anywhere.
    """
    sure = everything.softmax(dim=1)
    winners = torch.nn.functional.one_hot(channels.argmax(dim=1), channels.shape[1]).float()
    won = winners.sum(dim=0)
    mean = (sure * winners).sum(dim=0) / won.clamp(min=1)
    score = torch.where(won > 0, mean, sure.max(dim=0).values)
    present = torch.bincount(class_map.flatten(), minlength=channels.shape[1]) > 0
    return torch.where(present, score, 0.0).cpu().numpy().astype(np.float32)

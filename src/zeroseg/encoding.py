"""Encoded images and words: regions with embeddings in the teacher's space, and embeddings of words.

Students and baselines implement the protocol `ImageEncoder`, so the same code reads and evaluates all of them.

Letters: B image, P patch, S segment, R region (P or S), W word, D embedding width, H W pixels, h w grid cells.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from zeroseg import scoring
from zeroseg.errors import WeightsError
from zeroseg.kept_words import FEWEST, keep_embeddings, kept_embeddings
from zeroseg.student import Student
from zeroseg.student.config import Naming, ReadOut, StudentConfig
from zeroseg.teacher import TextTower

Size = tuple[int, int]  # height, width
KEPT = 16  # lists of words whose embeddings are kept


@dataclass(frozen=True)
class Encoded:
    """What a network found in one image: embeddings in the teacher's space, for any vocabulary and read-out.

    `patches` are the cells of `grid`, row by row; `segments` have soft `masks`. A network has one or both.
    `mean` is the mean of the teacher's embeddings (0 where the network does not know it). Every embedding contains it.
    """

    image: Float[Tensor, " D"]
    patches: Float[Tensor, "P D"] | None
    segments: Float[Tensor, "S D"] | None
    masks: Float[Tensor, "S h w"] | None
    mean: Float[Tensor, " D"]
    grid: Size
    size: Size  # of the picture
    pixels: Float[Tensor, "3 H W"] | None = None  # of the picture, 0..1, small: refinement follows them

    def regions(self, naming: Naming) -> Float[Tensor, "R D"]:
        """The embeddings that get names. Raises `WeightsError` if the network has none of that kind."""
        found = self.patches if naming == "patches" else self.segments
        if found is None:
            raise WeightsError(f"this model has no {naming} to name: choose the other naming, or another model.")
        return found

    def count(self, naming: Naming) -> int:
        """The number of regions that get names. Raises `WeightsError` like `regions`."""
        return len(self.regions(naming))

    def similarities(self, words: Float[Tensor, "W D"], read_out: ReadOut) -> Float[Tensor, "R1 W"]:
        """Cosines x 100 with all words: of each region and, in the last row, of the whole picture.

        Raises `WeightsError` like `regions`.
        """
        taken_out = torch.zeros_like(self.mean) if read_out.keep_mean else self.mean
        regions = self.regions(read_out.naming) - taken_out
        embeddings = torch.cat([regions, (self.image - taken_out)[None]])
        return scoring.similarities(embeddings, words)


@runtime_checkable
class ImageEncoder(Protocol):
    """Anything that finds regions in images: a student, or a read-out of the teacher itself."""

    shorter_side: int  # images are resized to it, pixels
    multiple: int  # both sides must be multiples of it, pixels

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """The regions of each image (values 0..1, sides multiples of `multiple`).

        `sizes`: height and width of the original pictures.
        """
        ...


class StudentEncoder:
    """A student as an encoder: its segment tokens with their masks, and its patch embeddings."""

    def __init__(self, student: Student) -> None:
        self.student = student.eval()
        self.config: StudentConfig = student.config
        self.shorter_side = student.config.inference_size
        self.multiple = student.config.patch_size

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """The regions of each image (see `ImageEncoder`), from one forward pass over all patches of all images."""
        mean = self.student.target_mean
        grid = (pixels.shape[2] // self.multiple, pixels.shape[3] // self.multiple)
        output = self.student(pixels.to(mean.device))
        in_teacher_space = self.student.in_teacher_space
        patches = None if output.patches is None else in_teacher_space(output.patches)
        masks = rearrange(output.masks, "b s (h w) -> b s h w", h=grid[0])
        images, segments = in_teacher_space(output.image), in_teacher_space(output.segments)
        return [
            Encoded(images[n], None if patches is None else patches[n], segments[n], masks[n], mean, grid, size)
            for n, size in enumerate(sizes)
        ]


class Resized:
    """Another encoder, for which pictures are resized to another shorter side, pixels. An `ImageEncoder`."""

    def __init__(self, encoder: ImageEncoder, shorter_side: int) -> None:
        self.encoder, self.shorter_side, self.multiple = encoder, shorter_side, encoder.multiple

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        """The regions of each picture (see `ImageEncoder`)."""
        return self.encoder.encode(pixels, sizes)


def fingerprint(encoder: ImageEncoder) -> str:
    """A hash of an encoder: what it is, the size that it sees, and a student's weights. Its teacher has its own."""
    if isinstance(encoder, Resized):
        return fingerprint(encoder.encoder) + f"-{encoder.shorter_side}"
    method = getattr(encoder, "method", None)  # of read-outs of a teacher; of exported students, the hash of their file
    digest = hashlib.sha256(repr((type(encoder).__name__, method, encoder.shorter_side)).encode())
    weights = encoder.student.state_dict() if isinstance(encoder, StudentEncoder) else {}
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].cpu().numpy().tobytes())
    return digest.hexdigest()


class WordEmbedder:
    """A teacher's embeddings of words. They are computed once for each list of words and kept for the latest lists;
    those of many words are kept on the disk as well (`kept_words`).

    All read-outs of a segmenter share one; several threads may use it at once.
    """

    def __init__(self, teacher: TextTower) -> None:
        self.teacher = teacher
        self._kept: OrderedDict[tuple[tuple[str, ...], tuple[str, ...]], Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, words: Sequence[str], templates: Sequence[str]) -> Float[Tensor, "W D"]:
        """For each word the mean of its embeddings in all templates (such as "a photo of a {}"); not normalised.

        A word is read in the form that the teacher has learned (`Teacher.reading`).
        """
        key = (tuple(words), tuple(templates))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._embed(*key)
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    @torch.inference_mode()
    def _embed(self, words: tuple[str, ...], templates: tuple[str, ...]) -> Float[Tensor, "W D"]:
        prompts = [template.format(self.teacher.reading(word)) for word in words for template in templates]
        return rearrange(self._embedded(prompts), "(w t) d -> w t d", t=len(templates)).mean(dim=1)

    def _embedded(self, prompts: Sequence[str]) -> Float[Tensor, "C D"]:
        """The embeddings of texts; those of many texts are kept on the disk, for later runs."""
        device = self.teacher.device
        if len(prompts) < FEWEST:
            return self.teacher.embed_texts(prompts)
        encoder = f"{self.teacher.text_fingerprint} {device.type}"
        kept = kept_embeddings(encoder, prompts)
        if kept is not None:
            return kept.to(device)
        embeddings = self.teacher.embed_texts(prompts)
        keep_embeddings(encoder, prompts, embeddings)
        return embeddings

"""Segmenting as the authors of a protocol do it: their resizing, windows at any pixel, and scores of pixels.

Elsewhere in this package scores are computed on the grid of patches, once a picture, and interpolated once. The code
that came with SCLIP, TCL, NACLIP and ClearCLIP (all on mmsegmentation) works at the level of pixels, and in another
order; between a softmax and an interpolation the order changes labels. Here it is kept, step by step:

1. The picture is resized with its proportions, bilinearly, without antialiasing, in bytes.
2. Windows begin every `stride` pixels, wherever that is on the grid of patches; the last ones end with the picture.
3. Each window is encoded, and its map is interpolated to its pixels. If it is not of whole patches, it is padded with
   the mean colour (TCL, ClearCLIP), or the rest is not seen and the map is stretched (SCLIP, NACLIP).
4. In overlaps the maps are averaged; the average is interpolated to the size of the original picture.

The maps are cosines with all words, from which scores are computed at the very end (SCLIP, NACLIP, ClearCLIP), or
scores of the classes (TCL). Refinement takes place in each window, before its map is interpolated (TCL), or after the
last step (NACLIP).

Letters: B image, W word, K class with the background first if there is one, M map, R row, H W pixels (H V where W is a
word), h w patches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from zeroseg.baselines.windows import starts
from zeroseg.encoding import Encoded, ImageEncoder, Size, WordEmbedder
from zeroseg.images import ImageSource, load_image, to_tensor
from zeroseg.method_names import Naming
from zeroseg.refine import DILATIONS, refine
from zeroseg.rules import BackgroundRule
from zeroseg.scoring import STRIP, interpolation
from zeroseg.segmentation import BACKGROUND, Segmentation
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.teacher import TextTower
from zeroseg.vocabulary import Vocabulary

LONGEST_SIDE = 2048  # pixels, of a resized picture
Read = Callable[[Tensor], tuple[Tensor, Tensor]]  # from rows of maps (R M) to logits and probabilities (R K)
CELLS = 4  # of a patch along a side: the size of the maps that TCL refines


@dataclass(frozen=True)
class Sliding:
    """How the authors of a protocol see a picture, and in which order they go on.

    `shorter_side`: of the resized picture (None: the model's own). `window`, `stride`: pixels (None: one window).
    `scores`: the rule whose scores are interpolated, as in TCL; with None cosines are, and scores come last. `pads`:
    whether windows are padded to whole patches. `dilations`: of the refinement. `position_offset`: see `DenseReadOut`.
    """

    shorter_side: int | None = None
    window: int | None = None
    stride: int | None = None
    scores: BackgroundRule | None = None
    pads: bool = True
    dilations: tuple[int, ...] = DILATIONS
    position_offset: float = 0.0


@dataclass(frozen=True)
class Part:
    """An encoded window: its place in the resized picture, and how it was padded at the left and at the top."""

    top: int
    left: int
    size: Size
    padding: Size  # left, top
    encoded: Encoded
    pixels: Float[Tensor, "3 H W"]  # with the padding

    @property
    def whole(self) -> Size:
        """The size with the padding."""
        return (self.pixels.shape[1], self.pixels.shape[2])


@dataclass(frozen=True)
class SlidOver(Encoded):
    """A picture that was encoded in windows. Its regions are the whole patches that fit into the resized picture."""

    parts: tuple[Part, ...] = ()

    def count(self, naming: Naming) -> int:
        """The number of regions, whatever the naming is."""
        del naming
        return self.grid[0] * self.grid[1]


class SlidingSegmenter(Segmenter):
    """A segmenter that works in the order of a protocol's authors, from the resizing to the class of every pixel.

    Only `region_map` and `paint`, for the upper bound of regions, are those of `Segmenter`, on whole patches.
    """

    def __init__(
        self, encoder: ImageEncoder, teacher: TextTower, read_out: ReadOut, words: WordEmbedder | None, sliding: Sliding
    ) -> None:
        super().__init__(encoder, teacher, read_out, words)
        self.sliding = sliding

    def reading(self, **changes: Any) -> SlidingSegmenter:
        """The same with another read-out (see `Segmenter.reading`)."""
        return SlidingSegmenter(self.encoder, self.teacher, replace(self.read_out, **changes), self.words, self.sliding)

    @torch.inference_mode()
    def encode_batch(self, images: Sequence[ImageSource]) -> list[Encoded]:
        """The windows of several pictures, in their order. Raises `ImageError` for the first that cannot be read."""
        return [self._encode(to_tensor(load_image(image))) for image in images]

    def _encode(self, picture: UInt8[Tensor, "3 H W"]) -> SlidOver:
        """The windows of a picture."""
        sliding, multiple = self.sliding, self.encoder.multiple
        height, width = picture.shape[1:]
        pixels = resized(picture, rescaled_size(height, width, sliding.shorter_side or self.encoder.shorter_side))
        parts: list[Part] = []
        for top, left, size in windows_of(pixels.shape[1], pixels.shape[2], sliding.window, sliding.stride):
            window, padding = pixels[:, top : top + size[0], left : left + size[1]], (0, 0)
            if sliding.pads or min(size) < multiple:  # without a whole patch there would be nothing to see
                window, padding = padded(window, multiple, self.teacher.mean)
            seen = window[:, : window.shape[1] // multiple * multiple, : window.shape[2] // multiple * multiple]
            (encoded,) = self.encoder.encode(seen[None], [size])
            parts.append(Part(top, left, size, padding, encoded, window.to(encoded.image.device)))
        image = torch.stack([part.encoded.image for part in parts]).mean(dim=0)
        grid = (max(1, pixels.shape[1] // multiple), max(1, pixels.shape[2] // multiple))
        mean, pixels = parts[0].encoded.mean, pixels.to(image.device)
        return SlidOver(image, None, None, None, mean, grid, (height, width), pixels, parts=tuple(parts))

    @torch.inference_mode()
    def name(
        self,
        encoded: Encoded,
        vocabulary: Vocabulary,
        read_out: ReadOut | None = None,
        kept: Bool[np.ndarray, " C"] | None = None,
    ) -> Segmentation:
        """Give every pixel the best name of a vocabulary, in the order of the authors (see `Segmenter.name`).

        The authors leave out no label: `kept` must be None.
        """
        assert isinstance(encoded, SlidOver)
        assert kept is None
        read_out = read_out or self.read_out
        rule = read_out.background
        first = self.sliding.scores is not None
        maps, read = (self._score_maps if first else self._cosine_maps)(encoded, vocabulary, read_out)
        at_once = rule.sees_whole_picture
        labels = (BACKGROUND, *vocabulary.labels) if rule.has_background else vocabulary.labels
        ids, score = named(maps, encoded.size, read, len(labels), at_once)
        return Segmentation(labels, ids.cpu().numpy().astype("uint16"), score.cpu().numpy(), rule.has_background)

    def _cosine_maps(
        self, encoded: SlidOver, vocabulary: Vocabulary, read_out: ReadOut
    ) -> tuple[Float[Tensor, "W H V"], Read]:
        """Cosines with all words, refined if the read-out says so, and the rule that reads them pixel by pixel."""
        words, class_ids, is_stuff = self._embedded(vocabulary, read_out)
        found = [part.encoded.similarities(words, read_out) for part in encoded.parts]
        image = torch.stack([rows[-1] for rows in found]).mean(dim=0)
        maps = _averaged(
            encoded,
            [
                _interpolated(_on_the_grid(part.encoded, rows, read_out), part.whole)
                for part, rows in zip(encoded.parts, found, strict=True)
            ],
        )
        if read_out.refinement and encoded.pixels is not None:
            pixels = _interpolated(encoded.pixels, encoded.size)
            maps = refine(maps, pixels, read_out.refinement, self.sliding.dilations)
        rule = read_out.background

        def read(rows: Float[Tensor, "R W"]) -> tuple[Float[Tensor, "R K"], Float[Tensor, "R K"]]:
            scores = rule.class_scores(torch.cat([rows, image[None]]), class_ids, is_stuff)
            return rule.logits(scores), rule.probabilities(scores)

        return maps, read

    def _score_maps(
        self, encoded: SlidOver, vocabulary: Vocabulary, read_out: ReadOut
    ) -> tuple[Float[Tensor, "K H V"], Read]:
        """Scores of the classes, refined in each window if the read-out says so; they are read as they are."""
        has_background = read_out.background.has_background
        rule = read_out.background if has_background or self.sliding.scores is None else self.sliding.scores
        words, class_ids, is_stuff = self._embedded(vocabulary, read_out)
        maps: list[Float[Tensor, "K H V"]] = []
        for part in encoded.parts:
            rows = part.encoded.similarities(words, read_out)
            logits = rule.logits(rule.class_scores(rows, class_ids, is_stuff))
            found = _on_the_grid(part.encoded, logits if has_background else logits[:, 1:], read_out)
            if read_out.refinement:
                fine = (CELLS * found.shape[1], CELLS * found.shape[2])
                pixels = F.interpolate(part.pixels[None], fine, mode="bilinear", align_corners=True)[0]
                found = refine(found, pixels, read_out.refinement, self.sliding.dilations)
            maps.append(_interpolated(found, part.whole))
        return _averaged(encoded, maps), lambda rows: (rows, rows)


def named(
    maps: Float[Tensor, "M h w"], size: Size, read: Read, classes: int, at_once: bool = False, strip: int = STRIP
) -> tuple[Int[Tensor, "H W"], Float[Tensor, " K"]]:
    """The class of every pixel of `size`, and the mean probability of each class where it is (0 if it is nowhere).

    The maps are interpolated to `size` in strips of rows of about `strip` numbers, or all at once if `at_once`.
    """
    same = tuple(maps.shape[1:]) == size
    down, across = (
        interpolation(cells, pixels, maps.device) for cells, pixels in zip(maps.shape[1:], size, strict=True)
    )
    wide = maps if same else maps @ across.T
    height = size[0] if at_once else max(1, strip // (len(maps) * size[1]))
    ids: list[Int[Tensor, "r W"]] = []
    total, count = maps.new_zeros(classes), maps.new_zeros(classes)
    for top in range(0, size[0], height):
        some = slice(top, top + height)
        strip_maps = wide[:, some] if same else torch.einsum("oh,mhw->mow", down[some], wide)
        logits, likely = read(strip_maps.flatten(1).T)
        best = logits.argmax(dim=1)
        total.index_add_(0, best, likely.gather(1, best[:, None])[:, 0])
        count += torch.bincount(best, minlength=classes)
        ids.append(best.view(-1, size[1]))
    return torch.cat(ids), total / count.clamp(min=1)


def rescaled_size(height: int, width: int, shorter_side: int) -> Size:
    """The size of a picture whose shorter side becomes `shorter_side`, its longer one at most 2048, as in mmcv."""
    factor = min(shorter_side / min(height, width), LONGEST_SIDE / max(height, width))
    return max(1, int(height * factor + 0.5)), max(1, int(width * factor + 0.5))


def resized(picture: UInt8[Tensor, "3 H W"], size: Size) -> Float[Tensor, "3 h w"]:
    """Resized bilinearly without antialiasing and rounded to bytes, as OpenCV does by default; values 0..1."""
    return _interpolated(picture.float(), size).round() / 255


def windows_of(height: int, width: int, window: int | None, stride: int | None) -> list[tuple[int, int, Size]]:
    """Top, left and size of all windows, row by row. A picture that is smaller than a window is not enlarged."""
    if window is None or stride is None:
        return [(0, 0, (height, width))]
    down, across = min(window, height), min(window, width)
    return [
        (top, left, (down, across)) for top in starts(height, down, stride) for left in starts(width, across, stride)
    ]


def padded(
    pixels: Float[Tensor, "3 H W"], multiple: int, colour: Float[Tensor, "3 1 1"]
) -> tuple[Float[Tensor, "3 h w"], Size]:
    """Pixels in the middle of a picture whose sides are multiples of `multiple`; how much was added left and above.

    The authors pad with 0 after normalising, which is the mean colour.
    """
    down, across = (-side % multiple for side in pixels.shape[1:])
    if not down and not across:
        return pixels, (0, 0)
    left, top = across // 2, down // 2
    colour = colour.to(pixels)
    return F.pad(pixels - colour, (left, across - left, top, down - top)) + colour, (left, top)


def _on_the_grid(encoded: Encoded, rows: Float[Tensor, "R M"], read_out: ReadOut) -> Float[Tensor, "M h w"]:
    """Maps of a window's patches from the rows of its regions. By segment, a patch has the row of its segment."""
    count = encoded.count(read_out.naming)
    cells = rows[:count]
    if read_out.naming == "segments" and encoded.masks is not None:
        cells = cells[encoded.masks.argmax(dim=0).flatten()]
    return cells.T.unflatten(1, encoded.grid)


def _averaged(encoded: SlidOver, maps: Sequence[Float[Tensor, "M _ _"]]) -> Float[Tensor, "M H W"]:
    """The mean of the windows' maps at every pixel of the resized picture, without their padding."""
    assert encoded.pixels is not None
    total = maps[0].new_zeros(len(maps[0]), *encoded.pixels.shape[1:])
    times = torch.zeros_like(total[0])
    for part, found in zip(encoded.parts, maps, strict=True):
        (height, width), (left, top) = part.size, part.padding
        place = slice(part.top, part.top + height), slice(part.left, part.left + width)
        total[:, *place] += found[:, top : top + height, left : left + width]
        times[place] += 1
    return total / times


def _interpolated(maps: Float[Tensor, "M h w"], size: Size) -> Float[Tensor, "M H W"]:
    """Bilinearly, from cell centres to pixel centres."""
    return F.interpolate(maps[None], size, mode="bilinear", align_corners=False)[0]

"""From embeddings to names: similarities, background rules, class maps. Pure functions.

Letters: R region (a segment, or a patch), W word, C class, M map, D embedding width, h w grid cells, H W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

SCALE = 100.0  # the unit of similarities, scores and margins is cosine x 100: the logits of CLIP's softmax
SOFTNESS = 5.0  # a score higher by this makes a class e times as probable
TOP_CLASSES = 5
TINY = 1e-6  # the least variance of similarities (cosines x 100)
STRIP = 1 << 21  # numbers that are interpolated at once: 8 MB, which the caches of a processor hold
WIDE = 1 << 24  # numbers of maps that are interpolated across, and not yet down, at once
MANY = 64  # with more maps than this, those that cannot win are not interpolated at all


def similarities(regions: Float[Tensor, "R D"], words: Float[Tensor, "W D"]) -> Float[Tensor, "R W"]:
    """Cosines x 100."""
    return SCALE * F.normalize(regions, dim=-1) @ F.normalize(words, dim=-1).T


def best_words(
    scores: Float[Tensor, "R W"], class_ids: Sequence[int], classes: int
) -> tuple[Float[Tensor, "R C"], Float[Tensor, " R"]]:
    """The highest score of the words of each class, and of the background words (class -1; -inf if there is none)."""
    lowest = scores.new_full((len(scores), classes + 1), -torch.inf)
    index = torch.tensor([number + 1 for number in class_ids], device=scores.device)
    best = lowest.scatter_reduce(1, index.expand(len(scores), -1), scores, "amax", include_self=False)
    return best[:, 1:], best[:, 0]


def moments(
    scores: Float[Tensor, "R N"], counted: Float[Tensor, "N C"]
) -> tuple[Float[Tensor, "R C"], Float[Tensor, "R C"]]:
    """Mean and standard deviation of the scores of some words in each region, for each class.

    `counted`: 1 for the words that count for a class, else 0; at least one must.
    """
    count = counted.sum(dim=0)
    mean = scores @ counted / count
    variance = scores.square() @ counted / count - mean.square()
    return mean, variance.clamp(min=TINY).sqrt()


def product_score(scores: Float[Tensor, "R C"], image_scores: Float[Tensor, " C"]) -> Float[Tensor, "R C"]:
    """GroupViT's score, 0..1: softmax over all classes times softmax over the image's best five classes."""
    top = image_scores.topk(min(TOP_CLASSES, len(image_scores))).indices
    among = torch.zeros_like(scores).scatter(1, top.expand(len(scores), -1), scores[:, top].softmax(dim=1))
    return scores.softmax(dim=1) * among


def with_product_background(score: Float[Tensor, "R C"], threshold: float) -> Float[Tensor, "R C1"]:
    """A background column before the classes: a little less than `threshold`, and than the best score of the image.

    The limit is GroupViT's: so at least one region keeps its label. A label keeps a region where it just reaches the
    limit; therefore the column is the next smaller number.
    """
    limit = score.max().clamp(max=threshold)
    level = torch.nextafter(limit, torch.full_like(limit, -torch.inf))
    return torch.cat([level.expand(len(score), 1), score], dim=1)


def label_offsets(is_stuff: Bool[Tensor, " C"], margin: float) -> Float[Tensor, " C"]:
    """Offsets that are added to the scores of labels: `margin` for labels that are background words, else 0."""
    return torch.where(is_stuff, margin, 0.0)


def with_margin_background(
    scores: Float[Tensor, "R C"], background: Float[Tensor, " R"], margin: float
) -> Float[Tensor, "R C1"]:
    """A background column before the classes: the score of the best background word plus `margin` (cosine x 100).

    Without background words (-inf) the margin is the score that a label must reach.
    """
    level = torch.where(background.isinf(), 0.0, background) + margin
    return torch.cat([level[:, None], scores], dim=1)


def without_absent(scores: Float[Tensor, "R C1"], presence: float, always: Bool[Tensor, " C"]) -> Float[Tensor, "R C1"]:
    """Labels that exceed the background (column 0) nowhere by `presence` score -inf everywhere; not those in `always`.

    A softmax makes that 0. With a presence of 0 all scores stay.
    """
    if not presence:
        return scores
    absent = ((scores[:, 1:] - scores[:, :1]).amax(dim=0) < presence) & ~always
    return torch.where(F.pad(absent, (1, 0)), -torch.inf, scores)


def softmax_score(similarities: Float[Tensor, "R W"], scale: float) -> Float[Tensor, "R W"]:
    """The probability of every word, background words included, 0..1: softmax of `scale` x cosine (SCLIP)."""
    return (similarities * (scale / SCALE)).softmax(dim=1)


def sigmoid_score(scores: Float[Tensor, "*R"], slope: float, middle: float) -> Float[Tensor, "*R"]:
    """The probability of each class independently, 0..1: sigmoid of `slope` x (cosine - `middle`) (TCL, SigLIP)."""
    return (slope * (scores / SCALE - middle)).sigmoid()


def with_level_background(
    scores: Float[Tensor, "R C"], background: Float[Tensor, " R"], level: float
) -> Float[Tensor, "R C1"]:
    """A background column before the classes: the score of the best background word, but at least `level`."""
    return torch.cat([background.clamp(min=level)[:, None], scores], dim=1)


def without_small_classes(
    labels: Float[Tensor, "R C"], background: Float[Tensor, " R"], area: float
) -> Float[Tensor, "R C"]:
    """Scores, 0 for labels that win at most the fraction `area` of all regions that any label wins (SCLIP)."""
    if not area:
        return labels
    winners = torch.cat([background[:, None], labels], dim=1).argmax(dim=1)
    won = torch.bincount(winners, minlength=labels.shape[1] + 1)[1:]
    return labels * (won > area * won.sum())


def class_map(
    maps: Float[Tensor, "M h w"], values: Int[Tensor, " M"], size: tuple[int, int], strip: int = STRIP
) -> Int[Tensor, "H W"]:
    """For every pixel the value of the highest map there; the maps are interpolated bilinearly.

    `maps` are scores of classes, or soft masks of segments; `values` are the classes of the maps. `strip`: how many
    numbers are interpolated at once.
    """
    if len(maps) > MANY:
        places = winners(maps, size)
        maps, values = maps[places], values[places]
    return _best_map(maps, values, size, strip)


def probabilities(scores: Float[Tensor, "R C"]) -> Float[Tensor, "R C"]:
    """Scores (cosines x 100) as probabilities that may be averaged over places: a softmax with scores / `SOFTNESS`."""
    return (scores / SOFTNESS).softmax(dim=1)


def confidence(
    likely: Float[Tensor, "R C"], logits: Float[Tensor, "R C"], class_map: Int[Tensor, "H W"]
) -> Float[Tensor, " C"]:
    """For each class the mean probability (`likely`) of the regions that it wins in `logits`, 0 if it is absent.

    A class that wins no region, but pixels between regions, gets its highest probability in any region.
    """
    wins = F.one_hot(logits.argmax(dim=1), logits.shape[1]).float()
    won = wins.sum(dim=0)
    mean = (likely * wins).sum(dim=0) / won.clamp(min=1)
    score = torch.where(won > 0, mean, likely.max(dim=0).values)
    present = torch.zeros_like(won, dtype=torch.bool)
    for some in class_map.split(max(1, STRIP // class_map.shape[1])):
        present |= torch.bincount(some.flatten(), minlength=logits.shape[1]) > 0
    return torch.where(present, score, 0.0)


def winners(maps: Float[Tensor, "M h w"], size: tuple[int, int]) -> Int[Tensor, " W"]:
    """The maps that are the highest somewhere, at `size` or at eight pixels a cell, whichever is smaller."""
    height, width = maps.shape[1:]
    preview = (min(size[0], 8 * height), min(size[1], 8 * width))
    some = contenders(maps) if len(maps) > MANY else torch.arange(len(maps), device=maps.device)
    return _best_map(maps[some], some, preview).long().unique()


def contenders(maps: Float[Tensor, "M h w"]) -> Int[Tensor, " W"]:
    """The maps that may be the highest somewhere if they are interpolated bilinearly, to whatever size.

    Between four neighbouring cells no map is highest that is lower in all four than one other map, or than the mean of
    several. It is compared with the highest map of each cell, and with the mean of these four.
    """
    (_, h, w), padded = maps.shape, F.pad(maps[None].float(), (0, 1, 0, 1), mode="replicate")[0]
    corners = [(slice(down, down + h), slice(across, across + w)) for down in (0, 1) for across in (0, 1)]
    values, highest = [padded[:, rows, columns] for rows, columns in corners], padded.argmax(dim=0)
    leaders = [torch.stack([v.gather(0, highest[None, rows, columns])[0] for v in values]) for rows, columns in corners]
    beaten = torch.zeros(maps.shape, dtype=torch.bool, device=maps.device)
    for leader in (*leaders, torch.stack(leaders).mean(dim=0)):
        lower = values[0] < leader[0]
        for value, best in zip(values[1:], leader[1:], strict=True):
            lower &= value < best
        beaten |= lower
    return (~beaten.flatten(1).all(dim=1)).nonzero().flatten()


def _best_map(
    maps: Float[Tensor, "M h w"], values: Int[Tensor, " M"], size: tuple[int, int], strip: int = STRIP
) -> Int[Tensor, "H W"]:
    """For every pixel of `size` the value of the highest map there, 16 bits if all values fit.

    Strips of rows are computed one after the other, and those of a very wide picture column by column, to save memory.
    """
    maps = maps.float()
    (count, h, w), (height, width) = maps.shape, size
    values = values.to(torch.int16 if not len(values) or values.max() < 1 << 15 else torch.int32)
    best = torch.empty(size, dtype=values.dtype, device=maps.device)
    columns = min(width, max(1, WIDE // (count * h)))
    rows = max(1, strip // (count * columns))
    for left in range(0, width, columns):
        right = min(width, left + columns)
        wide = maps @ interpolation(w, width, maps.device, range(left, right)).T  # M h W
        for top in range(0, height, rows):
            bottom = min(height, top + rows)
            down = interpolation(h, height, maps.device, range(top, bottom))
            near = _cells(h, height, top, bottom)  # all others have no weight: many times faster
            part = torch.einsum("oh,mhw->mow", down[:, near], wide[:, near])
            best[top:bottom, left:right] = values[part.max(dim=0).indices]  # three times as fast as argmax
    return best


def _cells(cells: int, pixels: int, start: int, stop: int) -> slice:
    """The cells that have a weight in the interpolation of the pixels from `start` to `stop`; perhaps some more."""
    return slice(max(0, math.floor(start * cells / pixels) - 1), min(cells, math.ceil(stop * cells / pixels) + 1))


def interpolation(
    cells: int, pixels: int, device: torch.device, wanted: range | None = None
) -> Float[Tensor, "wanted cells"]:
    """Weights of linear interpolation from cell centres to pixel centres (`align_corners=False`); edges repeat.

    `wanted`: the pixels, neighbouring ones, for which the weights are wanted; by default all.
    """
    start, stop = (0, pixels) if wanted is None else (wanted.start, wanted.stop)
    places = ((torch.arange(start, stop, device=device) + 0.5) * cells / pixels - 0.5).clamp(0, cells - 1)
    return (1 - (places[:, None] - torch.arange(cells, device=device)).abs()).clamp(min=0)

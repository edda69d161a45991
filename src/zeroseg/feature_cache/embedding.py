"""The teacher's embeddings of views: they are cut on the teacher's device, and embedded many at a time.

Letters: N image, V view, D embedding width.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from zeroseg.images import resize
from zeroseg.teacher import Teacher
from zeroseg.views import ViewsConfig, grid_boxes


def embed_views(
    teacher: Teacher, views: ViewsConfig, squares: Float[Tensor, "N 3 side side"] | UInt8[Tensor, "N 3 side side"]
) -> Float[Tensor, "N V D"]:
    """The teacher's embeddings of all views of square images `views.side` pixels wide (0..1, or bytes)."""
    squares = squares.to(teacher.device)
    pixels = squares if squares.is_floating_point() else squares.float() / 255
    by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
    boxes = views.boxes()
    for number, (left, top, right, bottom) in enumerate(boxes):
        by_shape[bottom - top, right - left].append(number)
    out = torch.empty(len(squares), len(boxes), teacher.width, device=teacher.device)
    for numbers in by_shape.values():
        crops = torch.stack([pixels[:, :, boxes[n][1] : boxes[n][3], boxes[n][0] : boxes[n][2]] for n in numbers], 1)
        embedded = teacher.embed_images(crops.flatten(0, 1))
        out[:, numbers] = embedded.view(len(squares), len(numbers), -1)
    return out.cpu()


def embed_own_views(
    teacher: Teacher, views: ViewsConfig, squares: Sequence[UInt8[Tensor, "3 _ _"]]
) -> Float[Tensor, "N V D"]:
    """The teacher's embeddings of all views, cut from squares of any size (bytes): `ViewsConfig.own_resolution`.

    A square is resized once for each grid of n x n views, to n times the teacher's input, so every view has the size of
    that input and is resized no more. Views of all squares are embedded together.
    """
    parts = list[Tensor]()
    for n in views.grids:
        side = n * teacher.size
        resized = torch.stack([resize(square.to(teacher.device), (side, side)) for square in squares])
        boxes = grid_boxes(side, n, views.overlapping)
        crops = torch.stack([resized[:, :, top:bottom, left:right] for left, top, right, bottom in boxes], 1)
        parts.append(teacher.embed_images(crops.flatten(0, 1)).view(len(squares), len(boxes), -1))
    return torch.cat(parts, dim=1).cpu()


def most_pixels(teacher: Teacher, views: ViewsConfig) -> int:
    """The side of the largest square that any view needs, pixels: larger ones are made smaller when they are read."""
    return max(views.grids) * teacher.size

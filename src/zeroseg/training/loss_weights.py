"""The weight of each loss of distillation."""

from __future__ import annotations

from dataclasses import dataclass

from zeroseg.errors import ConfigError


@dataclass(frozen=True)
class LossWeights:
    """The weight of each loss; 0 leaves it out.

    The paper names the first three and gives no weights. With distances that are means over dimensions (not sums) the
    losses have similar sizes, so we read it as a weight of 1 for each.
    """

    reconstruction: float = 1.0
    distillation: float = 1.0
    matching: float = 1.0
    overlap: float = 0.0
    patch_view: float = 0.0
    dense: float = 0.0
    dense_cosine: float = 0.0
    """The cosine distance to the targets of `dense`, whose own distance is L1."""
    window: float = 0.0
    """L1 to the teacher's own dense read-out, averaged over windows (`dense_targets`)."""
    window_cosine: float = 0.0
    """The cosine distance to the same."""

    def __post_init__(self) -> None:
        """Raises `ConfigError` for a weight below 0."""
        for name, weight in vars(self).items():
            if not weight >= 0:
                raise ConfigError(f"the weight of the loss {name} must be 0 or more, not {weight:g}.")

    @property
    def use_windows(self) -> bool:
        """Whether the teacher's dense read-out is needed."""
        return bool(self.window or self.window_cosine)

    @property
    def use_views(self) -> bool:
        """Whether the teacher's embeddings of views are needed."""
        return any((self.distillation, self.matching, self.overlap, self.patch_view, self.dense, self.dense_cosine))

    @property
    def of_patches(self) -> bool:
        """Whether a patch head is needed."""
        return any((self.overlap, self.patch_view, self.dense, self.dense_cosine, self.use_windows))

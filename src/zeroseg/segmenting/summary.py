"""What a run has found, counted photo by photo."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from zeroseg.segmentation import BACKGROUND
from zeroseg.segmenting.tasks import Outcome


@dataclass
class Summary:
    """Counts of a run: photos, photos with each label, failures, and seconds.

    `area`: the sum of a label's fractions of the pictures it was found in. `failed`: photo and reason.
    `more_frames`: photos of which only the first of several frames was segmented.
    """

    labels: tuple[str, ...]
    done: int = 0
    stood: int = 0
    more_frames: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    photos: Counter[str] = field(default_factory=Counter[str])
    area: Counter[str] = field(default_factory=Counter[str])
    begun: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count a photo."""
        self.seconds = time.monotonic() - self.begun
        if outcome.error is not None:
            self.failed.append((str(outcome.found.path), str(outcome.error)))
            return
        self.stood += outcome.stood
        self.more_frames += outcome.more_frames
        self.done += not outcome.stood
        for row in outcome.labels:
            if row["fraction"] > 0 and row["label"] != BACKGROUND:
                self.photos[row["label"]] += 1
                self.area[row["label"]] += row["fraction"]

    @property
    def seconds_each(self) -> float:
        """Seconds for each photo that was segmented now."""
        return self.seconds / max(self.done, 1)

    def rows(self) -> list[tuple[str, int, float]]:
        """Label, photos in which it was found, and its mean fraction of them; most photos first."""
        found = sorted(self.labels, key=lambda label: (-self.photos[label], -self.area[label]))
        return [(label, self.photos[label], self.area[label] / max(self.photos[label], 1)) for label in found]

    def as_json(self) -> dict[str, Any]:
        """Every figure, as plain JSON values."""
        return {
            "segmented": self.done,
            "stood": self.stood,
            "failed": [{"photo": photo, "error": error} for photo, error in self.failed],
            "seconds": round(self.seconds, 3),
            "seconds_a_photo": round(self.seconds_each, 4) if self.done else None,
            "labels": [
                {"label": label, "photos": photos, "mean_fraction": round(mean, 6)}
                for label, photos, mean in self.rows()
            ],
        }

"""The margin that `zeroseg evaluate` measures with: the model's own, tuned on masks, or calibrated without any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zeroseg.dataset_names import PICTUREBOOKS, SplitName, unit_of
from zeroseg.errors import DatasetError
from zeroseg.evaluation import Dataset, calibrate_margin, open_dataset, open_tuning_set, tune_margin
from zeroseg.evaluation.masks import MaskOptions
from zeroseg.segmenter import Segmenter
from zeroseg.vocabulary import Vocabulary

IMAGES = 100


@dataclass(frozen=True)
class Margins:
    """Where margins come from when `split` of a data set is measured with these words."""

    dataset: str
    split: SplitName | None
    folder: Path | None
    vocabulary: Vocabulary
    masks: MaskOptions | None = None

    def tuned(self, segmenter: Segmenter) -> tuple[Segmenter, str]:
        """With the margin that is best on images whose masks are looked at, and on which; as it is without them."""
        try:
            images = open_tuning_set(self.dataset, self.split, IMAGES, self.folder, self.masks)
        except DatasetError as error:
            print(f"the margin stays {segmenter.read_out.margin:g}, not tuned: {error}", flush=True)
            return segmenter, ""
        which = f"{len(images)} {'validation' if self.dataset in PICTUREBOOKS else 'train'} {unit_of(self.dataset)}"
        print(f"tuning the margin on {which}", flush=True)
        return tune_margin(segmenter, images, vocabulary=self.vocabulary), f"tuned on {which}"

    def calibrated(self, segmenter: Segmenter) -> tuple[Segmenter, str]:
        """With a margin calibrated on images whose masks are not looked at, and on which."""
        images, which = self._unlabelled()
        print(f"calibrating the margin on {which}, without their masks", flush=True)
        calibrated = calibrate_margin(segmenter, (sample.image for sample in images), self.vocabulary)
        return calibrated, f"calibrated on {which}, without masks"

    def _unlabelled(self) -> tuple[Dataset, str]:
        """Other images than those that are measured, where there are any."""
        if self.dataset in PICTUREBOOKS:
            scenes = open_dataset(self.dataset, "unlabelled", IMAGES)
            return scenes, f"{len(scenes)} unlabelled scenes"
        try:
            images = open_tuning_set(self.dataset, self.split, IMAGES, self.folder, self.masks)
            return images, f"{len(images)} train images"
        except DatasetError:
            images = open_dataset(self.dataset, self.split, IMAGES, self.folder, self.masks)
            return images, f"{len(images)} of the measured images"

"""The PNG maps of COCO-Stuff, which two benchmarks use.

Images of COCO 2017 in val2017/ or images/val2017/; maps (stuffthingmaps_trainval2017.zip) in annotations/val2017/,
stuffthingmaps/val2017/ or val2017/ (with the images). A map's number is COCO's category minus 1: things 0..89, stuff
91..181, 255 for pixels without a label. COCO never used eleven of the numbers.
"""

from __future__ import annotations

from pathlib import Path

from zeroseg.evaluation.download import Download

REMEDY = "get the maps at https://github.com/nightrome/cocostuff and the images at https://cocodataset.org/#download"
UNUSED = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)  # street sign, hat, shoe, ... hair brush
THINGS = tuple(number for number in range(91) if number not in UNUSED)
STUFF = tuple(range(91, 182))


def map_pairs(name: str, folder: Path, split: str) -> list[tuple[str, Path, Path]]:
    """Name, image and map of all images of a split. Raises `DatasetError` if files are missing."""
    download = Download(name, folder, REMEDY)
    part = f"{split}2017"
    images = download.files(".jpg", part, f"images/{part}")
    maps = download.files(".png", f"annotations/{part}", f"stuffthingmaps/{part}", part)
    # Converters write other maps into the same folder: 000000000139_labelTrainIds.png.
    names = sorted(name for name in images.keys() | maps.keys() if "TrainIds" not in name)
    return download.pairs(names, images, maps)

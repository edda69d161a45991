"""Data sets in the JSON of COCO: instances (polygons, run lengths), and panoptic segments (with a folder of PNGs).

annotations/instances_val2017.json with the images in val2017/ or images/val2017/, and annotations/panoptic_val2017.json
with its PNGs in annotations/panoptic_val2017/. A user's own data has the same forms: instances.json, or panoptic.json
with its PNGs in panoptic/, and images/; or the path of a JSON instead of the folder, its PNGs in a folder of its name.
`coco_file` says how images are found. Classes are the JSON's categories by name, in the order of their ids. Categories
with the same name are one class; the category "background", if there is one, is the background.

- Instances are drawn into a class map: crowds first, then objects, small ones over large ones. All other pixels are
  background (class 0). `coco_masks` decodes the masks with pycocotools, an extra (`coco`).
- Panoptic segments have all categories, with crowds; number 0 (void) is ignored.

Ignored categories (`MaskOptions.ignore`, by their ids) are not classes. If no category has the id 0, ignoring 0 ignores
the pixels without annotation: then instances have no background.

Letters: H W pixels.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import Bool, UInt16
from PIL import Image

from zeroseg.errors import DatasetError, ImageError
from zeroseg.evaluation.class_names import ClassNames, names_from
from zeroseg.evaluation.coco_file import CocoFile, Picture, Record, find_file, finite, key_of, malformed, read_coco
from zeroseg.evaluation.coco_masks import decoded, has_no_pixels, mask_api
from zeroseg.evaluation.download import Download
from zeroseg.evaluation.labelled_images import Item, LabelledImages
from zeroseg.evaluation.masks import MaskOptions, Numbering
from zeroseg.images import load_image, upright_turn
from zeroseg.segmentation import IGNORE
from zeroseg.vocabulary import BACKGROUND, label_key

REMEDY = "get the data at https://cocodataset.org/#download"
NOTHING = "0"  # the id for pixels without annotation: void
BACK = {Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90}


@dataclass(frozen=True)
class _Classes:
    """Class ids by category, the class of pixels without annotation, and names without the background's."""

    path: Path
    ids: Mapping[str, int]
    nothing: int
    names: ClassNames
    has_background: bool

    def numbering(self) -> str:
        """Everything but the PNGs on which the numbers of truths depend: the JSON by size and time of change."""
        stat = self.path.stat()
        return repr((self.ids, self.nothing, stat.st_size, stat.st_mtime_ns))

    def of(self, record: Record, name: str) -> int:
        """The class of an annotation or segment in an image."""
        category = record.get("category_id")
        try:
            return self.ids[key_of(category)]
        except (KeyError, TypeError) as error:
            raise DatasetError(
                f"{str(self.path)!r} has no category {category!r}, but annotation {record.get('id')} of {name!r} has "
                "it: correct the file."
            ) from error


def open_coco_instances(
    folder: Path, split: str = "val", size: int | None = None, masks: MaskOptions | None = None
) -> LabelledImages:
    """The split's first `size` images by file name, or all. Raises `DatasetError` if no file of a kind is found."""
    options, api = masks or MaskOptions(), mask_api()
    file = _read("instances", folder, split)
    classes = _classes(file, options.ignore or (), nothing_is_a_class=True)
    text = classes.numbering()
    items = [
        Item(one.name, one.path, file.path, partial(_painted, classes, one, api), text, False, _without_pixels(one))
        for one in file.pictures[:size]
    ]
    return LabelledImages("coco-instances", classes.names, classes.has_background, items, options.fit)


def open_coco_panoptic(
    folder: Path, split: str = "val", size: int | None = None, masks: MaskOptions | None = None
) -> LabelledImages:
    """The split's first `size` images by file name, or all. Raises `DatasetError` if no file of a kind is found."""
    options, file = masks or MaskOptions(), _read("panoptic", folder, split)
    classes = _classes(file, options.ignore or (), nothing_is_a_class=False)
    pngs = file.path.with_suffix("")
    try:
        found = {
            one.name: find_file(one.annotations[0]["file_name"], [pngs, pngs.parent])
            for one in file.pictures
            if one.annotations
        }
    except (KeyError, TypeError) as error:
        raise malformed(file.path, error) from error
    drawn = {name: mask for name, mask in found.items() if mask is not None}
    if not drawn:
        Download("coco-panoptic", _folder(folder), REMEDY).expect("masks", [one.name for one in file.pictures], drawn)
    paths = {one.name: drawn.get(one.name) or pngs / _png_of(one) for one in file.pictures[:size]}
    text = classes.numbering()
    items = [
        Item(one.name, one.path, paths[one.name], partial(_read_segments, classes, one, paths[one.name]), text, True)
        for one in file.pictures[:size]
    ]
    return LabelledImages("coco-panoptic", classes.names, classes.has_background, items, options.fit)


def _folder(given: Path) -> Path:
    return given.parent if given.is_file() else given


def _read(kind: str, given: Path, split: str) -> CocoFile:
    """The JSON in a data set's folder, or the given JSON."""
    folder = _folder(given)
    download = Download(f"coco-{kind}", folder, REMEDY)
    if given.is_file():
        if split != "val":
            raise DatasetError(f"{download.name}: {str(given)!r} is a single file without splits: leave {split!r} out.")
        return read_coco(given, download, _beside(given))
    official, own = f"annotations/{kind}_{split}2017.json", f"{kind}.json"
    path = download.file(official, own) if split == "val" else download.file(official)
    is_own = path == folder / own
    images = download.directory("images") if is_own else download.directory(f"{split}2017", f"images/{split}2017")
    return read_coco(path, download, [images, folder, *_beside(path)])


def _beside(path: Path) -> list[Path]:
    """The folders in which images are searched relative to their JSON."""
    here, above = path.parent, path.resolve().parent.parent
    return [here / "images", here, above / "images", above]


def _classes(file: CocoFile, ignored: Collection[int], nothing_is_a_class: bool) -> _Classes:
    """The classes of the categories. Raises `DatasetError` for an ignored category that does not exist."""
    left_out = {str(number) for number in ignored}
    unknown = left_out - file.categories.keys() - {NOTHING}
    if unknown:
        raise DatasetError(f"{str(file.path)!r} has no category {min(unknown)}, so it cannot be ignored.")
    named = {key: name for key, name in file.categories.items() if key not in left_out}
    if nothing_is_a_class and NOTHING in left_out and NOTHING not in file.categories:
        nothing_is_a_class = False
    has_background = nothing_is_a_class or any(label_key(name) == BACKGROUND for name in named.values())
    names: dict[str, str] = {}
    for name in named.values():
        if label_key(name) != BACKGROUND:
            names.setdefault(label_key(name), name)
    places = {key: place for place, key in enumerate(names, start=int(has_background))} | {BACKGROUND: 0}
    ids = {key: places[label_key(name)] for key, name in named.items()} | dict.fromkeys(sorted(left_out), IGNORE)
    nothing = 0 if nothing_is_a_class else IGNORE
    return _Classes(file.path, ids, nothing, names_from(file.path, list(names.values())), has_background)


# --- instances ----------------------------------------------------------------------------------


def _painted(classes: _Classes, picture: Picture, api: ModuleType) -> UInt16[np.ndarray, "H W"]:
    """The class map of an image: crowds, then objects from large to small, each drawn over the ones before."""
    if picture.problem:
        raise DatasetError(picture.problem)
    shape = picture.size or load_image(picture.path).size[::-1]
    truth = np.full(shape, classes.nothing, np.uint16)
    layers: list[tuple[bool, float, int, Bool[np.ndarray, "H W"]]] = []
    for annotation in picture.annotations:
        if has_no_pixels(annotation):
            continue
        number = classes.of(annotation, picture.name)
        try:
            mask = decoded(annotation, shape, api)
            layers.append((not _is_crowd(annotation), -_area(annotation, mask), number, mask))
        except Exception as error:  # pycocotools raises many kinds of errors
            raise DatasetError(
                f"{str(classes.path)!r}: annotation {annotation.get('id')} of {picture.name!r} has no mask that can be "
                f"decoded ({type(error).__name__}: {error}); correct or remove it."
            ) from error
    for _, _, number, mask in sorted(layers, key=lambda layer: layer[:2]):
        truth[mask] = number
    return truth


def _without_pixels(picture: Picture) -> int:
    return sum(map(has_no_pixels, picture.annotations))


def _is_crowd(annotation: Record) -> bool:
    return bool(finite(annotation.get("iscrowd") or 0))


def _area(annotation: Record, mask: Bool[np.ndarray, "H W"]) -> float:
    """The area in the file, or the mask's if there is none."""
    try:
        said = finite(annotation["area"])
    except (KeyError, TypeError, ValueError):
        said = 0.0
    return said if said > 0 else float(mask.sum())


# --- panoptic segments --------------------------------------------------------------------------


def _read_segments(classes: _Classes, picture: Picture, path: Path) -> UInt16[np.ndarray, "H W"]:
    """A PNG whose colours are segment ids: red + 256 green + 256^2 blue."""
    if picture.problem:
        raise DatasetError(picture.problem)
    try:
        drawn = {annotation["file_name"] for annotation in picture.annotations}
        if len(drawn) != 1:
            raise ValueError(f"{picture.name!r} has {len(drawn)} files of segments")
        segments = {
            int(key_of(segment["id"])): classes.of(segment, picture.name)
            for annotation in picture.annotations
            for segment in annotation["segments_info"]
        }
        channels = np.asarray(_as_stored(path), dtype=np.int64)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{str(classes.path)!r}: the segments of {picture.name!r} cannot be read "
            f"({type(error).__name__}: {error}); correct or remove them."
        ) from error
    return Numbering({0: IGNORE, **segments}).class_map(channels @ np.array([1, 256, 65_536]), path)


def _png_of(picture: Picture) -> str:
    """The file of the segments, as the JSON names it; without annotation the image's own name as a PNG."""
    if not picture.annotations:
        return str(Path(picture.name).with_suffix(".png"))
    return picture.annotations[0]["file_name"].replace("\\", "/")


def _as_stored(path: Path) -> Image.Image:
    """The stored colours; EXIF orientation is not applied."""
    turn = upright_turn(path)
    upright = load_image(path)
    return upright if turn is None else upright.transpose(BACK.get(turn, turn))

"""Where the segmentations of a study come from: models, or results of `zeroseg segment`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from zeroseg.errors import DatasetError, ZeroSegError
from zeroseg.images import Found, load_image
from zeroseg.segmentation import Segmentation
from zeroseg.segmenter import Segmenter
from zeroseg.segmenting import MASK, RECORD
from zeroseg.segmenting.results import (
    Settings,
    Source,
    digest,
    owner,
    read_record,
    read_result,
    source_path,
    written_name,
)
from zeroseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class Photo:
    """A picture of a study: its name, which only the key has, and how it is loaded (upright RGB).

    `file`: the file that it is, with size and time, if it is one; so that another one of its name is known.
    """

    name: str
    load: Callable[[], Image.Image]
    file: Source | None = None


Segments = Callable[[Photo, Image.Image], Segmentation]


@dataclass(frozen=True)
class Sources:
    """The photos that all models have segmentations of, how each model segments a photo, and how many labels it has.

    `digest`: of all that the segmentations depend on besides the photos, so that what is drawn from others is known.
    """

    photos: Sequence[Photo]
    models: Mapping[str, Segments]
    labels: int
    digest: str = ""


def photos_of(pictures: Iterable[Found]) -> list[Photo]:
    """The photos of picture files."""
    return [Photo(written_name(one.place), partial(load_image, one.path), _file(one.path)) for one in pictures]


def sources_of_models(
    segmenters: Mapping[str, Segmenter], vocabulary: Vocabulary, photos: Sequence[Photo], background: bool = True
) -> Sources:
    """Photos segmented by models when they are drawn, with their own read-outs and without specks.

    Without `background` every pixel has one of the labels.
    """
    seen = (background, *(Settings.of(segmenter, vocabulary, {}).digest for segmenter in segmenters.values()))
    return Sources(
        photos,
        {name: _segmented(segmenter, vocabulary, background) for name, segmenter in segmenters.items()},
        len(vocabulary.labels),
        digest(repr(seen).encode()),
    )


def sources_of_results(folders: Sequence[Path], pictures: Sequence[Found]) -> Sources:
    """The results that stand in folders of `zeroseg segment`; photos without a result in all of them are left out.

    A photo's result is the one whose record names its file, or else the one at its place: results may come from
    another machine. Models have the names of their folders.

    Raises `DatasetError` if a folder has no result of any picture, if folders have other labels than the first, or if
    two have the same name; a result that is damaged raises it when it is read.
    """
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = list(map(str, folders))
    if len(set(names)) < len(names):
        raise DatasetError("the same folder of results is named twice: name the results of two models or more.")
    found = {name: _results(folder, pictures) for name, folder in zip(names, folders, strict=True)}
    for folder, results in zip(folders, found.values(), strict=True):
        if not results:
            raise DatasetError(f"{str(folder)!r} has no result of `zeroseg segment` for any of the pictures.")
    shared = [one for one in pictures if all(one.path in results for results in found.values())]
    labels = [_labels(next(iter(results.values()))) for results in found.values()]
    for folder, own in zip(folders, labels, strict=True):
        if own != labels[0]:
            raise DatasetError(
                f"{str(folder)!r} has other labels than {str(folders[0])!r}: segment with the same ones."
            )
    photos = photos_of(shared)
    paths = {photo: one.path for photo, one in zip(photos, shared, strict=True)}
    models = {name: _reader(results, paths) for name, results in found.items()}
    files = [Source.of(results[one.path]) for results in found.values() for one in shared]
    return Sources(photos, models, len(labels[0]), digest(repr(files).encode()))


def _file(path: Path) -> Source | None:
    """None if it cannot be looked at: then loading it says why."""
    try:
        return Source.of(path)
    except (OSError, ZeroSegError):
        return None


def _segmented(segmenter: Segmenter, vocabulary: Vocabulary, background: bool) -> Segments:
    own = segmenter.read_out
    rule = own.background if background else own.background.without_background()
    reading = segmenter.reading(background=rule, smallest_region=own.without_specks().smallest_region)
    return lambda _, image: reading.name(reading.encode(image), vocabulary)


def _reader(results: Mapping[Path, Path], paths: Mapping[Photo, Path]) -> Segments:
    def read(photo: Photo, image: Image.Image) -> Segmentation:
        record = results[paths[photo]]
        try:
            segmentation = read_result(_mask(record), read_record(record) or {})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"the result {str(record)!r} is damaged ({error}): segment its photo again.") from error
        if segmentation.size != image.size:
            raise DatasetError(f"the result {str(record)!r} has another size than its photo: segment it again.")
        return segmentation

    return read


def _results(folder: Path, pictures: Sequence[Found]) -> dict[Path, Path]:
    """The records of pictures in a folder of results, by the picture's path."""
    places = {one.place.with_suffix(""): one.path for one in pictures}
    sources = {source_path(one.path): one.path for one in pictures}
    by_source, by_place = dict[Path, Path](), dict[Path, Path]()
    for path in sorted(folder.rglob(f"*{RECORD}")):
        record = read_record(path)
        if record is None or not _mask(path).exists():
            continue
        if owner(record) in sources:
            by_source[sources[owner(record)]] = path
        elif (place := path.relative_to(folder).with_suffix("")) in places:
            by_place[places[place]] = path
    return by_place | by_source


def _labels(record: Path) -> set[str]:
    values = read_record(record) or {}
    rows = values.get("labels", [])[int(bool(values.get("has_background"))) :]
    return {str(row["label"]) for row in rows}


def _mask(record: Path) -> Path:
    return record.with_name(record.name.removesuffix(RECORD) + MASK)

"""Segmentations from models, and from the folders that `zeroseg segment` writes, also when these were moved."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import PATCH_STUDENT, student, teacher, write_photos
from zeroseg.encoding import StudentEncoder
from zeroseg.errors import DatasetError
from zeroseg.images import load_image, search_images
from zeroseg.rules import Margin
from zeroseg.segmenter import Segmenter
from zeroseg.segmenting import Run, Settings, Wanted
from zeroseg.student.config import ReadOut
from zeroseg.study import photos_of, sources_of_models, sources_of_results, write_study
from zeroseg.vocabulary import Vocabulary

WORDS = Vocabulary(("dog", "cat", "grass"))


def segmenter(seed: int) -> Segmenter:
    return Segmenter(StudentEncoder(student(PATCH_STUDENT, seed)), teacher(), ReadOut("patches", Margin(0.5)))


@pytest.fixture
def results(tmp_path: Path) -> list[Path]:
    """The results of two students for three of four photos."""
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    write_photos(tmp_path / "photos", 3)
    write_photos(tmp_path / "photos" / "deep", 1)
    for name, seed in (("a", 0), ("b", 1)):
        found = search_images([tmp_path / "photos"]).pictures[: 3 if name == "a" else 4]
        model = segmenter(seed)
        run = Run(model, WORDS, tmp_path / name, Settings.of(model, WORDS, {"method": "student"}), Wanted())
        assert not [outcome.error for outcome in run.outcomes(found) if outcome.error]
    return [tmp_path / "a", tmp_path / "b"]


def test_models_segment_what_they_are_asked(tmp_path: Path):
    write_photos(tmp_path, 2)
    photos = photos_of(search_images([tmp_path]).pictures)
    models = {"a": segmenter(0), "b": segmenter(1)}
    found = sources_of_models(models, WORDS, photos)
    assert ([photo.name for photo in found.photos], found.labels) == (["photo00.png", "photo01.png"], 3)
    image = photos[0].load()
    np.testing.assert_array_equal(found.models["b"](photos[0], image).class_map, models["b"](image, WORDS).class_map)
    whole = sources_of_models(models, WORDS, photos, background=False).models["a"](photos[0], image)
    assert not whole.has_background


def test_the_digest_tells_other_segmentations(results: list[Path], tmp_path: Path):
    """A stopped study goes on only with the networks, labels and results that it was begun with."""
    pictures = search_images([tmp_path / "photos"]).pictures
    given = [
        ({"a": segmenter(0), "b": segmenter(1)}, WORDS, True),
        ({"a": segmenter(0), "b": segmenter(2)}, WORDS, True),
        ({"a": segmenter(0), "b": segmenter(1)}, Vocabulary(("dog", "cat", "sky")), True),
        ({"a": segmenter(0), "b": segmenter(1)}, WORDS, False),
    ]
    digests = [sources_of_models(models, words, [], ground).digest for models, words, ground in given]
    assert len(set(digests)) == 4
    assert digests[0] == sources_of_models(given[0][0], WORDS, photos_of(pictures)).digest
    first = sources_of_results(results, pictures).digest
    assert first == sources_of_results(results, pictures).digest
    record = next(results[0].glob("*.json"))
    record.write_text(record.read_text() + " ")
    assert first != sources_of_results(results, pictures).digest


def test_results_are_those_of_their_photos(results: list[Path], tmp_path: Path):
    pictures = search_images([tmp_path / "photos"]).pictures
    found = sources_of_results(results, pictures)
    assert [photo.name for photo in found.photos] == [one.place.as_posix() for one in pictures[:3]]
    assert list(found.models) == ["a", "b"]
    assert found.labels == 3
    for photo, one in zip(found.photos, pictures, strict=False):
        image = photo.load()
        read = found.models["b"](photo, image)
        expected = segmenter(1).name(segmenter(1).encode(load_image(one.path)), WORDS)
        np.testing.assert_array_equal(read.class_map, expected.class_map)
    write_study(tmp_path / "study", found, 3)


def test_photos_and_results_that_were_moved_are_found_by_their_places(results: list[Path], tmp_path: Path):
    shutil.move(tmp_path / "photos", tmp_path / "elsewhere")
    found = sources_of_results(results, search_images([tmp_path / "elsewhere"]).pictures)
    assert len(found.photos) == 3


def test_folders_of_one_name_are_told_apart(results: list[Path], tmp_path: Path):
    (tmp_path / "other").mkdir()
    moved = shutil.move(results[1], tmp_path / "other" / "a")
    found = sources_of_results([results[0], Path(moved)], search_images([tmp_path / "photos"]).pictures)
    assert list(found.models) == [str(results[0]), str(moved)]


def test_what_does_not_fit_is_said(results: list[Path], tmp_path: Path):
    pictures = search_images([tmp_path / "photos"]).pictures
    with pytest.raises(DatasetError, match="named twice"):
        sources_of_results([results[0], results[0]], pictures)
    with pytest.raises(DatasetError, match="has no result of `zeroseg segment`"):
        sources_of_results([results[0], tmp_path / "photos"], pictures)
    found = sources_of_results(results, pictures)
    photo = found.photos[0]
    with pytest.raises(DatasetError, match="another size than its photo"):
        found.models["a"](photo, photo.load().resize((9, 9)))
    mask = next(path for path in results[0].rglob("*.png"))
    mask.write_bytes(b"")
    with pytest.raises(DatasetError, match="is damaged"):
        [found.models["a"](one, one.load()) for one in found.photos]
    record = next(path for path in results[1].rglob("*.json"))
    for path in results[1].rglob("*.json"):
        path.write_text(path.read_text().replace('"grass"', '"moss"'))
    assert record.exists()
    with pytest.raises(DatasetError, match="has other labels than"):
        sources_of_results(results, pictures)

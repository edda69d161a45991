"""The pictures that ship with the package: small, described, free to use, and each with words to find in it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tiny import PATCH_STUDENT, student, teacher
from zeroseg.demo.log import Log
from zeroseg.demo.pictures import PHOTOS, PICTURES, SCENES, pictures_in, segment_pictures
from zeroseg.drawing import colours_by_name
from zeroseg.encoding import Encoded
from zeroseg.picturebook import draw_scene
from zeroseg.rules import NoBackground
from zeroseg.segmentation import Segmentation
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.vocabulary import Vocabulary, parse_labels

LICENCES = {"public domain", "CC0"}
LARGEST_SIDE, PHOTO_BYTES, SCENE_BYTES = 640, 600_000, 400_000


@pytest.mark.parametrize("folder", [PHOTOS, SCENES], ids=lambda folder: folder.name)
def test_every_file_is_listed_with_words_and_a_description(folder: Path):
    pictures = pictures_in(folder)
    extra = {"pictures.json", "README.md"}
    assert sorted(one.path.name for one in pictures) == sorted(
        path.name for path in folder.iterdir() if path.name not in extra
    )
    for one in pictures:
        assert len(parse_labels(one.labels)) >= 3
        assert one.alt.endswith(".")


def test_every_photo_is_free_and_its_licence_is_written_down():
    table = re.findall(
        r"^\| `([^`]+)` \|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\|$", (PHOTOS / "README.md").read_text(), re.M
    )
    assert sorted(row[0] for row in table) == sorted(one.path.name for one in pictures_in(PHOTOS))
    for _, title, author, licence, source in table:
        assert licence.strip() in LICENCES
        assert title.strip()
        assert author.strip()
        assert re.match(r" \(\d\) `", source)


def test_photos_are_small_colour_jpegs_without_metadata():
    for one in pictures_in(PHOTOS):
        with Image.open(one.path) as picture:
            assert (picture.format, picture.mode) == ("JPEG", "RGB")
            assert 300 <= max(picture.size) <= LARGEST_SIDE
            assert not picture.getexif()
    assert sum(path.stat().st_size for path in PHOTOS.iterdir()) < PHOTO_BYTES


def test_scenes_are_the_picturebooks():
    rows = json.loads((SCENES / "pictures.json").read_text())
    assert sum((SCENES / row["file"]).stat().st_size for row in rows) < SCENE_BYTES
    for row in rows:
        scene = draw_scene("validation", row["scene"], side=384)
        assert scene.image.tobytes() == Image.open(SCENES / row["file"]).convert("RGB").tobytes()


def test_nothing_else_ships_with_the_pictures():
    assert {path.name for path in PICTURES.iterdir()} == {PHOTOS.name, SCENES.name}


def test_a_word_has_one_colour_in_all_pictures(tmp_path: Path):
    """Read from the overlays themselves: the swatches of their legends."""
    ours = Segmenter.of(student(PATCH_STUDENT), teacher()).reading(background=NoBackground(), refinement=2)
    shown = segment_pictures(ours, PHOTOS, tmp_path, Log(quiet=True))
    colours = colours_by_name(parse_labels(one.labels) for one in pictures_in(PHOTOS))
    assert len(set(colours.values())) == len(colours)
    for one in shown:
        drawn = {tuple(pixel) for pixel in np.asarray(one.overlay).reshape(-1, 3).tolist()}
        present = {colours[label] for label in one.segmentation.present}
        assert present <= drawn
        assert drawn & set(colours.values()) == present


def test_specks_are_left_out_of_what_is_shown(tmp_path: Path):
    """The bundled students of earlier versions keep them, so that their published figures stay."""
    asked: list[ReadOut | None] = []

    class Recorded(Segmenter):
        def name(self, encoded: Encoded, vocabulary: Vocabulary, read_out: ReadOut | None = None) -> Segmentation:
            asked.append(read_out)
            return super().name(encoded, vocabulary, read_out)

    made = Segmenter.of(student(PATCH_STUDENT), teacher())
    segment_pictures(Recorded(made.encoder, made.teacher, made.read_out), PHOTOS, tmp_path, Log(quiet=True))
    assert asked == [made.read_out.without_specks()] * len(pictures_in(PHOTOS))
    assert asked[0] is not None
    assert asked[0].smallest_region > 0
    assert made.read_out.smallest_region == 0

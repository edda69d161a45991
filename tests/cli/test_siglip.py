"""The commands with a SigLIP in place of a CLIP: cached, distilled, segmented with."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Call, assert_one_sentence, opened
from tests.tiny import siglip_folder, write_photos


@pytest.fixture(scope="module", params=[False, True], ids=["fixed", "naflex"])
def siglip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_folder(tmp_path_factory.mktemp("models") / "siglip", request.param)


def test_a_siglip_teaches_a_student(call: Call, siglip: Path, tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    first = write_photos(photos, 6, 64)[0]
    with_teacher = ["--teacher", siglip, "--recipe", "picturebook"]
    assert call("cache", photos, *with_teacher, "--out", tmp_path / "cache").code == 0
    run = ["distill", "--images", photos, "--cache", tmp_path / "cache", *with_teacher, "--out", tmp_path / "run"]
    run += ["--steps", 2, "--batch-size", 3, "--loop.workers", 0]
    assert_one_sentence(call(*run), 1, "the form of the teacher's vision tower", "turn encoder_from_teacher off")
    said = call(*run, "--no-encoder-from-teacher")
    assert said.code == 0, said.err
    model = ["--model", tmp_path / "run" / "student"]
    said = call("segment", first, "--labels", "dog, grass", *model, "--background", "none", "--out", tmp_path / "out")
    assert said.code == 0, said.err
    mask = np.array(opened(tmp_path / "out" / f"{first.stem}.png"))
    assert mask.shape == (64, 64)
    assert set(np.unique(mask)) <= {0, 1}


def test_a_siglip_segments_without_training(call: Call, siglip: Path, tmp_path: Path):
    photo = write_photos(tmp_path, 1, 64)[0]
    out = ["--out", tmp_path / "out"]
    said = call("segment", photo, "--labels", "dog, grass", "--method", "naclip", "--model", siglip, *out)
    assert said.code == 0, said.err
    assert opened(tmp_path / "out" / f"{photo.stem}.png").size == (64, 64)

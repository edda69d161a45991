"""Names of models: bundled ones with a default, their former names, and what the hub has."""

import subprocess
import sys
from pathlib import Path

import pytest

from zeroseg.models import BUNDLED, CATALOGUE, DEFAULT, bundled, bundled_in, is_picturebook


def weights(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text("{}", encoding="utf-8")
    return folder


def test_photos_are_the_default_once_their_weights_are_there(tmp_path: Path):
    """Both of them: a student without its teacher is of no use."""
    folder = weights(tmp_path, "student", "teacher")
    assert list(bundled_in(folder)) == ["picturebook"]
    assert list(bundled_in(weights(folder, "photos"))) == ["picturebook"]
    found = bundled_in(weights(folder, "photos_teacher"))
    assert list(found) == ["photos", "picturebook"]
    assert found["photos"].folder("student") == folder / "photos"
    assert found["photos"].folder("teacher") == folder / "photos_teacher"
    assert found["photos"].bytes == 4


def test_bundled_models_are_there():
    assert next(iter(BUNDLED)) == DEFAULT
    for name, model in BUNDLED.items():
        assert bundled(name) is model
        for part in ("student", "teacher"):
            assert (model.folder(part) / "model.safetensors").is_file()


def test_the_former_name_is_the_picturebooks():
    """It is in configs and commands of earlier versions."""
    assert bundled("bundled") is BUNDLED["picturebook"]
    assert is_picturebook("bundled")
    assert is_picturebook("picturebook")
    assert not is_picturebook("openai/clip-vit-base-patch16")


@pytest.mark.parametrize("name", ["picturbook", "./picturebook", Path("picturebook")])
def test_other_names_are_not_bundled(name: str | Path):
    """A path is a path: the folder `picturebook` can still be named."""
    assert bundled(name) is None


def test_names_of_the_hub_differ_and_non_commercial_licences_are_marked():
    names = [model.name for model in CATALOGUE]
    assert len(set(names)) == len(names)
    assert all(name.count("/") == 1 for name in names)
    assert all(model.commercial != ("NC" in model.licence) for model in CATALOGUE)


def test_names_are_there_without_torch():
    """The help of the command line shows them."""
    code = "import sys, zeroseg.models; sys.exit('torch' in sys.modules or 'huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Results have the tree of the photos, and are never written over anything else."""

from __future__ import annotations

import json
from pathlib import Path, PurePath

import pytest

from zeroseg.images import Found, search_images
from zeroseg.segmenting import Places, without_results
from zeroseg.segmenting.results import source_path


def found(folder: Path, *names: str) -> list[Found]:
    """Photos in a folder; they need not exist."""
    return [Found(folder / name, PurePath(name)) for name in names]


def chosen(photos: list[Found], out: Path) -> list[str]:
    """The places of their results, below `out`."""
    places = Places(out, [one.path for one in photos])
    return [places.choose(one)[0].relative_to(out).as_posix() for one in photos]


def result(out: Path, stem: str, photo: Path) -> None:
    """A result that stands."""
    (out / stem).parent.mkdir(parents=True, exist_ok=True)
    (out / f"{stem}.png").touch()
    (out / f"{stem}.json").write_text(json.dumps({"made_by": "zeroseg", "source": source_path(photo), "labels": []}))


def test_photos_with_one_stem_get_numbers(tmp_path: Path) -> None:
    """Also where only the case of letters differs, which some file systems do not keep apart."""
    names = ("dog.jpg", "Dog.png", "dog-2.jpg", "dog.webp", "b/dog.jpg", "cat.jpg")
    expected = ["dog", "Dog-2", "dog-2-2", "dog-3", "b/dog", "cat"]
    assert chosen(found(tmp_path, *names), tmp_path / "out") == expected


def test_a_second_run_finds_its_own_results_again(tmp_path: Path) -> None:
    """Whatever was added to the photos since, and in whatever order they come."""
    out = tmp_path / "out"
    jpg, png = found(tmp_path, "dog.jpg", "dog.png")
    result(out, "dog", jpg.path)
    result(out, "dog-2", png.path)
    (gif,) = found(tmp_path, "dog.gif")
    assert chosen([gif, png, jpg], out) == ["dog-3", "dog-2", "dog"]


def test_results_of_another_folder_are_kept(tmp_path: Path) -> None:
    """Two folders, one --out: the second run does not replace what the first has written."""
    out = tmp_path / "out"
    (one,), (other,) = found(tmp_path / "one", "x.jpg"), found(tmp_path / "two", "x.jpg")
    result(out, "x", one.path)
    assert chosen([other], out) == ["x-2"]
    assert chosen([one], out) == ["x"]


@pytest.mark.parametrize("name", ["x.png", "x.json", "x.overlay.jpg"])
def test_files_of_others_are_kept(name: str, tmp_path: Path) -> None:
    """A file that is no result, with the name of one."""
    (tmp_path / name).write_text("{}")
    assert chosen(found(tmp_path / "photos", "x.jpg"), tmp_path) == ["x-2"]


def test_photos_are_kept_where_results_go_beside_them(tmp_path: Path) -> None:
    """A PNG and its mask would have one name."""
    assert chosen(found(tmp_path, "x.png", "y.jpg"), tmp_path) == ["x-2", "y"]


@pytest.mark.parametrize("letter", ["n", "é", "犬"])
def test_names_that_are_too_long_are_cut(letter: str, tmp_path: Path) -> None:
    """File systems have names of up to 255 bytes, and ours have endings; cut names stay distinct."""
    length = 248 // len(letter.encode())
    photos = found(tmp_path, f"{letter * length}.jpg", f"{letter * (length - 1)}x.jpg")
    names = chosen(photos, tmp_path / "out")
    assert len(set(names)) == 2
    for name in names:
        assert len(f"{name}.overlay.jpg".encode()) <= 255
        (tmp_path / f"{name}.overlay.jpg").touch()
    assert names == chosen(photos, tmp_path / "out")


def test_results_are_no_photos(tmp_path: Path) -> None:
    """Beside their photos, in a folder below them, and in the folders of formats."""
    photos = [tmp_path / name for name in ("x.jpg", "y.png", "sub/x.jpg")]
    for photo in photos:
        photo.parent.mkdir(exist_ok=True)
        photo.touch()
    result(tmp_path, "x", photos[0])
    result(tmp_path, "y-2", photos[1])
    for name in ("x.overlay.jpg", "voc-png/x.png", "coco-panoptic/panoptic/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()

    def seen(out: Path) -> list[str]:
        pictures = search_images([tmp_path]).pictures
        return [one.place.as_posix() for one in without_results(pictures, out)]

    assert seen(tmp_path) == ["sub/x.jpg", "x.jpg", "y.png"]
    (tmp_path / "out/sub").mkdir(parents=True)
    (tmp_path / "out/sub/x.png").touch()
    assert "out/sub/x.png" not in seen(tmp_path / "out")


def test_a_folder_of_photos_may_have_the_name_of_a_format(tmp_path: Path) -> None:
    """COCO's photos in a folder "coco", with the results beside it."""
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco/x.png").touch()
    pictures = search_images([tmp_path / "coco"]).pictures
    assert [one.place.name for one in without_results(pictures, tmp_path)] == ["x.png"]

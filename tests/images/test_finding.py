"""Pictures in folders."""

from pathlib import Path

import pytest

from zeroseg.errors import ImageError
from zeroseg.images import find_images, search_images


def test_folders_are_searched_in_a_fixed_order(tmp_path: Path):
    names = ["b/2.PNG", "b/10.jpg", "a.webp", "b/c/x.tiff", "notes.txt", ".hidden.png", ".thumbs/t.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in find_images([tmp_path])]
    assert found == ["a.webp", "b/10.jpg", "b/2.PNG", "b/c/x.tiff"]


def test_named_files_come_first_once_and_whatever_their_suffix(tmp_path: Path):
    for name in ("z.dat", "a.png"):
        (tmp_path / name).touch()
    named = tmp_path / "z.dat"
    assert find_images([named, str(tmp_path), named]) == [named, tmp_path / "a.png"]


def test_nothing_to_find_is_said(tmp_path: Path):
    with pytest.raises(ImageError, match="No picture found"):
        find_images([tmp_path])
    with pytest.raises(ImageError, match="No picture found"):
        find_images([])
    with pytest.raises(ImageError, match=r"no file or folder.*missing"):
        find_images([tmp_path / "missing"])
    with pytest.raises(ImageError, match=r"cannot be accessed|no file or folder"):
        find_images(["x" * 5000])


def places(*paths: Path | str) -> list[str]:
    """The places of the pictures that a search finds."""
    return [found.place.as_posix() for found in search_images(paths).pictures]


def test_places_are_below_what_was_named(tmp_path: Path):
    """One folder: below it. Several: below the folder that holds all of them, so that nothing has the same place."""
    for name in ("one/x.png", "one/deep/y.png", "two/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert places(tmp_path / "one") == ["deep/y.png", "x.png"]
    assert places(tmp_path / "one/x.png") == ["x.png"]
    assert places(tmp_path / "one", tmp_path / "two") == ["one/deep/y.png", "one/x.png", "two/x.png"]
    assert places(tmp_path / "one/x.png", tmp_path / "two/x.png") == ["one/x.png", "two/x.png"]
    assert places(tmp_path / "one/../two/x.png") == ["x.png"]


def test_patterns_that_no_shell_has_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As typed on Windows; a file whose name has brackets is still a file."""
    for name in ("a/1.jpg", "a/2.png", "b/3.jpg", "b/c/4.jpg", "a/[x].jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert places("a/*.jpg") == ["1.jpg", "[x].jpg"]
    assert places("*/?.jpg") == ["a/1.jpg", "b/3.jpg"]
    assert places("**/*.jpg") == ["a/1.jpg", "a/[x].jpg", "b/3.jpg", "b/c/4.jpg"]
    assert places("b*") == ["b/3.jpg", "b/c/4.jpg"]
    assert places("a/[x].jpg") == ["[x].jpg"]
    (problem,) = search_images(["*.gif"]).problems
    assert "No picture matches '*.gif'" in str(problem)


def test_what_is_left_out_is_counted(tmp_path: Path):
    """Links to folders, which may lead in a circle, files of other kinds, hidden ones; a link that leads to itself."""
    (tmp_path / "deep").mkdir()
    for name in ("a.png", "notes.txt", "deep/data.csv", ".hidden.png", "deep/.DS_Store"):
        (tmp_path / name).touch()
    (tmp_path / "deep/again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "itself.png").symlink_to(tmp_path / "itself.png")
    search = search_images([tmp_path])
    assert [found.path.name for found in search.pictures] == ["a.png", "itself.png"]
    assert search.left_out == {"files of other kinds": 2, "hidden files and folders": 2, "linked folders": 1}
    assert not search.problems


def test_one_bad_path_does_not_hide_the_others(tmp_path: Path):
    """Each has its sentence."""
    (tmp_path / "a.png").touch()
    search = search_images([tmp_path / "missing", tmp_path / "a.png", "x" * 5000, "a\0b"])
    assert [found.place.name for found in search.pictures] == ["a.png"]
    assert len(search.problems) == 3

"""Lists of many pictures: folders, tars, braces, and text files of paths."""

import errno
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.pictures import assert_close, gradient, stored, write_tar
from zeroseg.errors import ImageError
from zeroseg.images import PathList, find_images, list_images, load_image, search_images
from zeroseg.images.braces import expanded

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=9)


@given(st.lists(NAMES, max_size=100), st.data())
def test_a_path_list_is_a_list(names: list[str], data: st.DataObject):
    """Length, items, slices, choices, equality and pickling are those of the plain list."""
    plain = [Path("/data", name) for name in names]
    compact = PathList.of(plain)
    assert compact == plain
    assert plain == compact
    assert len(compact) == len(plain)
    assert compact != [*plain, Path("/more")]
    part = data.draw(st.slices(len(plain)))
    assert compact[part] == plain[part]
    numbers = data.draw(st.lists(st.integers(0, max(0, len(plain[part]) - 1)), max_size=len(plain[part])))
    chosen = compact[part].take(np.array(numbers, int))
    assert chosen == [plain[part][number] for number in numbers]
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    assert [compact.name(number) for number in range(len(plain))] == [bytes(path) for path in plain]
    assert [compact[number] for number in range(-len(plain), 0)] == plain


def test_numbers_outside_a_path_list_are_refused():
    paths = PathList.of(["a", "b"])
    with pytest.raises(IndexError, match="range"):
        paths[2]
    with pytest.raises(IndexError, match="from 0 to 1"):
        paths.take(np.array([0, 2]))
    with pytest.raises(IndexError, match="from 0 to 1"):
        paths.take(np.array([-1]))
    with pytest.raises(ValueError, match="zero byte"):
        PathList.of(["a\0b"])


@given(
    st.lists(st.sampled_from([b"a.png", b"/x/b.png", b"", b"  ", b"\t", b"# no", b" s.png", b"\xff.png"]), max_size=90)
)
def test_a_text_file_is_a_list_of_its_lines(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]):
    """Relative paths are below its folder; blank lines and comments are skipped; bytes need not be text."""
    folder = tmp_path_factory.mktemp("lists")
    end = b"\r\n" if len(lines) % 2 else b"\n"
    (folder / "all.txt").write_bytes(b"\xef\xbb\xbf" * (len(lines) % 3 == 0) + end.join([*lines, b"last.png"]))
    kept = [line for line in [*lines, b"last.png"] if line.strip() and not line.startswith(b"#")]
    found = list_images([folder / "all.txt"])
    assert [bytes(path) for path in found] == [bytes(folder / line.decode(errors="surrogateescape")) for line in kept]
    assert pickle.loads(pickle.dumps(found[1:])) == found[1:]


def test_a_list_that_changes_or_is_none_is_refused(tmp_path: Path):
    """Paths of two versions must not be mixed."""
    file = tmp_path / "all.txt"
    file.write_text("\n".join(f"{number}.png" for number in range(100)))
    found = list_images([file])
    assert found[0] == tmp_path / "0.png"
    stored = pickle.dumps(found)
    file.write_text("a.png\n")
    with pytest.raises(ImageError, match=r"all.txt' has changed"):
        found[99]
    with pytest.raises(ImageError, match=r"all.txt' has changed"):
        pickle.loads(stored)
    file.write_bytes(b"a.png\0b.png\0")
    with pytest.raises(ImageError, match=r"all.txt' is not a text of paths"):
        list_images([file])
    file.write_text("# nothing\n")
    with pytest.raises(ImageError, match="No picture found"):
        list_images([file])
    file.write_text("")
    with pytest.raises(ImageError, match="No picture found"):
        list_images([file])


def test_a_list_of_many_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Blocks go on from one chunk to the next."""
    monkeypatch.setattr("zeroseg.images.path_list.CHUNK", 50)
    names = [f"{number}.png" for number in range(300)]
    (tmp_path / "all.txt").write_text("\n".join(f"# {name}\n{name}\n" for name in names))
    found = list_images([tmp_path / "all.txt"])
    assert found == [tmp_path / name for name in names]
    assert [found[number] for number in (299, 0, 150)] == [tmp_path / names[number] for number in (299, 0, 150)]


def test_folders_lists_and_archives_in_one_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In the order that they are named in; what is found twice is listed once, whatever way leads to it."""
    monkeypatch.chdir(tmp_path)
    for name in ("photos/b.png", "photos/a/c.png", "d.png"):
        Path(name).parent.mkdir(exist_ok=True, parents=True)
        Path(name).touch()
    write_tar(tmp_path / "s.tar", {"x.jpg": b"", "x.json": b"", "sub/.y.jpg": b"", "y.JPEG": b""})
    Path("l.txt").write_text("photos/b.png\nmissing.png\ns.tar/y.JPEG\n")
    found = list_images(["s.tar", "photos", tmp_path / "photos", "l.txt", "d.png"])
    assert [path.as_posix() for path in found] == [
        *("s.tar/x.jpg", "s.tar/y.JPEG", "photos/a/c.png", "photos/b.png", "missing.png", "d.png")
    ]
    assert find_images(["photos"]) == list_images(["photos"])
    assert pickle.loads(pickle.dumps(found[2:])) == found[2:]


def test_folders_are_walked_in_the_order_of_sorted_paths(tmp_path: Path):
    """A folder `a` comes before `a.png` and `a-b`, as its parts are compared."""
    for name in ("a/z.png", "a-b/x.png", "a.png", "a/b/c.png", "b.png", "Z.png", "a b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert list_images([tmp_path]) == sorted(tmp_path.rglob("*.png"))


def test_tars_are_named_by_braces_and_patterns(tmp_path: Path):
    """A folder does not stand for the archives in it, and neither does "*"."""
    for number in range(3):
        write_tar(tmp_path / f"s-{number:02}.tar", {f"{number}.png": b""})
    members = [tmp_path / f"s-{number:02}.tar/{number}.png" for number in range(3)]
    assert list_images([tmp_path / "s-{00..02}.tar"]) == members
    assert list_images([tmp_path / "s-{01,00}.tar"]) == [members[1], members[0]]
    assert list_images([tmp_path / "*.tar"]) == members
    with pytest.raises(ImageError, match=r"no file or folder .*s-03.tar"):
        list_images([tmp_path / "s-{00..03}.tar"])
    with pytest.raises(ImageError, match=r"No picture found.*archives.*s-00.tar"):
        list_images([tmp_path])
    with pytest.raises(ImageError, match="No picture matches"):
        list_images([tmp_path / "*"])
    (tmp_path / "t.tar.gz").touch()
    with pytest.raises(ImageError, match="uncompressed tars"):
        list_images([tmp_path / "t.tar.gz"])


def test_a_damaged_archive_does_not_hide_the_others(tmp_path: Path):
    """Its first files are listed where the caller takes the problems; else it is an error."""
    for name in ("a", "b"):
        write_tar(tmp_path / f"{name}.tar", {"1.png": b"1" * 600, "2.png": b"2" * 600})
    with (tmp_path / "a.tar").open("r+b") as file:
        file.truncate(2000)
    problems: list[ImageError] = []
    found = list_images([tmp_path / "{a,b,c}.tar"], problems)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a.tar/1.png", "b.tar/1.png", "b.tar/2.png"]
    assert ["a.tar' is truncated" in str(problem) for problem in problems] == [True, False]
    assert "no file or folder" in str(problems[1])
    with pytest.raises(ImageError, match=r"a.tar' is truncated"):
        list_images([tmp_path / "a.tar"])
    search = search_images([tmp_path / "a.tar"])
    assert [found.place.as_posix() for found in search.pictures] == ["1.png"]
    assert len(search.problems) == 1


def test_pictures_in_archives_are_opened(tmp_path: Path):
    """Their places are below the archive, or below the folder of several archives."""
    picture = gradient()
    path = write_tar(tmp_path / "a.tar", {"deep/x.png": stored(picture, "PNG")})
    write_tar(tmp_path / "b.tar", {"x.png": stored(picture, "PNG")})
    (found,) = search_images([path]).pictures
    assert found.place.as_posix() == "deep/x.png"
    assert_close(load_image(found.path), picture)
    both = search_images([tmp_path / "a.tar", tmp_path / "b.tar/x.png"]).pictures
    assert [one.place.as_posix() for one in both] == ["a.tar/deep/x.png", "b.tar/x.png"]
    assert list_images([path / "deep/x.png"]) == [path / "deep/x.png"]
    with pytest.raises(ImageError, match=r"There is no file.*missing.png"):
        load_image(path / "missing.png")
    with pytest.raises(ImageError, match=r"missing.png' cannot be found .*no such file"):
        list_images([path / "missing.png"])


@given(st.integers(-20, 120), st.integers(-20, 120), st.text("ab{,.", max_size=5))
def test_ranges_in_braces_are_counted(first: int, last: int, around: str):
    """Up and down; one zero in front of a number pads all of them."""
    numbers = range(first, last + 1) if first <= last else range(first, last - 1, -1)
    plain = around.replace("{", "")
    assert list(expanded(f"{plain}{{{first}..{last}}}")) == [f"{plain}{number}" for number in numbers]
    if first >= 0 and last >= 0:
        padded = list(expanded(f"{{{first:04}..{last}}}.tar"))
        assert padded == [f"{number:04}.tar" for number in numbers]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{a,b}.tar", ["a.tar", "b.tar"]),
        ("{a,b}{1..2}", ["a1", "a2", "b1", "b2"]),
        ("{x{1,2},y}.tar", ["x1.tar", "x2.tar", "y.tar"]),
        ("{a,}b", ["ab", "b"]),
        ("{}{a}{,", ["{}{a}{,"]),
        ("{a}{b,c}", ["{a}b", "{a}c"]),
        ("{{b,c}", ["{b", "{c"]),
        ("plain", ["plain"]),
    ],
)
def test_braces_are_those_of_the_shell(text: str, names: list[str]):
    assert list(expanded(text)) == names


def test_too_many_names_are_refused():
    """A slip of a digit must not fill the memory."""
    with pytest.raises(ImageError, match="more than 1,000,000 names"):
        list(expanded("{0..99999999}.tar"))


def test_names_are_those_of_the_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However a list writes them; what is relative is below the folder that is the current one."""
    (tmp_path / "all.txt").write_text("a.png\nb//c.png\n./d.png\ne/./f.png\n/g.png\n../h.png\ni/\n//j.png\n")
    monkeypatch.chdir(tmp_path)
    relative, whole = list_images(["all.txt"]), list_images([tmp_path / "all.txt"])
    assert relative != whole
    assert list(relative.names()) == list(whole.names()) == [bytes(path) for path in whole]
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert list(relative.names()) == [bytes(path.absolute()) for path in relative] != list(whole.names())


def test_a_path_list_is_shown_by_its_first_paths():
    """Printing one must not print 100 million paths. It is no text, and equals none."""
    assert repr(PathList.of(["a.png"])) == "PathList(1 paths: 'a.png')"
    assert repr(PathList.of(["a.png", "b", "c"])) == "PathList(3 paths: 'a.png', 'b', ...)"
    assert PathList.of(["a"]) != "a"
    assert PathList.of(PathList.of(["a"])) == [Path("a")]


def test_different_lists_are_joined(tmp_path: Path):
    """Nothing is left out where nothing is listed twice; within one list, all lines count."""
    (tmp_path / "a.txt").write_text("1.png\n1.png\n")
    (tmp_path / "b.txt").write_text("2.png\n3.png\n")
    assert [path.name for path in list_images([tmp_path / "a.txt"])] == ["1.png", "1.png"]
    both = list_images([tmp_path / "b.txt", tmp_path / "{c,b}.txt"], problems := [])
    assert [path.name for path in both] == ["2.png", "3.png"]
    assert len(problems) == 1
    (tmp_path / "c.txt").write_text("4.png\n")
    both = list_images([tmp_path / "b.txt", tmp_path / "c.txt"])
    assert [path.name for path in both] == ["2.png", "3.png", "4.png"]
    assert [both.name(number) for number in (2, 0)] == [bytes(tmp_path / "4.png"), bytes(tmp_path / "2.png")]
    with pytest.raises(ImageError, match="no file or folder"):
        list_images([tmp_path / "d.txt"])


def test_what_cannot_be_read_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder, an archive, and a list; permissions do not hold for the administrator, so the calls are replaced."""
    for name in ("deep/x.png", "a.tar", "a.txt", "ok.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scan = os.scandir

    def refuse_folder(path: str):
        if path.endswith("deep"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    def refuse_file(path: Path, _mode: str = "r"):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse_folder)
    monkeypatch.setattr(Path, "open", refuse_file)
    problems: list[ImageError] = []
    assert list_images([tmp_path, tmp_path / "a.tar", tmp_path / "a.txt"], problems) == [tmp_path / "ok.png"]
    said = [str(problem) for problem in problems]
    assert [text.split(" '")[0] for text in said] == ["The folder", "The archive", "The list"]
    assert all("Permission denied" in text for text in said)

"""Lists of many pictures: folders, tars, braces, and text files of paths."""

import pickle
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroseg.images import PathList, list_images

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=9)


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, BytesIO(content))
    return path


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

"""Files of tars by paths that lead into them; the oracle is Python's tarfile."""

import gzip
import os
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.pictures import write_tar
from zeroseg.archives import Status, is_archive, is_member, members, read_bytes, status_of
from zeroseg.archives.recent import Recent
from zeroseg.archives.tar import tar_files
from zeroseg.errors import ImageError

Write = Callable[..., Path]
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
PARTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
PATHS = st.lists(PARTS.filter(lambda part: part not in (".", "..")), min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(PATHS, st.binary(max_size=1500), max_size=12), st.sampled_from(sorted(FORMATS)))
def test_what_is_in_a_tar_is_what_tarfile_finds(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], form: str
):
    """Names of any length and alphabet, in all formats; offsets, sizes and contents."""
    if form == "ustar":  # it splits names of more than 100 bytes at a slash, and has no longer ones
        files = {name: content for name, content in files.items() if len(name.encode()) <= 100}
    path = write_tar(tmp_path_factory.mktemp("tars") / "a.tar", files, FORMATS[form])
    with tarfile.open(path) as tar:
        oracle = [(info.name, info.offset_data, info.size) for info in tar if info.isreg()]
    assert [(one.name, one.offset, one.size) for one in tar_files(path)] == oracle
    assert {name: read_bytes(path / name) for name in members(path)} == files


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    for ask in (read_bytes, status_of):
        with pytest.raises(OSError, match="it is not a file"):
            ask(tmp_path / "pipe.png")


def test_long_names_of_ustar_are_joined(tmp_path: Path):
    """A prefix and a name."""
    name = "/".join(["a" * 70, "b" * 70])
    path = write_tar(tmp_path / "a.tar", {name: b"content"}, tarfile.USTAR_FORMAT)
    assert list(members(path)) == [name]
    assert read_bytes(path / name) == b"content"


def test_only_regular_files_count(tmp_path: Path):
    """Folders, links, devices and names that lead out of the tar are no files of it; "./" is no part of a name."""
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in {"d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "f": b"6"}.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "./x.png"
            tar.addfile(info)
        for name in ("./x.png", "../up.png", "/top//y.png", "a/../z.png"):
            tar.addfile(tarfile.TarInfo(name))
    assert list(members(tmp_path / "a.tar")) == ["x.png", "top/y.png"]
    assert read_bytes(tmp_path / "a.tar/x.png") == b""


def test_shared_headers_and_large_numbers(tmp_path: Path):
    """PAX records for all files; sizes and times that octal digits cannot hold."""
    with tarfile.open(tmp_path / "a.tar", "w", pax_headers={"comment": "für alle"}) as tar:
        info = tarfile.TarInfo("old.png")
        info.mtime, info.uid, info.size = -5, 1 << 30, 3
        tar.addfile(info, BytesIO(b"old"))
    with tarfile.open(tmp_path / "b.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        info.mtime = 1 << 40
        tar.addfile(info, BytesIO(b"new"))
    assert read_bytes(tmp_path / "a.tar/old.png") == b"old"
    assert read_bytes(tmp_path / "b.tar/old.png") == b"new"


def test_the_last_of_several_files_of_a_name_is_read(tmp_path: Path):
    """As tar itself does when it unpacks."""
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for content in (b"one", b"other"):
            info = tarfile.TarInfo("x.png")
            info.size = len(content)
            tar.addfile(info, BytesIO(content))
    assert read_bytes(tmp_path / "a.tar/x.png") == b"other"


def test_status_is_known_without_reading(tmp_path: Path):
    """A file's own size, and the time of its archive."""
    path = write_tar(tmp_path / "a.TAR", {"x.png": b"123", "y.png": b""})
    os.utime(path, ns=(5, 1_700_000_000_123_456_789))
    changed = path.stat().st_mtime_ns
    assert status_of(path / "x.png") == Status(3, changed)
    assert status_of(path) == Status(path.stat().st_size, changed)
    assert read_bytes(path) == path.read_bytes()


def test_a_tar_that_is_written_anew_is_read_anew(tmp_path: Path):
    path = write_tar(tmp_path / "a.tar", {"x.png": b"old", "y.png": b"gone"})
    assert read_bytes(path / "x.png") == b"old"
    write_tar(path, {"w.png": b"more", "x.png": b"newer"})
    os.utime(path, ns=(5, 5))
    assert read_bytes(path / "x.png") == b"newer"
    with pytest.raises(FileNotFoundError, match=r"'a.tar' has no such file.*y.png"):
        read_bytes(path / "y.png")


def test_a_folder_may_have_the_name_of_an_archive(tmp_path: Path):
    """It is searched for an archive further down."""
    (tmp_path / "set.tar").mkdir()
    path = write_tar(tmp_path / "set.tar/a.tar", {"b.tar/x.png": b"deep"})
    (tmp_path / "set.tar/plain.png").write_bytes(b"plain")
    assert is_archive(path)
    assert is_member(path / "x.png")
    assert not is_member(path)
    assert read_bytes(path / "b.tar/x.png") == b"deep"
    assert read_bytes(tmp_path / "set.tar/plain.png") == b"plain"
    with pytest.raises(FileNotFoundError, match="No such file"):
        read_bytes(tmp_path / "set.tar/missing.tar/x.png")


@given(cut=st.integers(1, 6 * 1024))
def test_of_a_truncated_tar_the_first_files_are_read(tmp_path_factory: pytest.TempPathFactory, cut: int):
    """All that are whole, and one sentence says that it is truncated."""
    contents = {f"{number}.png": bytes([number]) * 500 for number in range(6)}
    whole = write_tar(tmp_path_factory.mktemp("tars") / "whole.tar", contents, tarfile.USTAR_FORMAT)
    path = whole.with_name("cut.tar")
    path.write_bytes(whole.read_bytes()[:cut])
    complete = [name for number, name in enumerate(contents) if (number + 1) * 1024 - 12 <= cut]
    found: list[str] = []
    if cut % 1024 == 0 or cut % 1024 >= 1012:  # between two files
        found += members(path)
    else:
        with pytest.raises(ImageError, match=r"cut\.tar' is (truncated|not a tar).*download it again"):
            found += members(path)
        found = list(_until_error(path))
    assert found == complete
    assert all(read_bytes(path / name) == contents[name] for name in complete)


def _until_error(path: Path):
    try:
        yield from members(path)
    except ImageError:
        return


def test_a_damaged_header_ends_the_tar(tmp_path: Path):
    path = write_tar(tmp_path / "a.tar", {"x.png": b"1", "y.png": b"2"}, tarfile.USTAR_FORMAT)
    content = bytearray(path.read_bytes())
    content[1024] ^= 1
    path.write_bytes(content)
    assert list(_until_error(path)) == ["x.png"]
    with pytest.raises(ImageError, match=r"damaged at byte 1,024.*only the first 1 can"):
        list(members(path))
    assert read_bytes(path / "x.png") == b"1"


@given(st.integers(0, 4095), st.integers(0, 255))
def test_any_damage_ends_in_a_sentence(tmp_path_factory: pytest.TempPathFactory, place: int, value: int):
    """No other error, and no endless loop."""
    name = "n" * 200 + ".png"
    for form in FORMATS.values():
        files = {name if form != tarfile.USTAR_FORMAT else "n.png": b"1" * 600}
        path = write_tar(tmp_path_factory.mktemp("tars") / "a.tar", files, form)
        content = bytearray(path.read_bytes())
        content[place % len(content)] = value
        path.write_bytes(content)
        assert len(list(_until_error(path))) <= 2


@pytest.mark.parametrize("content", [b"", b"x" * 2000, gzip.compress(b"x" * 2000)], ids=["empty", "text", "gzip"])
def test_what_is_no_tar_is_refused(tmp_path: Path, content: bytes):
    """Also a compressed one, in which files cannot be found."""
    (tmp_path / "a.tar").write_bytes(content)
    message = "only from uncompressed tars" if content[:2] == b"\x1f\x8b" else "is not a tar"
    with pytest.raises(ImageError, match=message):
        list(members(tmp_path / "a.tar"))
    with pytest.raises(ImageError, match=message):
        read_bytes(tmp_path / "a.tar/x.png")


def test_what_was_used_last_is_kept():
    """As much as fits into the limit, and at least the last value."""
    made: list[str] = []

    def get(key: str) -> str:
        return recent.get(key, lambda: made.append(key) or key)

    recent = Recent[str, str](4, len)
    assert [get(key) for key in ("aa", "bb", "aa", "cc", "aa")] == ["aa", "bb", "aa", "cc", "aa"]
    assert made == ["aa", "bb", "cc"]
    get("too long")
    get("too long")
    get("bb")
    assert made == ["aa", "bb", "cc", "too long", "bb"]

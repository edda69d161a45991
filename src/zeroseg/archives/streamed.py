"""Parquet files of Hugging Face's hub that are read where they are: only row groups that are asked for are transferred.

`hf-stream:NAME/SPLIT/00003.parquet` is the fourth file of a split, in the order of the library `datasets`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from zeroseg.archives.hub_sets import PREFIX as DOWNLOADED
from zeroseg.archives.hub_sets import Split
from zeroseg.archives.status import Status
from zeroseg.errors import ImageError

PREFIX = "hf-stream:"
SUFFIX = ".parquet"
VERSIONS = ("xet_hash", "blob_id", "ETag", "LastModified", "Last-Modified", "mtime")  # what file systems say of content


def is_streamed(path: Path) -> bool:
    """Whether a path begins as those of this module do."""
    return str(path).startswith(PREFIX)


def files_of_streamed_set(text: str) -> list[Path]:
    """The files of `hf-stream:NAME/SPLIT` or `hf-stream:NAME:CONFIG/SPLIT`.

    Raises:
        ImageError: if there is no such data set, configuration or split, if it is not in Parquet files, or if the
            library is missing.
    """
    return [Path(text, f"{number:05}{SUFFIX}") for number in range(len(_addresses(text)))]


def streamed_status(file: Path) -> Status:
    """Size and version of a file, as they were when this process asked first.

    Raises `FileNotFoundError` if there is no such file, and as `files_of_streamed_set`.
    """
    address = _address(file)
    with transferring(file):
        return _status(address)


def open_streamed(file: Path) -> Any:
    """A file to read from at any place; each read transfers what it asks for, and no more."""
    from fsspec.core import url_to_fs

    system, path = url_to_fs(_address(file))
    return system.open(path, "rb", cache_type="none")


@contextmanager
def transferring(file: Path) -> Generator[None]:
    """What goes wrong on the way, as one sentence (`ImageError`)."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # each file system has its own kinds
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImageError(f"{str(file)!r} cannot be read from where it is ({said}); check the connection.") from error


@cache
def _addresses(text: str) -> list[str]:
    split = Split.named(text, PREFIX)
    with split.loading() as datasets:
        found = datasets.load_dataset_builder(split.name, split.config).config.data_files or {}
    if split.split not in found:
        raise ImageError(f"{text!r}: the data set has no such split; it has {', '.join(map(str, found)) or 'none'}.")
    addresses = [str(address) for address in found[split.split]]
    other = next((address for address in addresses if not address.lower().endswith(SUFFIX)), None)
    if other is not None:
        instead = DOWNLOADED + text.removeprefix(PREFIX)
        raise ImageError(
            f"{text!r} is not in Parquet files (but {Path(other).name!r}), so it cannot be streamed: "
            f"{instead} downloads it."
        )
    return addresses


def _address(file: Path) -> str:
    addresses = _addresses(str(file.parent))
    if not file.stem.isdecimal() or int(file.stem) >= len(addresses):
        raise FileNotFoundError(f"{str(file.parent)!r} has no file {file.name}")
    return addresses[int(file.stem)]


@cache
def _status(address: str) -> Status:
    from fsspec.core import url_to_fs

    system, path = url_to_fs(address)
    known = system.info(path)
    version = next((str(known[name]) for name in VERSIONS if known.get(name)), "")
    digest = hashlib.blake2b(version.encode(), digest_size=7).digest()
    return Status(int(known["size"]), int.from_bytes(digest, "big"))

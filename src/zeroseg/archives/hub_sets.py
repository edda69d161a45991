"""Data sets of the library `datasets` as files of Arrow's format: of Hugging Face's hub, or of a folder."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeroseg.errors import ImageError

PREFIX = "hf:"


@dataclass(frozen=True)
class Split:
    """A split of a data set; `text` is how it was named."""

    text: str
    name: str
    config: str | None
    split: str

    @classmethod
    def named(cls, text: str, prefix: str = PREFIX) -> Split:
        """From NAME/SPLIT or NAME:CONFIG/SPLIT after the prefix; NAME may be a folder. Raises `ImageError`."""
        name, _, split = text.removeprefix(prefix).rpartition("/")
        if not name or not split.isidentifier():
            raise ImageError(
                f"{text!r} does not name a split of a data set: write {prefix}NAME/SPLIT, or {prefix}NAME:CONFIG/SPLIT."
            )
        config = None
        if ":" in name and not Path(name).exists():
            name, _, config = name.rpartition(":")
        return cls(text, name, config, split)

    @contextmanager
    def loading(self) -> Generator[Any]:
        """The library, whose errors become one sentence (`ImageError`)."""
        try:
            import datasets
        except ImportError as error:
            raise ImageError(f'{self.text!r} needs the library datasets: pip install "zeroseg[datasets]".') from error
        try:
            yield datasets
        except Exception as error:  # the library and those that it uses raise many kinds of errors
            said = " ".join(str(error).split())[:200]
            raise ImageError(
                f"{self.text!r} cannot be loaded ({said}); check the names, and the connection."
            ) from error


def files_of_hub_set(text: str) -> list[Path]:
    """The files of `hf:NAME/SPLIT` or `hf:NAME:CONFIG/SPLIT`; NAME is that of a data set of the hub, or a folder.

    The library downloads what is not there yet, and keeps it.

    Raises:
        ImageError: if there is no such data set, configuration or split, or the library is missing.
    """
    split = Split.named(text)
    with split.loading() as datasets:
        found = datasets.load_dataset(split.name, split.config, split=split.split)
    return [Path(one["filename"]) for one in found.cache_files]

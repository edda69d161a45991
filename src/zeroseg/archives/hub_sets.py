"""Data sets of the library `datasets` as files of Arrow's format: of Hugging Face's hub, or of a folder."""

from __future__ import annotations

from pathlib import Path

from zeroseg.errors import ImageError

PREFIX = "hf:"


def files_of_hub_set(text: str) -> list[Path]:
    """The files of `hf:NAME/SPLIT` or `hf:NAME:CONFIG/SPLIT`; NAME is that of a data set of the hub, or a folder.

    The library downloads what is not there yet, and keeps it.

    Raises:
        ImageError: if there is no such data set, configuration or split, or the library is missing.
    """
    name, _, split = text.removeprefix(PREFIX).rpartition("/")
    if not name or not split.isidentifier():
        raise ImageError(f"{text!r} does not name a split of a data set: write hf:NAME/SPLIT, or hf:NAME:CONFIG/SPLIT.")
    config = None
    if ":" in name and not Path(name).exists():
        name, _, config = name.rpartition(":")
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise ImageError(f'{text!r} needs the library datasets: pip install "zeroseg[datasets]".') from error
    try:
        found = load_dataset(name, config, split=split)
    except Exception as error:  # the library and those that it uses raise many kinds of errors
        said = " ".join(str(error).split())[:200]
        raise ImageError(f"{text!r} cannot be loaded ({said}); check the names, and the connection.") from error
    return [Path(one["filename"]) for one in found.cache_files]

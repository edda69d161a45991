"""Processes that read images pass on what threads do."""

from __future__ import annotations

from pathlib import Path

from tests.tiny import VIEWS, photo, teacher, write_photos
from zeroseg.feature_cache import build_cache
from zeroseg.views import ViewsConfig


def test_processes_read_what_threads_read(tmp_path: Path) -> None:
    """The same shards, bit by bit; also the reasons why images cannot be read; also squares of several sizes."""
    (tmp_path / "photos").mkdir()
    images = [*write_photos(tmp_path / "photos", 7), tmp_path / "missing.png", tmp_path / "words.png"]
    images[-1].write_text("no picture")
    photo(90, 60, seed=9).save(tmp_path / "photos/large.png")
    images.append(tmp_path / "photos/large.png")
    for name, views in (("same", VIEWS), ("own", ViewsConfig(side=32, grids=(1, 2), own_resolution=True))):
        folders = [tmp_path / f"{name}{workers}" for workers in (0, 2)]
        for folder, workers in zip(folders, (0, 2), strict=True):
            report = build_cache(images, teacher(), views, folder, shard=4, workers=workers)
            assert (report.embedded, report.unreadable) == (8, 2)
            again = build_cache(images, teacher(), views, folder, shard=4, workers=workers)
            assert (again.embedded, again.found, again.unreadable) == (0, 8, 2)
        threads, processes = ({path.name for path in folder.glob("*.safetensors")} for folder in folders)
        assert threads == processes
        assert (folders[0] / "quarantine.jsonl").read_text() == (folders[1] / "quarantine.jsonl").read_text()

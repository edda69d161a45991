"""Actors of Ray make the cache that one process makes, also if one of them dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest

from tests.tiny import VIEWS, teacher, write_photos
from zeroseg.errors import CacheError, ConfigError
from zeroseg.feature_cache import build_cache
from zeroseg.feature_cache.ray_engine import RayOptions, build_with_ray
from zeroseg.teacher import Teacher

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")  # what Ray says of its own parts
OPTIONS = RayOptions(actors=2)


@pytest.fixture(scope="module", autouse=True)
def _ray() -> Generator[None]:
    """Ray on this machine; its processes find the tests' modules."""
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([str(Path(root, "src")), root])
    ray.init(num_cpus=2, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}})
    yield
    ray.shutdown()


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Twelve: six blocks of two."""
    (tmp_path / "photos").mkdir()
    return write_photos(tmp_path / "photos", 12)


def shards(folder: Path) -> list[str]:
    """Names of shards, which are hashes of their content."""
    return sorted(path.name for path in folder.glob("*.safetensors"))


def dying_once(mark: Path) -> Teacher:
    """A teacher; the process that is the first to embed with it is killed."""
    one = teacher()
    embed = one.embed_images

    def killed(images: object) -> object:
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return embed(images)  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("killed")

    one.embed_images = killed  # type: ignore[method-assign, assignment]
    return one


def test_actors_make_the_same_shards(photos: list[Path], tmp_path: Path) -> None:
    """Bit by bit, and a second run finds all; images that cannot be read are counted and listed."""
    images = [*photos[:5], tmp_path / "missing.png", *photos[5:]]
    build_cache(images, teacher(), VIEWS, tmp_path / "one", shard=2)
    done = list[int]()
    found = build_with_ray(images, teacher, VIEWS, tmp_path / "ray", done.append, OPTIONS, shard=2)
    assert (found.embedded, found.found, found.unreadable, sum(done)) == (12, 0, 1, 13)
    assert shards(tmp_path / "ray") == shards(tmp_path / "one")
    assert "missing.png" in (tmp_path / "ray/quarantine.jsonl").read_text()
    again = build_with_ray(images, teacher, VIEWS, tmp_path / "ray", options=OPTIONS, shard=2)
    assert (again.embedded, again.found, again.unreadable) == (0, 12, 1)


def test_an_actor_that_is_killed_loses_nothing(photos: list[Path], tmp_path: Path) -> None:
    """Its block is made by another one."""
    build_cache(photos, teacher(), VIEWS, tmp_path / "one", shard=2)
    load = partial(dying_once, tmp_path / "mark")
    found = build_with_ray(photos, load, VIEWS, tmp_path / "ray", options=OPTIONS, shard=2)
    assert (tmp_path / "mark").exists()
    assert (found.embedded, found.found) == (12, 0)
    assert shards(tmp_path / "ray") == shards(tmp_path / "one")


def test_what_is_wrong_is_said_by_the_cache(photos: list[Path], tmp_path: Path) -> None:
    """Not by Ray."""
    build_cache(photos[:1], teacher(1), VIEWS, tmp_path / "cache")
    with pytest.raises(CacheError, match="made with another teacher"):
        build_with_ray(photos, teacher, VIEWS, tmp_path / "cache", options=OPTIONS)


def test_without_ray_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In one sentence."""
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ConfigError, match=r'pip install "zeroseg\[ray\]"'):
        build_with_ray([], teacher, VIEWS, tmp_path)

"""The folder of a model by its name: bundled, a folder, or a repository of the Hugging Face hub.

A model of the hub is taken from the hub's cache on this machine if it is there in full; only otherwise is the network
used. A short attempt to connect comes first, because `huggingface_hub` itself waits and repeats for much longer.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from huggingface_hub import constants, scan_cache_dir, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import CacheNotFound, HFValidationError, RepositoryNotFoundError

from zeroseg.errors import TeacherError, WeightsError, ZeroSegError, hint
from zeroseg.models import BUNDLED, CATALOGUE, CONFIG, STUDENT_KIND, TEACHER_TYPES, Part, bundled

FILES: dict[Part, tuple[str, ...]] = {
    "student": (CONFIG, "model.safetensors", "README.md"),
    "teacher": ("*.json", "*.txt", "*.model", "model*.safetensors"),
}
PICKLED = ("pytorch_model*.bin",)  # only if there is no safetensors
PROCESSOR = "preprocessor_config.json"
TOKENIZERS = ("tokenizer.json", "vocab.json", "*.model")  # one of them
SECONDS = 1.5  # to connect; a longer HF_HUB_ETAG_TIMEOUT counts instead
ERRORS: dict[Part, type[ZeroSegError]] = {"student": WeightsError, "teacher": TeacherError}


def folder_of(name: str | Path, part: Part) -> Path:
    """The folder of a student or a teacher; a model of the hub is downloaded if it is not on this machine.

    Raises `WeightsError` (students) or `TeacherError` if there is no such model, or if the hub cannot be reached.
    """
    known = bundled(name)
    if known is not None:
        return known.folder(part)
    if Path(name).is_dir():
        return Path(name)
    if isinstance(name, Path) or name.startswith((".", "/", "~")) or name.count("/") != 1:
        near = "" if isinstance(name, Path) else hint(name, [*BUNDLED, *(model.name for model in CATALOGUE)])
        raise ERRORS[part](
            f"there is no model folder {str(name)!r}{near}: check the path, name a hub model as owner/name, or use a "
            f"bundled one ({', '.join(BUNDLED)})."
        )
    return cached(name, part) or _downloaded(name, part)


def locate(model: str, teacher: str | None, part: Part) -> None:
    """Raise what `folder_of` raises for a student and its teacher, or a teacher alone; torch, which is slow, can wait.

    `teacher`: None for the one that the student's config names, or for `model`. A config that cannot be read is
    reported later.
    """
    if part == "teacher":
        folder_of(teacher or model, part)
        return
    folder = folder_of(model, part)
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        teacher = teacher or json.loads((folder / CONFIG).read_text(encoding="utf-8"))["teacher"]
    if isinstance(teacher, str):
        folder_of(teacher, "teacher")


def cached(name: str, part: Part) -> Path | None:
    """The folder of a hub model in the hub's cache; None if it is not there, or not in full."""
    try:
        config = try_to_load_from_cache(name, CONFIG)
    except HFValidationError:
        return None
    folder = Path(config).parent if isinstance(config, str) else None
    return folder if folder is not None and IS_WHOLE[part](folder) else None


def is_whole_student(folder: Path) -> bool:
    """Whether a student's config and weights are in a folder."""
    return all((folder / file).is_file() for file in (CONFIG, "model.safetensors"))


def is_whole_teacher(folder: Path) -> bool:
    """Whether config, all weights, image processor and tokenizer are in a folder."""
    tokenizer = any(file.is_file() for pattern in TOKENIZERS for file in folder.glob(pattern))
    return all((folder / file).is_file() for file in (CONFIG, PROCESSOR)) and tokenizer and has_weights(folder)


def has_weights(folder: Path) -> bool:
    """Whether the weights are in a folder, in one file or in all files that an index names."""
    for file in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{file}.index.json"
        if (folder / file).is_file():
            return True
        with contextlib.suppress(OSError, ValueError, LookupError):
            shards: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            return all((folder / shard).is_file() for shard in shards.values())
    return False


IS_WHOLE: dict[Part, Callable[[Path], bool]] = {"student": is_whole_student, "teacher": is_whole_teacher}


@dataclass(frozen=True)
class CachedModel:
    """A model in the hub's cache that can be loaded. `bytes`: what its repository takes on this machine."""

    name: str
    part: Part
    bytes: int


def cached_models() -> list[CachedModel]:
    """All students and teachers in the hub's cache that are there in full, by name; without the network."""
    try:
        repositories = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except (CacheNotFound, OSError, ValueError):
        return []
    models: list[CachedModel] = []
    for repository in sorted(repositories, key=lambda found: found.repo_id):
        part = _part_of(repository.repo_id) if repository.repo_type == "model" else None
        if part is not None and cached(repository.repo_id, part) is not None:
            models.append(CachedModel(repository.repo_id, part, repository.size_on_disk))
    return models


def _part_of(name: str) -> Part | None:
    """Whether a model in the cache is a student or a teacher, by its config; None if it is neither."""
    with contextlib.suppress(OSError, ValueError, AttributeError, HFValidationError):
        path = try_to_load_from_cache(name, CONFIG)
        config = json.loads(Path(path).read_text(encoding="utf-8")) if isinstance(path, str) else {}
        if config.get("kind") == STUDENT_KIND:
            return "student"
        if config.get("model_type") in TEACHER_TYPES:
            return "teacher"
    return None


def _downloaded(name: str, part: Part) -> Path:
    """The folder of a hub model after its download."""
    _expect_connection(name, part)
    try:
        folder = Path(snapshot_download(name, allow_patterns=list(FILES[part])))
        if part == "teacher" and not has_weights(folder):
            snapshot_download(name, allow_patterns=list(PICKLED))
    except (RepositoryNotFoundError, HFValidationError) as error:
        near = hint(name, [model.name for model in CATALOGUE])
        raise ERRORS[part](
            f"there is no folder {name!r}, and the hub has no model of that name{near}: check the name, and log in if "
            "the model is private."
        ) from error
    except Exception as error:  # of the HTTP library, too, which depends on the version of huggingface_hub
        raise ERRORS[part](
            f"{name!r} could not be downloaded from the hub ({type(error).__name__}): check your connection and try "
            f"again, or use a bundled model ({', '.join(BUNDLED)})."
        ) from error
    return folder


def expect_reachable(name: str, part: Part) -> None:
    """Raise within `SECONDS` if a model is no folder, not in the hub's cache, and there is no connection to the hub."""
    with contextlib.suppress(HFValidationError):
        if not Path(name).exists() and not isinstance(try_to_load_from_cache(name, CONFIG), str):
            _expect_connection(name, part)


def _expect_connection(name: str, part: Part) -> None:
    """Raise within `SECONDS` if there is no connection to the hub."""
    endpoint = constants.ENDPOINT
    asked = constants.HF_HUB_ETAG_TIMEOUT if "HF_HUB_ETAG_TIMEOUT" in os.environ else 0
    if constants.is_offline_mode():
        why, remedy = "the hub is switched off (HF_HUB_OFFLINE)", "switch it on"
    elif not _connects(endpoint, max(SECONDS, asked)):
        why = f"{endpoint} does not answer"
        remedy = "connect to the internet (if it is slow, set HF_HUB_ETAG_TIMEOUT=30)"
    else:
        return
    raise ERRORS[part](
        f"{name!r} is not on this machine, and {why}: use a bundled model ({', '.join(BUNDLED)}), name a folder, or "
        f"{remedy}."
    )


def _connects(endpoint: str, seconds: float) -> bool:
    """Whether a server, or the proxy before it, accepts a connection in time. Looking up its address counts too."""
    server = urlsplit(endpoint)
    proxies = {} if proxy_bypass(server.hostname or "") else getproxies()
    door = urlsplit(proxies.get(server.scheme) or proxies.get("all") or endpoint)
    address = (door.hostname or "", door.port or (80 if door.scheme == "http" else 443))
    opened = threading.Event()

    def knock() -> None:
        try:
            socket.create_connection(address, timeout=seconds).close()
        except OSError:
            return
        opened.set()

    thread = threading.Thread(target=knock, daemon=True)  # the system's look-up of names has no time limit
    thread.start()
    thread.join(seconds)
    return opened.is_set()

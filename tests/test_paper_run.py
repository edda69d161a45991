"""The commands of docs/paper-run.md run, one after the other, with stand-ins of the same formats."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import CLIPImageProcessorPil

from tests.evaluation.miniature import voc_palette, write_list, write_mask, write_photo
from tests.tiny import TEACH, clip, tokenizer, write_photos
from zeroseg.cli import main
from zeroseg.feature_cache import FeatureCache, verify_cache
from zeroseg.student import Student

PAGE = Path(__file__).parents[1] / "docs" / "paper-run.md"
TEACHER = "openai/clip-vit-large-patch14"
# sizes of the stand-ins, in place of those of the recipe
VIEWS = ["--side", "32", "--grids", "1", "2"]
SMALL = [
    *("--views.side", "32", "--views.grids", "1", "2", "--student.image-size", "32", "--student.patch-size", "8"),
    *("--student.width", "16", "--student.layers", "1", "--student.heads", "2", "--student.inference-size", "32"),
    *("--student.decoder-width", "16", "--student.decoder-layers", "1", "--student.decoder-heads", "2"),
    *("--student.segment-tokens", "5", "3", "--steps", "3", "--batch-size", "8", "--loop.workers", "1"),
]


def commands() -> list[list[str]]:
    """Of the page, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def made_small(words: list[str], teacher: Path) -> list[str]:
    """A command for the stand-ins."""
    words = [str(teacher) if word == TEACHER else word for word in words]
    words = ["2" if before == "--nproc-per-node" else word for before, word in zip(["", *words], words, strict=False)]
    command = words[words.index("zeroseg") + 1]
    if command == "cache" and "verify" not in words:
        words += VIEWS
    if command == "distill" and "--images" in words:
        words[words.index("--loop.micro-batches") + 1] = "4"
        words += [*SMALL, "--teacher", str(teacher)]
    return words


def write_stand_ins(folder: Path) -> Path:
    """Photos as in ImageNet and VOC, a photo, and a teacher, whose folder is returned."""
    for number, name in enumerate(("n01440764", "n01443537")):
        (folder / "imagenet/train" / name).mkdir(parents=True)
        for path in write_photos(folder / "imagenet/train" / name, 4, side=40 + number):
            path.rename(path.with_suffix(".JPEG"))
    voc = folder / "VOCdevkit/VOC2012"
    for name in ("2007_000033", "2007_000042"):
        write_photo(voc / "JPEGImages" / f"{name}.jpg", 40, 32)
        write_mask(voc / "SegmentationClass" / f"{name}.png", [[0, 0, 1, 255] * 10] * 32, voc_palette())
    write_list(voc / "ImageSets/Segmentation/val.txt", ["2007_000033", "2007_000042"])
    write_list(voc / "ImageSets/Segmentation/train.txt", ["2007_000033"])
    write_photo(folder / "photo.jpg", 60, 40)
    teacher, side = folder / "clip", TEACH.image_size
    clip().save_pretrained(teacher)
    tokenizer().save_pretrained(teacher)
    CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side}).save_pretrained(
        teacher
    )
    return teacher


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs a system with fork")
def test_every_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And leaves what the next one needs: a whole cache, a student, a result."""
    teacher = write_stand_ins(tmp_path)
    monkeypatch.chdir(tmp_path)
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    for words in commands():
        first, *rest = made_small(words, teacher)
        if first == "zeroseg":
            assert main(rest) == 0, shlex.join(words)
            continue
        assert first == "torchrun"
        torchrun = [sys.executable, "-m", "torch.distributed.run", *rest]
        done = subprocess.run(torchrun, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr[:2000]}"
    assert len(FeatureCache(Path("cache"))) == 8
    assert verify_cache(Path("cache")).is_whole
    assert Student.from_pretrained("run/student").config.image_size == 32
    assert json.loads(Path("voc21.json").read_text())["dataset"] == "voc21"
    assert list(Path("masks").rglob("*.png"))

"""The README tells the truth: its commands run, its Python runs, its figures are the ones that come out."""

import re
import shlex
from pathlib import Path

import pytest

from zeroseg.cli import main
from zeroseg.evaluation import evaluate, open_dataset
from zeroseg.segmenter import Segmenter

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALLER = {"--count": "16"}  # what a test can wait for, in place of what the README says
EXTRA = {
    "distill": ["--steps", "2", "--batch-size", "4", "--validate-on", "none"],
    "evaluate": ["--size", "2"],
    "teach": ["--steps", "1", "--batch-size", "2"],
}
SKIPPED = {"demo"}  # has a test of its own


def blocks(language: str) -> list[str]:
    """The README's code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    """The arguments of every `zeroseg` command of the README's bash blocks, made small."""
    found = [shlex.split(line, comments=True) for block in blocks("bash") for line in block.splitlines()]
    small = []
    for _, name, *rest in (words for words in found if words and words[0] == "zeroseg" and words[1] not in SKIPPED):
        rest = [SMALLER.get(before, word) for before, word in zip(["", *rest], rest, strict=False)]
        small.append([name, *rest, *EXTRA.get(name, [])])
    return small


def test_every_command_runs_and_then_the_python_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They are typed in the root of a checkout; here `src` is a link to it, so that results go elsewhere."""
    (tmp_path / "src").symlink_to(ROOT / "src")
    monkeypatch.chdir(tmp_path)
    assert len(commands()) >= 6
    for arguments in commands():
        assert main(arguments) == 0, f"`zeroseg {shlex.join(arguments)}` failed"
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), {})


def test_the_bundled_student_reaches_its_figure():
    """Held-out VOC-like scenes, the student's own read-out; to a tenth of a point, and near the seeds' mean."""
    said, mean = re.search(r"prints\s+its ([\d.]+);", README), re.search(r"\| \*\*([\d.]+) ± [\d.]+\*\* \|", README)
    assert said is not None
    assert mean is not None
    result = evaluate(Segmenter.from_pretrained("picturebook"), open_dataset("picturebook-voc"))
    assert 100 * result.miou == pytest.approx(float(said[1]), abs=0.1)
    assert 100 * result.miou == pytest.approx(float(mean[1]), abs=0.5)

"""Compare whether two commits compute the same results, bit for bit. A refactor has to show this.

python scripts/bit_identity.py COMMIT COMMIT [--work FOLDER]

Each commit is checked out into its own folder, and the same commands run there on one thread: 50 training steps of
each kind (our recipe, the paper's, captions, captions with single words, masks, the teacher), mIoU of the bundled
student and of baselines on the three picturebook vocabularies, and 20 masks. Printed are a digest of each result, and
whether the two agree; the exit code is 1 if they do not. Results stay in --work, so a commit is run once.

A commit is any name that git accepts; "." is the working tree, which is run again each time.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

ROOT = Path(__file__).parents[1]
STEPS, IMAGES, SCENES, PHOTOS = "50", "256", "60", 20
LABELS = "cat, dog, car, tree, house, sunflower, grass"
MEASURED = {
    "student voc": ["picturebook-voc"],
    "student context": ["picturebook-context"],
    "student coco": ["picturebook-coco"],
    "student by segment": ["picturebook-voc", "--naming", "segments", "--refinement", "0"],
    "student, product": ["picturebook-voc", "--background", "product"],
    "student, softmax": ["picturebook-voc", "--background", "softmax"],
    "student, sigmoid": ["picturebook-voc", "--background", "sigmoid"],
    "student, calibrated": ["picturebook-voc", "--calibrate"],
    "student, tcl": ["picturebook-coco", "--protocol", "tcl"],
    "student, paper": ["picturebook-voc", "--protocol", "paper"],
    "student, scliplike": ["picturebook-voc", "--protocol", "scliplike"],
    "maskclip": ["picturebook-voc", "--method", "maskclip", "--refinement", "0"],
    "sclip": ["picturebook-voc", "--method", "sclip", "--refinement", "0"],
    "naclip": ["picturebook-voc", "--method", "naclip", "--refinement", "10"],
    "clearclip": ["picturebook-voc", "--method", "clearclip", "--refinement", "0"],
    "crops": ["picturebook-voc", "--method", "crops", "--refinement", "0"],
    "true regions": ["picturebook-voc", "--method", "oracle"],
}


def main() -> int:
    """Run both commits, and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("commits", nargs=2)
    parser.add_argument("--work", type=Path, default=Path("/tmp/bit-identity"))
    given = parser.parse_args()
    one, other = (digests(commit, given.work.resolve()) for commit in given.commits)
    same = True
    for name in dict.fromkeys([*one, *other]):
        agree = one.get(name) == other.get(name)
        same &= agree
        print(f"{'same' if agree else 'DIFFERENT':<10}{name:<28}{one.get(name, '-'):<18}{other.get(name, '-')}")
    print("all the same" if same else "not the same")
    return 0 if same else 1


def digests(commit: str, work: Path) -> dict[str, str]:
    """A digest of every result of a commit."""
    if commit == ".":
        name, tree = "working-tree", ROOT
        shutil.rmtree(work / name, ignore_errors=True)
    else:
        name = subprocess.check_output(["git", "rev-parse", commit], cwd=ROOT, text=True).strip()[:12]
        tree = work / name / "tree"
        if not tree.exists():
            tree.mkdir(parents=True)
            archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, stdout=subprocess.PIPE)
            subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
    out = work / name / "out"
    out.mkdir(parents=True, exist_ok=True)
    found = dict[str, str]()
    for part in (records, masks, figures, training):
        found |= part(tree, out)
    return found


def records(tree: Path, _out: Path) -> dict[str, str]:
    """The records of all experiments, as they are saved."""
    paths = sorted((tree / "docs" / "records").rglob("*.json"))
    return {"saved records": _digest(*(path.read_bytes() for path in paths))}


def masks(tree: Path, out: Path) -> dict[str, str]:
    """Written masks of scenes."""
    scenes = out / "photos"
    _run(
        tree, "picturebook", "write", "--split", "validation", "--count", f"{PHOTOS}", "--side", "160", "--out", scenes
    )
    written = out / "masks"
    _once(written, lambda: _run(tree, "segment", scenes, "--labels", LABELS, "--out", written))
    paths = sorted(written.glob("*[0-9].png"))
    assert len(paths) == PHOTOS
    scores = [json.loads(path.with_suffix(".json").read_text())["labels"] for path in paths]
    return {
        "20 masks": _digest(*(np.asarray(Image.open(path)).tobytes() for path in paths)),
        "their scores": _digest(json.dumps([[row["score"] for row in rows] for rows in scores]).encode()),
    }


def figures(tree: Path, out: Path) -> dict[str, str]:
    """Confusion matrices of the bundled student and of baselines."""
    found = dict[str, str]()
    for name, options in MEASURED.items():
        path = out / f"{name}.json"
        words = ["evaluate", "--dataset", *options, "--size", SCENES, "--json", path]
        _once(path, lambda words=words: _run(tree, *words))
        found[name] = _digest(json.dumps(json.loads(path.read_text())["confusion"]).encode())
    return found


def training(tree: Path, out: Path) -> dict[str, str]:
    """Weights after 50 steps of each kind."""
    images = out / "images"
    _run(tree, "picturebook", "write", "--split", "unlabelled", "--count", IMAGES, "--out", images)
    for name, options in {"cache": ["--grids", "1", "2", "3", "4"], "cache-paper": []}.items():
        recipe = [] if options else ["--recipe", "picturebook_faithful"]
        _run(tree, "cache", images, *options, *recipe, "--out", out / name)
    few = ["--steps", STEPS, "--seeds", "1", "--scenes.validation", "4", "--scenes.held-out", "4"]
    places = ["--out", out / "runs", "--records", out / "records", "--pages", out / "pages"]
    runs = ["--images", images, *few, *places]
    done = out / "trained"
    if not done.exists():
        _run(tree, "reproduce", "t7", "--cache", out / "cache", *runs)
        _run(tree, "experiment", "faithful", "--only", "base", "cosine", "--cache", out / "cache-paper", *runs)
        _run(tree, "teach", "--steps", STEPS, "--out", out / "teach")
        done.touch()
    found = dict[str, str]()
    for path in sorted((out / "runs").rglob("model.safetensors")):
        experiment, run, kind = path.relative_to(out / "runs").parts[:3]
        found[f"{experiment}: {run.rsplit('-', 2)[0]}, {kind}"] = _weights(path)
    return {**found, "teacher after 50 steps": _weights(out / "teach" / "teacher" / "model.safetensors")}


def _weights(path: Path) -> str:
    tensors = load_file(path)
    return _digest(*(name.encode() + tensors[name].tobytes() for name in sorted(tensors)))


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def _once(result: Path, make: Callable[[], None]) -> None:
    if not result.exists():
        make()


def _run(tree: Path, *words: str | Path) -> None:
    """A command of the commit's own `zeroseg`, on one thread."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "zeroseg.cli", *map(str, words)]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())

"""Data sets and lists of labels in a folder of results: of all runs, and never over the files of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.segmenting.test_run import SETTINGS, VOCABULARY, contents, run_over, states
from tests.tiny import photo
from zeroseg.errors import OutputError
from zeroseg.formats import DATASET_FORMATS
from zeroseg.images import search_images
from zeroseg.segmenting import SharedFiles, Wanted
from zeroseg.vocabulary import Vocabulary

OTHERS = Vocabulary(("cat", "grass"))


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with a photo of the same name, and one more."""
    for folder, names in (("one", ("a", "b")), ("two", ("a", "c"))):
        (tmp_path / folder).mkdir()
        for number, name in enumerate(names):
            photo(40, 32, seed=number + len(folder)).save(tmp_path / folder / f"{name}.png")
    return tmp_path / "one", tmp_path / "two"


@pytest.mark.parametrize("name", DATASET_FORMATS)
def test_a_data_set_holds_the_results_of_all_runs(name: str, two: tuple[Path, Path], tmp_path: Path) -> None:
    """With the same settings, and of photos that are still there as they were; in either order the same."""
    for out, order in ((tmp_path / "out", two), (tmp_path / "again", (*two, two[0]))):
        for folder in order:
            run_over(folder, out, Wanted((name,)))
    found = {one.photo for one in DATASET_FORMATS[name].read(tmp_path / "out" / name)}
    assert found == {"one/a.png", "one/b.png", "two/a.png", "two/c.png"}
    first, second = ({n: c for n, c in contents(tmp_path / o).items() if n.startswith(name)} for o in ("out", "again"))
    assert first.keys() == second.keys()
    (two[0] / "b.png").unlink()
    run_over(two[1], tmp_path / "out", Wanted((name,)))
    assert {one.photo for one in DATASET_FORMATS[name].read(tmp_path / "out" / name)} == {
        "one/a.png",
        "two/a.png",
        "two/c.png",
    }
    run_over(two[1], tmp_path / "out", Wanted((name,)), OTHERS)
    assert {one.photo for one in DATASET_FORMATS[name].read(tmp_path / "out" / name)} == {"a.png", "c.png"}


@pytest.mark.parametrize("kind", ["changed", "foreign"])
@pytest.mark.parametrize("name", ["coco", "datumaro", "voc-png"])
def test_shared_files_of_others_are_kept(name: str, kind: str, two: tuple[Path, Path], tmp_path: Path) -> None:
    """The run says so before its work begins."""
    out = tmp_path / "out"
    run_over(two[0], tmp_path / "probe" if kind == "foreign" else out, Wanted((name,)))
    where = tmp_path / "probe" if kind == "foreign" else out
    (file,) = [p for p in (where / name).rglob("*") if p.suffix in (".json", ".txt") and not p.name.startswith(".")]
    path = out / file.relative_to(where)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    before = contents(out)
    with pytest.raises(OutputError, match="move it away"):
        run_over(two[0], out, Wanted((name,)))
    assert contents(out) == before


def test_a_list_of_labels_that_others_need_is_kept(two: tuple[Path, Path], tmp_path: Path) -> None:
    """Other labels for other photos need another folder; for all photos of the folder they replace the list."""
    out, wanted = tmp_path / "out", Wanted(("yolo",))
    run_over(two[0], out, wanted)
    before = contents(out)
    with pytest.raises(OutputError, match="other labels"):
        run_over(two[1], out, wanted, OTHERS)
    assert contents(out) == before
    run_over(two[1], out, Wanted(("numpy",)), OTHERS)  # each file of it stands by itself
    run_over(two[0], out, wanted, OTHERS)
    assert '"cat"' in (out / "yolo" / "data.yaml").read_text(encoding="utf-8")


def test_files_of_former_labels_go_with_their_list(two: tuple[Path, Path], tmp_path: Path) -> None:
    """If a photo fails meanwhile, no file is left that would be read with the new list; unless somebody changed it."""
    out, wanted = tmp_path / "out", Wanted(("yolo", "voc-png"))
    run_over(two[0], out, wanted)
    (two[0] / "a.png").write_bytes(b"broken")
    assert states(run_over(two[0], out, wanted, OTHERS)[0]) == "fn"
    assert not (out / "yolo" / "labels" / "a.txt").exists()
    assert not (out / "voc-png" / "a.png").exists()
    assert (out / "yolo" / "labels" / "b.txt").exists()
    (out / "yolo" / "labels" / "b.txt").write_text("mine")
    before = contents(out)
    with pytest.raises(OutputError, match="would no longer fit"):
        run_over(two[0], out, wanted)
    assert contents(out) == before


def test_what_a_data_set_leaves_out_is_said(two: tuple[Path, Path], tmp_path: Path) -> None:
    """Results of other photos with other labels."""
    run_over(two[0], tmp_path / "out", Wanted(("coco",)))
    found = search_images([two[1]]).pictures
    outcomes, _ = run_over(two[1], tmp_path / "out", words=OTHERS)
    shared = SharedFiles(tmp_path / "out", SETTINGS, Wanted(("coco",)), found)
    assert [sentence.partition(", ")[2] for sentence in shared.write_data_sets(outcomes)] == [
        "without 2 of other labels or settings"
    ]


def test_a_list_that_changes_is_not_there_until_all_is_written(two: tuple[Path, Path], tmp_path: Path) -> None:
    """An interrupted run leaves no list that does not fit."""
    out, wanted = tmp_path / "out", Wanted(("yolo",))
    run_over(two[0], out, wanted)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt("here")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zeroseg.segmenting.run.ResultFiles.write", stopped)
        with pytest.raises(KeyboardInterrupt, match="here"):
            run_over(two[0], out, wanted, OTHERS)
    assert not (out / "yolo" / "data.yaml").exists()
    run_over(two[0], out, wanted, OTHERS)
    assert '"cat"' in (out / "yolo" / "data.yaml").read_text(encoding="utf-8")


def test_a_data_set_whose_writing_was_cut_off_is_made_again(two: tuple[Path, Path], tmp_path: Path) -> None:
    """Its files are known to be ours."""
    out, wanted = tmp_path / "out", Wanted(("coco",))
    run_over(two[0], out, wanted)
    (out / "coco" / ".zeroseg").write_text(json.dumps({"writing": True}))
    (file,) = (out / "coco").glob("*.json")
    file.write_text("half")
    assert states(run_over(two[0], out, wanted, VOCABULARY)[0]) == "ss"
    assert json.loads(file.read_text(encoding="utf-8"))["images"]

"""Runs over many photos: nothing twice, nothing lost, and the same masks whatever the batch."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tiny import PATCH_STUDENT, photo, student, teacher
from zeroseg.encoding import Encoded
from zeroseg.errors import OutputError
from zeroseg.formats import DATASET_FORMATS, PICTURE_FORMATS, Classes
from zeroseg.images import Found, ImageSource, search_images
from zeroseg.method_names import Absent
from zeroseg.rules import NoBackground
from zeroseg.segmenter import Segmenter
from zeroseg.segmenting import Outcome, Run, Settings, SharedFiles, Summary, Wanted
from zeroseg.segmenting.report import report, spread
from zeroseg.segmenting.result_files import annotated
from zeroseg.vocabulary import Vocabulary

VOCABULARY = Vocabulary(("dog", "grass", "salt, pepper"))
PLAIN = Wanted()
SETTINGS = Settings({"model": "tiny"}, {}, (), Classes(VOCABULARY.labels), "")
SIZES = ((32, 40), (40, 32), (32, 40), (16, 64), (32, 40), (50, 50))


class Counting(Segmenter):
    """A segmenter that notes how many pictures it has encoded, and in which batches."""

    batches: list[int]

    def encode_batch(self, images: Sequence[ImageSource]) -> list[Encoded]:
        """See `Segmenter`."""
        self.batches.append(len(images))
        return super().encode_batch(images)


@cache
def networks() -> Segmenter:
    """Small and random."""
    return Segmenter.of(student(PATCH_STUDENT), teacher())


def counting() -> Counting:
    """A segmenter with a count of its own."""
    shared = networks()
    one = Counting(shared.encoder, shared.teacher, shared.read_out, shared.words)
    one.batches = []
    return one


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with photos in two folders, and one file that is no photo."""
    folder = tmp_path / "photos"
    for number, size in enumerate(SIZES):
        path = folder / ("a" if number % 2 else "b") / f"{number}.png"
        path.parent.mkdir(exist_ok=True, parents=True)
        photo(*size, seed=number).save(path)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def run_over(
    photos: Path, out: Path, wanted: Wanted = PLAIN, words: Vocabulary = VOCABULARY
) -> tuple[list[Outcome], list[int]]:
    """What becomes of all photos, and the batches that the network has seen."""
    segmenter = counting()
    run = Run(segmenter, words, out, Settings.of(segmenter, words, {"model": "tiny"}), wanted)
    found = search_images([photos]).pictures
    shared = SharedFiles(out, run.settings, wanted, found)
    shared.begin()
    outcomes = list(run.outcomes(found))
    shared.end()
    list(shared.write_data_sets(outcomes))
    return outcomes, segmenter.batches


def contents(folder: Path) -> dict[str, bytes]:
    """All files by their relative paths."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def states(outcomes: Sequence[Outcome]) -> str:
    """A letter a photo: new, stood, or failed."""
    return "".join("f" if one.error else "s" if one.stood else "n" for one in outcomes)


def test_photos_in_a_tar_are_segmented_as_those_of_a_folder_and_stand(photos: Path, tmp_path: Path) -> None:
    """Their results are at the same places, and have the same masks."""
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        tar.add(photos, ".")
    outcomes, _ = run_over(tmp_path / "photos.tar", tmp_path / "of tar")
    run_over(photos, tmp_path / "of folder")
    masks = {name: data for name, data in contents(tmp_path / "of folder").items() if name.endswith(".png")}
    assert {name: data for name, data in contents(tmp_path / "of tar").items() if name.endswith(".png")} == masks
    assert sorted(states(outcomes)) == ["f", *"n" * len(SIZES)]
    assert sorted(states(run_over(tmp_path / "photos.tar", tmp_path / "of tar")[0])) == ["f", *"s" * len(SIZES)]


def test_photos_are_segmented_once(photos: Path, tmp_path: Path) -> None:
    """In order; the broken one is an outcome, too. A second run changes nothing and needs no network."""
    outcomes, batches = run_over(photos, tmp_path / "out")
    assert [one.found.place.as_posix() for one in outcomes] == [
        *("a/1.png", "a/3.png", "a/5.png", "b/0.png", "b/2.png", "b/4.png", "broken.jpg")
    ]
    assert (states(outcomes), batches) == ("nnnnnnf", [1] * 6)
    before = contents(tmp_path / "out")
    again, batches = run_over(photos, tmp_path / "out")
    assert (states(again), batches) == ("ssssssf", [])
    assert contents(tmp_path / "out") == before
    assert [one.labels for one in again][:6] == [
        json.loads(before[f"{p}.json"])["labels"] for p in ("a/1", "a/3", "a/5", "b/0", "b/2", "b/4")
    ]


def test_a_result_stands_until_something_changes(photos: Path, tmp_path: Path) -> None:
    """The photo, the labels, a file of the result; or --overwrite."""
    out = tmp_path / "out"
    run_over(photos, out)
    photo(20, 20).save(photos / "a/1.png")
    (out / "a/3.png").unlink()
    (out / "b/0.json").write_text("{}")
    outcomes, _ = run_over(photos, out)
    assert states(outcomes) == "nnsnssf"
    assert outcomes[3].stem == out / "b/0-2"  # what has no record of ours is not written over
    assert states(run_over(photos, out, words=Vocabulary(("dog",)))[0]) == "nnnnnnf"
    assert states(run_over(photos, out, Wanted(overwrite=True), Vocabulary(("dog",)))[0]) == "nnnnnnf"


def test_formats_of_former_labels_are_written_again(photos: Path, tmp_path: Path) -> None:
    """A file that was there before the labels changed is no file of this result."""
    out, wanted, others = tmp_path / "out", Wanted(("numpy", "yolo")), Vocabulary(("grass", "dog", "cat"))
    run_over(photos, out, wanted)
    run_over(photos, out, words=others)
    outcomes, batches = run_over(photos, out, wanted, others)
    assert (states(outcomes), batches) == ("ssssssf", [])
    run_over(photos, tmp_path / "new", wanted, others)
    new, old = contents(tmp_path / "new"), contents(out)
    assert [name for name, content in new.items() if old[name] != content and not name.endswith(".json")] == []


@pytest.mark.parametrize("kind", ["empty mask", "folder", "empty overlay", "no labels", "foreign record", "no record"])
def test_a_damaged_result_is_made_again(kind: str, photos: Path, tmp_path: Path) -> None:
    """It does not stand, it does not end the run, and what is not ours is not written over."""
    out = tmp_path / "out"
    run_over(photos, out)
    whole = contents(out)
    if kind == "folder":
        (out / "a/1.png").unlink()
        (out / "a/1.png").mkdir()
    elif kind in ("empty mask", "empty overlay"):
        (out / ("a/1.png" if kind == "empty mask" else "a/1.overlay.jpg")).write_bytes(b"")
    else:
        text = {
            "no labels": '{"made_by": "zeroseg", "photo": "x"}',
            "foreign record": '{"made_by": 1}',
            "no record": "[",
        }
        (out / "a/1.json").write_text(text[kind])
    outcomes, _ = run_over(photos, out)
    if kind == "folder":  # in the place of a mask
        assert states(outcomes) == "fsssssf"
        assert "a/1.png" in str(outcomes[0].error)
        return
    assert states(outcomes) == "nsssssf"
    found = contents(out)
    if kind in ("empty mask", "empty overlay"):
        assert found == whole
    else:
        assert found["a/1-2.png"] == whole["a/1.png"]
        assert found["a/1.json"] == text[kind].encode()


@pytest.mark.parametrize("moment", range(8))
def test_a_crash_while_files_get_their_names(
    moment: int, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With former results there or not: the next run makes what is missing, and keeps no file of former labels."""
    out, wanted, others, renamed = tmp_path / "out", Wanted(("labelme", "yolo")), Vocabulary(("grass", "cat")), [0]
    for path in [*photos.rglob("[2-5].png"), photos / "broken.jpg"]:
        path.unlink()
    rename = Path.replace

    def crashing(path: Path, target: Path) -> Path:
        if target.suffix != ".yaml":
            renamed[0] += 1
            if renamed[0] == moment + 1:
                raise KeyboardInterrupt("here")
        return rename(path, target)

    for words in (VOCABULARY, others):
        renamed[0] = 0
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", crashing)
            with pytest.raises(KeyboardInterrupt, match="here"):
                run_over(photos, out, wanted, words)
        states_after = states(run_over(photos, out, wanted, words)[0])
        assert "f" not in states_after
        whole = tmp_path / f"whole-{words.labels[0]}"
        run_over(photos, whole, wanted, words)
        found, expected = contents(out), contents(whole)
        assert found.keys() == expected.keys()
        assert [n for n in found if found[n] != expected[n] and not n.endswith((".json", ".zeroseg"))] == []
        assert [n for n in found if n.startswith("labelme") and found[n] != expected[n]] == []


@pytest.mark.parametrize("kind", ["changed", "foreign", "mask"])
def test_what_people_have_changed_is_kept(kind: str, photos: Path, tmp_path: Path) -> None:
    """A corrected annotation, or a file of their own, is never written over; the photo is reported."""
    out, wanted = tmp_path / "out", Wanted(("labelme",))
    path = out / ("a/1.png" if kind == "mask" else "labelme/a/1.json")
    if kind != "foreign":
        run_over(photos, out, wanted)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = tmp_path / "own.png"
    Image.new("L", (7, 5)).save(own)
    path.write_bytes(own.read_bytes() if kind == "mask" else b'{"mine": 1}')
    if kind != "foreign":
        assert states(run_over(photos, out, wanted)[0]) == "ssssssf"  # as long as nothing must be written
    before = contents(out)
    outcomes, _ = run_over(photos, out, wanted, Vocabulary(("dog",)))
    assert states(outcomes) == "fnnnnnf"
    assert "move it away" in str(outcomes[0].error)
    name = path.relative_to(out).as_posix()
    assert contents(out)[name] == before[name]
    path.unlink()
    assert states(run_over(photos, out, wanted, Vocabulary(("dog",)))[0])[0] == "n"


def test_names_that_are_no_text(photos: Path, tmp_path: Path) -> None:
    """File systems have names that are not UTF-8: in every format, in the report, and read again."""
    try:
        (photos / "a/1.png").rename(photos / "a/1\udcff.png")
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    outcomes, _ = run_over(photos, tmp_path / "out", Wanted((*PICTURE_FORMATS, *DATASET_FORMATS)))
    assert states(outcomes) == "nnnnnnf"
    summary = Summary(VOCABULARY.labels)
    assert report(outcomes, summary, SETTINGS, "").encode(errors="replace").count(b"<img") == 6
    assert any(one.photo == "a/1\ufffd.png" for one in DATASET_FORMATS["coco"].read(tmp_path / "out/coco"))


def test_a_batch_of_1_equals_a_batch_of_n(photos: Path, tmp_path: Path) -> None:
    """Also of photos with different sizes, and with a broken one among them. The same run twice is the same file."""
    for name, batch in (("one", 1), ("four", 4), ("again", 4)):
        _, batches = run_over(photos, tmp_path / name, Wanted(batch=batch))
        assert batches == ([1] * 6 if batch == 1 else [4, 2])
    assert contents(tmp_path / "one") == contents(tmp_path / "four") == contents(tmp_path / "again")


def test_an_interrupted_run_goes_on(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever moment it is stopped at: no file is half-written, and the second run does the rest."""
    whole, out = tmp_path / "whole", tmp_path / "out"
    run_over(photos, whole)
    encode = Counting.encode_batch
    for stop in range(1, 6):

        def interrupted(self: Counting, images: Sequence[ImageSource], stop: int = stop) -> list[Encoded]:
            if len(self.batches) == stop:
                raise KeyboardInterrupt("here")
            return encode(self, images)

        with monkeypatch.context() as patch:
            patch.setattr(Counting, "encode_batch", interrupted)
            with pytest.raises(KeyboardInterrupt, match="here"):
                run_over(photos, out, Wanted(overwrite=True))
        assert all(contents(whole)[name] == content for name, content in contents(out).items())
    outcomes, batches = run_over(photos, out)
    assert 0 < len(batches) < 6
    assert states(outcomes).count("s") == 6 - len(batches)
    assert contents(out) == contents(whole)


def test_formats_are_written_and_completed(photos: Path, tmp_path: Path) -> None:
    """All at once, or later, from results that stand: the files are the same, and the network is not needed."""
    every = (*PICTURE_FORMATS, *DATASET_FORMATS)
    run_over(photos, tmp_path / "now", Wanted(every))
    run_over(photos, tmp_path / "later")
    outcomes, batches = run_over(photos, tmp_path / "later", Wanted(every))
    assert (states(outcomes), batches) == ("ssssssf", [])
    now, later = contents(tmp_path / "now"), contents(tmp_path / "later")
    assert now.keys() == later.keys()
    assert {path.split("/")[0] for path in now} == {"a", "b", *every}
    for name, kind in DATASET_FORMATS.items():
        read = {one.photo: one.segmentation for one in kind.read(tmp_path / "later" / name)}
        for one in outcomes[:6]:
            written, found = annotated(one).segmentation, read[one.found.place.as_posix()]
            names = np.array(written.labels), np.array(found.labels)
            assert (names[0][written.class_map] == names[1][found.class_map]).all(), name


def test_a_full_disk_ends_the_run(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written stands, nothing is half-written, and the next run goes on."""
    written, write = list[int](), Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        written.append(1)
        if len(written) == 8:  # the second file of the third photo
            raise OSError(28, "No space left on device")
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="disk is full"):
            run_over(photos, tmp_path / "out")
    left = contents(tmp_path / "out")
    stems = {path.split(".")[0] for path in left}
    assert {"a/1", "a/3"} <= stems
    assert "a/5" not in stems
    assert left.keys() == {f"{stem}{end}" for stem in stems for end in (".png", ".overlay.jpg", ".json")}
    assert states(run_over(photos, tmp_path / "out")[0]).startswith("ssn")


def test_the_report_shows_photos_and_counts(photos: Path, tmp_path: Path) -> None:
    """With overlays on the disk, or drawn for it; broken photos are named, and names are escaped."""
    (photos / "a/1.png").rename(photos / "a/<b>1.png")
    for overlays in (True, False):
        outcomes, _ = run_over(photos, tmp_path / f"{overlays}", Wanted(overlays=overlays))
        assert any(".overlay" in name for name in contents(tmp_path / f"{overlays}")) == overlays
        summary = Summary(VOCABULARY.labels)
        for one in outcomes:
            summary.add(one)
        page = report(outcomes, summary, SETTINGS, "made today")
        assert page.count("<img") == 6
        assert "&lt;b&gt;1.png" in page
        assert "<b>1" not in page
        assert "broken.jpg" in page
        assert "salt, pepper" in page
    assert [one.found.place.name for one in spread(outcomes, 3)] == ["3.png", "<b>1.png", "2.png"]


def test_photos_that_are_removed_do_not_cost_the_report(photos: Path, tmp_path: Path) -> None:
    """Without overlays their masks are shown."""
    outcomes, _ = run_over(photos, tmp_path / "out", Wanted(overlays=False))
    (photos / "a/1.png").unlink()
    assert report(outcomes, Summary(VOCABULARY.labels), SETTINGS, "").count("<img") == 6


def test_folders_that_are_called_like_formats(tmp_path: Path) -> None:
    """Their results lie beside the folders of the formats, and are in all data sets."""
    for place in ("coco/p", "labelme/x/l", "plain/q", "x/l", "coco-2/p"):
        (tmp_path / "photos" / place).parent.mkdir(parents=True, exist_ok=True)
        photo(40, 32, seed=len(place)).save(tmp_path / "photos" / f"{place}.png")
    for wanted in (Wanted(), Wanted(("coco", "labelme")), Wanted(("coco", "labelme"))):
        outcomes, _ = run_over(tmp_path / "photos", tmp_path / "out", wanted)
        assert "f" not in states(outcomes)
    assert (tmp_path / "out" / "coco-2" / "p-2.png").exists()
    names = {one.photo for one in DATASET_FORMATS["coco"].read(tmp_path / "out" / "coco")}
    assert names == {"coco/p.png", "labelme/x/l.png", "plain/q.png", "x/l.png", "coco-2/p.png"}


def test_the_summary_counts(photos: Path, tmp_path: Path) -> None:
    """Photos with each label, and those that failed; the background is no label."""
    summary = Summary(VOCABULARY.labels)
    outcomes, _ = run_over(photos, tmp_path / "out")
    for one in outcomes:
        summary.add(one)
    assert (summary.done, summary.stood, len(summary.failed)) == (6, 0, 1)
    maps = [annotated(one).segmentation for one in outcomes[:6]]
    for label, count, mean in summary.rows():
        areas = [found.mask(label).mean() for found in maps if found.mask(label).any()]
        assert (count, mean) == (len(areas), pytest.approx(np.mean(areas) if areas else 0, abs=1e-5))
    assert json.loads(json.dumps(summary.as_json()))["segmented"] == 6


def test_a_removed_photo_is_one_failure(photos: Path, tmp_path: Path) -> None:
    """It was there when the folder was searched."""
    found = search_images([photos]).pictures
    (photos / "a/3.png").unlink()
    segmenter = counting()
    run = Run(segmenter, VOCABULARY, tmp_path / "out", Settings.of(segmenter, VOCABULARY, {}), Wanted())
    outcomes = list(run.outcomes(found))
    assert states(outcomes) == "nfnnnnf"
    assert "no file" in str(outcomes[1].error)


def test_masks_are_read_again(photos: Path, tmp_path: Path) -> None:
    """A mask with a palette, and its record, make the segmentation that was written."""
    outcomes, _ = run_over(photos, tmp_path / "out")
    for one in outcomes[:6]:
        found = networks()(one.found.path, VOCABULARY)
        read = annotated(one).segmentation
        assert (read.class_map == found.class_map).all()
        assert read.labels == found.labels
        assert read.scores == pytest.approx(found.scores, abs=1e-6)
        with Image.open(f"{one.stem}.png") as mask:
            assert mask.mode == "P"


@pytest.mark.parametrize("absent", ["drop", "keep", "ask"])
def test_absent_labels_lose_their_pixels(absent: Absent, photos: Path, tmp_path: Path) -> None:
    """Dropped, kept, or asked for; the record has the presence of every label in every case."""
    asked = list[str]()

    def ask(photo: Found, label: str, sure: float, fraction: float) -> bool:
        asked.append(f"{photo.place.name} {label}")
        assert 0 <= sure < 0.5
        assert 0 < fraction <= 1
        return label == largest

    segmenter = networks().reading(present_above=1e3, background=NoBackground())
    kept = segmenter(photos / "a/1.png", VOCABULARY)
    largest = kept.present[0]
    wanted = Wanted(absent=absent, ask=ask)
    run = Run(segmenter, VOCABULARY, tmp_path / "out", Settings.of(segmenter, VOCABULARY, {"absent": absent}), wanted)
    (outcome,) = run.outcomes(search_images([photos / "a/1.png"]).pictures)
    found = annotated(outcome).segmentation
    assert all(0 <= row["presence"] <= 1 for row in outcome.labels)
    if absent == "ask":
        assert asked == [f"1.png {label}" for label in VOCABULARY.labels if label in kept.present]
        assert found.present == (largest,)
    else:  # without a background, and with no label left, all of them are kept
        assert (found.class_map == kept.class_map).all()
        assert not asked

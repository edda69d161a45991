"""A measurement that was interrupted goes on where it was, to the very same result."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluation.miniature import write_mask, write_photo
from tests.evaluation.test_benchmark import SIDE, Blots, segmenter
from zeroseg.errors import DatasetError
from zeroseg.evaluation import Result, Sample, evaluate
from zeroseg.evaluation.coco_json import open_coco_instances, open_coco_panoptic
from zeroseg.evaluation.folder import open_folder
from zeroseg.evaluation.labelled_images import LabelledImages
from zeroseg.evaluation.masks import MaskOptions
from zeroseg.evaluation.metrics import class_counts
from zeroseg.evaluation.partial import Partial, partial_path

CONFUSED = ("sky", "cat", "cat", "tree")  # dogs are taken for cats


@dataclass
class Breaking(Blots):
    """Blots of which one cannot be had."""

    at: int = 1
    by: BaseException | None = None

    def sample(self, number: int) -> Sample:
        if number == self.at and self.by is not None:
            raise self.by
        return super().sample(number)


@dataclass
class Counting(Blots):
    """Blots that count which of them are looked at."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.seen: list[int] = []

    def __iter__(self) -> Iterator[Sample]:
        return map(self.sample, range(len(self)))

    def sample(self, number: int) -> Sample:
        self.seen.append(number)
        return super().sample(number)


def assert_same(one: Result, other: Result) -> None:
    assert one.summary() == other.summary()
    np.testing.assert_array_equal(one.class_counts, other.class_counts)
    np.testing.assert_array_equal(one.upper_bound, other.upper_bound)
    for ours, theirs in ((one.worst, other.worst), (one.best, other.best)):
        assert [(example.name, example.miou) for example in ours] == [(e.name, e.miou) for e in theirs]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "partial.npz"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt("pressed"), DatasetError("a mask cannot be read")])
@pytest.mark.parametrize("after", [1, 2])
def test_a_measurement_goes_on_to_the_same_result(after: int, interruption: BaseException, path: Path):
    with pytest.raises(type(interruption), match=str(interruption)):
        evaluate(segmenter(CONFUSED), Breaking(at=after, by=interruption), examples=1, partial=path)
    assert path.is_file()
    blots, heard = Counting(), list[int]()
    resumed = evaluate(segmenter(CONFUSED), blots, heard.append, partial=path)
    assert blots.seen == list(range(after, 3))
    assert heard == [after, *[1] * (3 - after)]  # what is kept counts as done
    assert_same(resumed, evaluate(segmenter(CONFUSED), Blots()))
    again = Counting()
    assert_same(evaluate(segmenter(CONFUSED), again, partial=path), resumed)
    assert again.seen == []  # what is complete is not measured again


def test_the_best_and_worst_images_may_be_of_those_that_were_measured_before(path: Path):
    with pytest.raises(KeyboardInterrupt, match="pressed"):
        evaluate(segmenter(CONFUSED), Breaking(at=2, by=KeyboardInterrupt("pressed")), examples=2, partial=path)
    resumed = evaluate(segmenter(CONFUSED), Blots(), examples=2, partial=path)
    assert_same(resumed, evaluate(segmenter(CONFUSED), Blots(), examples=2))
    assert len(resumed.best) + len(resumed.worst) == 3


def test_what_fails_before_the_first_image_keeps_nothing(path: Path):
    with pytest.raises(KeyboardInterrupt, match="pressed"):
        evaluate(segmenter(), Breaking(at=0, by=KeyboardInterrupt("pressed")), partial=path)
    assert not path.exists()


def test_without_a_file_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt, match="pressed"):
        evaluate(segmenter(), Breaking(at=2, by=KeyboardInterrupt("pressed")))
    assert list(tmp_path.iterdir()) == []


def interrupted(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match="pressed"):
        evaluate(segmenter(CONFUSED), Breaking(at=2, by=KeyboardInterrupt("pressed")), partial=path)


@pytest.mark.parametrize("damage", ["empty", "text", "cut short", "an array", "other arrays"])
def test_a_damaged_file_is_measured_anew(damage: str, path: Path):
    interrupted(path)
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("no arrays")
        case "cut short":
            path.write_bytes(path.read_bytes()[:-200])
        case "an array":
            with path.open("wb") as file:
                np.save(file, np.zeros(3))
        case _:
            with path.open("wb") as file:
                np.savez(file, confusion=np.zeros((4, 4), np.int64))
    blots = Counting()
    assert_same(evaluate(segmenter(CONFUSED), blots, partial=path), evaluate(segmenter(CONFUSED), Blots()))
    assert blots.seen == [0, 1, 2]


def test_a_file_of_other_classes_is_measured_anew(path: Path):
    interrupted(path)
    blots = Counting()
    blots.classes = (*blots.classes, "bird")
    blots.vocabulary = replace(blots.vocabulary, labels=(*blots.vocabulary.labels, "bird"))
    result = evaluate(segmenter(CONFUSED), blots, partial=path)
    assert blots.seen == [0, 1, 2]
    assert result.confusion.shape == (5, 5)


def test_what_is_kept_is_what_was_added(path: Path):
    """An image without a pixel that counts has its place, too."""
    one, none = np.array([[3, 1], [0, 2]]), np.zeros((2, 2), np.int64)

    def stopped() -> None:
        with Partial.kept_in(path, 2) as done:
            done.add(one, 2 * one, class_counts(one))
            done.add(none, none, class_counts(none))
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        stopped()
    with Partial.kept_in(path, 2) as again:
        np.testing.assert_array_equal(again.sums.confusion, one)
        np.testing.assert_array_equal(again.sums.upper_bound, 2 * one)
        np.testing.assert_array_equal(np.stack(again.class_counts), [class_counts(one), class_counts(none)])
        assert again.mious == pytest.approx([(3 / 4 + 2 / 3) / 2, float("nan")], nan_ok=True)


@pytest.mark.parametrize("where", ["in class_counts", "in mious"])
def test_an_image_that_is_being_added_is_not_kept(where: str, path: Path):
    """An interruption may come between any two lines: only whole images count."""
    one = np.array([[3, 1], [0, 2]])

    def stopped() -> None:
        with Partial.kept_in(path, 2) as done:
            done.add(one, one, class_counts(one))
            done.class_counts.append(class_counts(one))
            if where == "in mious":
                done.mious.append(0.5)
            raise KeyboardInterrupt("pressed")

    with pytest.raises(KeyboardInterrupt, match="pressed"):
        stopped()
    with Partial.kept_in(path, 2) as again:
        assert again.sums.images == len(again.mious) == len(again.class_counts) == 1
        np.testing.assert_array_equal(again.sums.confusion, one)


def test_a_folder_that_cannot_be_written_to_stops_nothing(tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    path = file / "partial.npz"
    assert_same(evaluate(segmenter(CONFUSED), Blots(), partial=path), evaluate(segmenter(CONFUSED), Blots()))
    with pytest.raises(KeyboardInterrupt, match="pressed"):
        evaluate(segmenter(), Breaking(at=2, by=KeyboardInterrupt("pressed")), partial=path)


# --- what a partial measurement is of -----------------------------------------------------------

CATEGORIES = [
    {"id": 1, "name": "dog"},
    {"id": 2, "name": "dog"},
    {"id": 3, "name": "cat"},
]  # two categories of one name


def write_own(root: Path) -> None:
    """The same two images and masks of 0 and 255 in all three forms of a user's own data."""
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[: SIDE // 2] = 0
    pixels = {"size": [SIDE, SIDE], "counts": [0, 100, SIDE * SIDE - 100]}
    images: list[dict[str, Any]] = []
    for number, name in enumerate(("a", "b")):
        write_photo(root / f"images/{name}.png", SIDE, SIDE)
        write_mask(root / f"masks/{name}.png", mask)
        write_mask(root / f"panoptic/{name}.png", np.dstack([mask // 255 + 1, mask * 0, mask * 0]))
        images.append({"id": number, "file_name": f"{name}.png"})
    drawn = [
        {"id": 2 * number + category, "image_id": number, "category_id": category, "segmentation": pixels}
        for number in range(2)
        for category in (1, 2)
    ]
    segments = [{"id": 1, "category_id": 1}, {"id": 2, "category_id": 2}]
    files = [{"image_id": n, "file_name": f"{name}.png", "segments_info": segments} for n, name in enumerate("ab")]
    for kind, annotations in {"instances": drawn, "panoptic": files}.items():
        text = json.dumps({"images": images, "annotations": annotations, "categories": CATEGORIES})
        (root / f"{kind}.json").write_text(text)
    (root / "labels.json").write_text(json.dumps(["background", "dog"]))


def with_labels(root: Path) -> LabelledImages:
    (root / "labels.json").write_text(json.dumps({"0": "background", "255": "dog"}))
    return open_folder(root)


def with_segments(root: Path) -> LabelledImages:
    """The PNGs are as before; the JSON gives their numbers to other categories."""
    data = json.loads((root / "panoptic.json").read_text())
    for one in data["annotations"]:
        one["segments_info"][0]["category_id"] = 3
    (root / "panoptic.json").write_text(json.dumps(data))
    return open_coco_panoptic(root)


NONE, SECOND = MaskOptions(ignore=()), MaskOptions(ignore=(2,))
Opened = Callable[[Path], LabelledImages]
CHANGES: dict[str, tuple[Opened, Opened]] = {
    "--ignore none before": (lambda root: open_folder(root, masks=NONE), open_folder),
    "--ignore none after": (open_folder, lambda root: open_folder(root, masks=NONE)),
    "labels.json": (open_folder, with_labels),
    "a category of the same name": (open_coco_instances, lambda root: open_coco_instances(root, masks=SECOND)),
    "a segment of the same name": (open_coco_panoptic, lambda root: open_coco_panoptic(root, masks=SECOND)),
    "categories of segments": (open_coco_panoptic, with_segments),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
def test_with_other_numbers_for_the_same_classes_it_starts_anew(
    before: Opened, after: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_own(tmp_path)
    model = segmenter(CONFUSED)

    def measured(dataset: LabelledImages, stop: int | None = None) -> Result:
        done: list[int] = []

        def progress(images: int) -> None:
            done.append(images)
            if sum(done) == stop:
                raise KeyboardInterrupt("pressed")

        return evaluate(model, dataset, progress, partial=partial_path(model, dataset, dataset.vocabulary))

    first = before(tmp_path)
    assert before(tmp_path).signature() == first.signature()
    old = evaluate(model, first)
    with pytest.raises(KeyboardInterrupt, match="pressed"):
        measured(first, stop=1)
    second = after(tmp_path)
    assert second.classes == first.classes
    assert second.signature() != first.signature()
    new = evaluate(model, second)
    assert_same(measured(second), new)
    assert (new.confusion != old.confusion).any()

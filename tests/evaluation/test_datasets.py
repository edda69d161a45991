"""All data sets by their names."""

from pathlib import Path

import pytest

from tests.evaluation.miniature import refused, truths, write_list, write_mask, write_photo
from zeroseg.dataset_names import DATASETS, PICTUREBOOKS, splits_of
from zeroseg.evaluation import open_dataset, open_tuning_set
from zeroseg.evaluation.class_names import TABLES, read_table
from zeroseg.evaluation.datasets import BENCHMARKS, OWN

ON_DISK = (*BENCHMARKS, *OWN)
DOCS = Path(__file__).parents[2] / "docs/datasets.md"


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        write_photo(tmp_path / f"JPEGImages/{name}.jpg")
        write_mask(tmp_path / f"SegmentationClass/{name}.png", [[0, 1, 20, 255]] * 3)
    write_list(tmp_path / "ImageSets/Segmentation/val.txt", ["a", "b"])
    write_list(tmp_path / "ImageSets/Segmentation/train.txt", ["c", "b"])
    return tmp_path


def test_every_name_opens_something():
    assert set(DATASETS) == {*PICTUREBOOKS, *ON_DISK}
    assert len(DATASETS) == 16


@pytest.mark.parametrize("name", ON_DISK)
def test_a_real_data_set_wants_a_folder_and_says_what_it_lacks(name: str, tmp_path: Path):
    with refused(name, "--data FOLDER", "docs/datasets.md"):
        open_dataset(name)
    with refused(name, tmp_path / "nowhere"):
        open_dataset(name, folder=tmp_path / "nowhere")
    with refused(name, tmp_path, "there is no"):
        open_dataset(name, folder=tmp_path)


def test_the_names_of_voc(voc: Path):
    with_background, without = (open_dataset(name, folder=voc) for name in ("voc21", "voc20"))
    assert [d.name for d in (with_background, without)] == ["voc21", "voc20"]
    assert [len(d.classes) for d in (with_background, without)] == [21, 20]
    assert truths(with_background)["a"] == [[0, 1, 20, 255]] * 3
    assert truths(without)["a"] == [[255, 0, 19, 255]] * 3


def test_splits_and_sizes(voc: Path):
    assert list(truths(open_dataset("voc21", folder=voc))) == ["a", "b"]
    assert list(truths(open_dataset("voc21", "train", 1, voc))) == ["c"]
    assert len(open_dataset("picturebook-voc")) == 300
    assert next(iter(open_dataset("picturebook-voc", size=1))).name == "held-out-00000"
    for name in DATASETS:
        with refused(name, "no split 'sunday'", *splits_of(name)):
            open_dataset(name, "sunday", folder=voc)
    with refused("picturebook-voc", str(voc), "--data"):
        open_dataset("picturebook-voc", folder=voc)


def test_margins_are_tuned_on_other_images_than_those_that_are_measured(voc: Path):
    assert next(iter(open_tuning_set("picturebook-voc", None, 2))).name == "validation-00000"
    assert list(truths(open_tuning_set("voc21", None, 1, voc))) == ["c"]
    assert list(truths(open_tuning_set("voc20", "val", 100, voc))) == ["c", "b"]
    for name, split in (("voc21", "train"), ("folder", None), ("folder", "all")):
        with refused(name, "no images other"):
            open_tuning_set(name, split, 100, voc)
    (voc / "ImageSets/Segmentation/train.txt").unlink()
    with refused("voc21", "train.txt"):
        open_tuning_set("voc21", "val", 100, voc)


@pytest.mark.parametrize("table", sorted(path.stem for path in TABLES.iterdir()))
def test_the_words_of_a_table_are_phrases_of_their_own(table: str):
    names = read_table(table)
    assert names.vocabulary(has_background=True).labels == names.words
    assert len({word.casefold() for word in names.words}) == len(names.names)
    assert all(name and name == name.strip() and "=" not in name for name in (*names.names, *names.words))
    assert not any("-" in word or word.endswith("other") for word in names.words)


def test_the_page_names_every_data_set():
    page = DOCS.read_text(encoding="utf-8")
    assert [name for name in DATASETS if f"`{name}`" not in page] == []

"""The supervised rows of table 1: trained on the scenes of a distillation, with their captions and masks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.experiments import toy
from tests.experiments.toy import silent
from tests.tiny import PATCH_STUDENT, VIEWS, teacher, write_photos
from zeroseg.errors import DatasetError, TrainingError
from zeroseg.experiments import Column, Experiment, ExperimentContext, Scenes, Variant, changes, plan, run_variant
from zeroseg.experiments.tables import percent
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.picturebook import ALL_NOUNS, STUFF_NAMES, draw_scene
from zeroseg.reproduce import supervised
from zeroseg.reproduce.supervised import captions_of, numbers_of, train_with_masks, train_with_words
from zeroseg.rules import Margin
from zeroseg.student.config import ReadOut
from zeroseg.training.captioned import frequent_words
from zeroseg.training.distillation import DistillConfig, LossWeights

CONFIG = DistillConfig(
    student=PATCH_STUDENT, views=VIEWS, losses=LossWeights(0.0, 1.0, 0.0), loop=replace(toy.LOOP, steps=2)
)
SEGMENTS = changes.student(patch_head=False, segment_embedding="global", read_out=ReadOut("segments", Margin()))


@pytest.fixture
def context(tmp_path: Path) -> ExperimentContext:
    """Three scenes as files, cached."""
    (tmp_path / "scenes").mkdir()
    scenes = [tmp_path / "scenes" / f"unlabelled-{number:06d}.png" for number in (3, 4, 9)]
    for number, path in zip((3, 4, 9), scenes, strict=True):
        draw_scene("unlabelled", number).image.save(path)
    build_cache(scenes, teacher(), VIEWS, tmp_path / "cache")
    cache = FeatureCache(tmp_path / "cache")
    return ExperimentContext(
        scenes, cache, teacher(), "tiny", tmp_path / "runs", tmp_path / "records", Scenes(1, 1), quiet=True
    )


def experiment(folder: Path) -> Experiment:
    (folder / "prose.md").write_text(toy.PROSE)
    rows = (
        Variant("captions", "captions", SEGMENTS, "captions", train=train_with_words),
        Variant("masks", "masks", learns_from="masks", train=train_with_masks),
    )
    column = Column("voc", toy.VOC, "own")
    base, template = Variant("views", "views"), folder / "prose.md"
    return Experiment("supervised", lambda: CONFIG, base, {"Supervised": rows}, {"own": {}}, (column,), template)


def test_supervised_students_are_trained_measured_and_recorded_like_students(
    context: ExperimentContext, tmp_path: Path
):
    chosen = experiment(tmp_path)
    runs = plan(chosen, context, 1)
    assert [run.settings.get("learns_from") for run in runs] == [None, "captions", "masks"]
    for run in runs:
        record = run_variant(run, context, silent)
        assert record is not None
        assert percent(record, chosen.columns[0]) is not None
        assert run.is_recorded(context)
    assert (runs[1].folder(context) / "text/model.safetensors").is_file()
    assert not (runs[2].folder(context) / "text").exists()


def test_masks_are_those_of_the_scenes_in_the_files(
    context: ExperimentContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given: list[Any] = []
    monkeypatch.setattr(supervised, "supervise_with_masks", lambda *words: given.extend(words))
    (run,) = (run for run in plan(experiment(tmp_path), context, 1) if run.variant.name == "masks")
    assert not train_with_masks(run, tmp_path, context, dict, False)  # nothing was trained
    source = given[0]
    assert len(source) == 3
    image, truth = source.labelled(2)
    scene = draw_scene("unlabelled", 9)
    assert image.tobytes() == scene.image.tobytes()
    assert (truth == scene.class_map((*ALL_NOUNS, *STUFF_NAMES), missing=255)).all()


def test_a_scene_has_one_caption_and_it_names_what_is_there():
    (path, said), _ = captions_of([Path("unlabelled-000003.png"), Path("unlabelled-000004.png")])
    assert path.name == "unlabelled-000003.png"
    assert (path, said) == captions_of([path])[0]
    words = {word for content in draw_scene("unlabelled", 3).contents for word in _names(content)}
    assert any(word in said for word in words)


def test_captions_of_other_images_stand_beside_them(tmp_path: Path):
    photos = write_photos(tmp_path, 3)
    lines = [f"{photo.name}\ta photo of a dog" for photo in photos]
    (tmp_path / "captions.tsv").write_text("\n".join([*lines, f"{photos[0].name}\tgrass"]))
    found = captions_of(photos[:2])
    assert sorted((path.name, said) for path, said in found) == sorted(
        [(photos[0].name, "a photo of a dog"), (photos[0].name, "grass"), (photos[1].name, "a photo of a dog")]
    )


def test_images_without_captions_are_refused(tmp_path: Path):
    photos = write_photos(tmp_path, 2)
    with pytest.raises(DatasetError, match="holds no captions"):
        captions_of(photos)
    (tmp_path / "captions.tsv").write_text(f"{photos[0].name}\ta dog")
    with pytest.raises(DatasetError, match="none of the captions"):
        captions_of(photos[1:])


def _names(content: Any) -> list[str]:
    thing = getattr(content, "noun", content)
    return [thing.name, *thing.synonyms]


def test_photos_have_neither_captions_nor_masks():
    with pytest.raises(TrainingError, match=r"holiday\.jpg is not a scene of the picturebook"):
        numbers_of([Path("unlabelled-000001.png"), Path("holiday.jpg")])


def test_captions_of_photos_may_stand_above_their_folders(tmp_path: Path):
    """As ImageNet has a folder for each class, and captions.tsv lies beside them."""
    for folder in ("cats", "dogs"):
        (tmp_path / folder).mkdir()
        write_photos(tmp_path / folder, 1)
    images = sorted(tmp_path.glob("*/*.*"))
    lines = [f"{path.relative_to(tmp_path)}\tthe {path.parent.name} sleep" for path in images]
    (tmp_path / "captions.tsv").write_text("\n".join(lines))
    assert captions_of(images) == [(path, f"the {path.parent.name} sleep") for path in images]


def test_words_of_photos_are_those_of_their_captions_without_grammar():
    said = ["The dog, and a Dog behind the fence!", "a dog in the park", "some park with an elm"]
    assert frequent_words(said) == ["dog", "park", "fence", "elm"]

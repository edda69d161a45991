"""First weights: copied from where the recipe says, refused where they do not fit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.tiny import (
    LITE_STUDENT,
    PATCH_STUDENT,
    STUDENT,
    VIEWS,
    clip,
    pixels_of,
    shake,
    siglip_teacher,
    student,
    teacher,
    whole_tower_student,
    write_photos,
)  # fmt: skip
from zeroseg.baselines import DenseReadOut
from zeroseg.efficientnet_lite import EfficientNetLite
from zeroseg.errors import TrainingError
from zeroseg.feature_cache import FeatureCache, build_cache
from zeroseg.student import Student, StudentConfig
from zeroseg.student.config import ReadOut
from zeroseg.teacher import ClipTeacher, Teacher
from zeroseg.teacher.vision_tower import VisionTower
from zeroseg.training.distill import build_student
from zeroseg.training.distillation import DistillConfig, LossWeights
from zeroseg.training.initialisation import start_from_student, start_from_teacher


def towers_form() -> Student:
    """A student whose encoder has the form of the tiny teacher's vision tower."""
    vision: Any = clip().config.vision_config
    config = replace(
        STUDENT,
        image_size=vision.image_size,
        patch_size=vision.patch_size,
        width=vision.hidden_size,
        layers=vision.num_hidden_layers,
        heads=vision.num_attention_heads,
        input_norm=True,
        positions="learned",
    )
    return Student(config)


def test_the_encoder_starts_as_the_teachers_tower():
    model, tower = towers_form(), clip().vision_model
    start_from_teacher(model, teacher())
    ours, theirs = "encoder.blocks.0.mlp.first.weight", "encoder.layers.0.mlp.fc1.weight"
    torch.testing.assert_close(model.get_parameter(ours), tower.get_parameter(theirs))


def test_an_encoder_of_fewer_layers_starts_as_the_first_ones():
    model, tower = towers_form(), clip().vision_model
    model = Student(replace(model.config, layers=1))
    start_from_teacher(model, teacher())
    ours, theirs = "encoder.blocks.0.mlp.first.weight", "encoder.layers.0.mlp.fc1.weight"
    torch.testing.assert_close(model.get_parameter(ours), tower.get_parameter(theirs))


def test_an_encoder_of_more_layers_than_the_tower_is_refused():
    model = Student(replace(towers_form().config, layers=3))
    with pytest.raises(TrainingError, match=r"blocks\.2\.norm1\.weight"):
        start_from_teacher(model, teacher())


def test_another_activation_is_refused():
    """Its weights would fit and mean something else."""
    model = towers_form()
    model.config = replace(model.config, activation="quick_gelu")
    with pytest.raises(TrainingError, match="activation"):
        start_from_teacher(model, teacher())


def test_sine_positions_are_refused():
    """The tower's own positions would be lost."""
    with pytest.raises(TrainingError, match="positions is sine"):
        start_from_teacher(Student(replace(towers_form().config, positions="sine")), teacher())


def test_another_width_is_refused():
    with pytest.raises(TrainingError, match="form"):
        start_from_teacher(student(STUDENT), teacher())


# --- the whole tower --------------------------------------------------------------------------------

WHOLE = pytest.mark.parametrize(
    "kind", [teacher, siglip_teacher, lambda: siglip_teacher(naflex=True)], ids=["clip", "siglip", "naflex"]
)


def maps(model: Student, by: Teacher, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The student's patch embeddings in the teacher's space, and the teacher's own by MaskCLIP, at length 1."""
    pixels = pixels_of(height, width, 2)
    with torch.no_grad():
        patches = model.eval()(pixels).patches
        assert patches is not None
        return model.in_teacher_space(patches), F.normalize(DenseReadOut(by, 32).patches(pixels), dim=-1)


@WHOLE
def test_before_training_the_patch_map_is_the_teachers(kind: Callable[[], Teacher]):
    """To float32's accuracy: all layers, the last one's values, norms, projection, the normalisation of pixels."""
    model = Student(whole_tower_student(kind()))
    model.target_mean.normal_()
    model.target_scale.fill_(0.5)
    start_from_teacher(model, kind())
    ours, theirs = maps(model, kind(), 32, 32)
    assert float(theirs.std(dim=1).mean()) > 0.01  # different patches do differ
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", [teacher, siglip_teacher], ids=["clip", "siglip"])
def test_at_another_size_the_patch_map_is_the_teachers(kind: Callable[[], Teacher]):
    model = Student(whole_tower_student(kind()))
    start_from_teacher(model, kind())
    torch.testing.assert_close(*maps(model, kind(), 64, 40), atol=2e-5, rtol=1e-4)


def test_a_student_trained_at_a_larger_size_starts_with_the_teachers_map_at_that_size():
    model = Student(replace(whole_tower_student(teacher()), image_size=64))
    start_from_teacher(model, teacher())
    torch.testing.assert_close(*maps(model, teacher(), 64, 64), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class_token": False}, "class_token is off"),
        ({"input_norm": False}, "input_norm is off"),
        ({"norm_epsilon": 1e-6}, "norm_epsilon is 1e-06"),
        ({"patch_projection": "pooled"}, "patch_projection is pooled"),
        ({"layers": 1}, "needs all 2"),
        ({"embedding_width": 8}, r"patch_projection\.weight"),
    ],
)
def test_a_whole_tower_is_refused_where_the_form_is_another(changes: dict[str, Any], words: str):
    """Weights may fit, and their values still mean something else."""
    model = Student(replace(whole_tower_student(teacher()), **changes))
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with pytest.raises(TrainingError, match=words):
        start_from_teacher(model, teacher())
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


# --- a teacher with convolutions --------------------------------------------------------------------


def teacher_with(tower: VisionTower, monkeypatch: pytest.MonkeyPatch) -> Teacher:
    """The tiny teacher, with another vision tower."""
    monkeypatch.setattr(ClipTeacher, "vision_tower", lambda _: tower)
    return teacher()


def lite_tower(variant: str = "lite0") -> VisionTower:
    torch.manual_seed(5)
    return VisionTower(EfficientNetLite(variant).state_dict(), "relu6", "efficientnet_lite0")


def test_a_convolutional_encoder_starts_as_the_teachers_tower(monkeypatch: pytest.MonkeyPatch):
    """Projections and norm are new, and stay as they were."""
    model, tower = student(LITE_STUDENT), lite_tower()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    start_from_teacher(model, teacher_with(tower, monkeypatch))
    for name, tensor in model.state_dict().items():
        convolution = name.removeprefix("encoder.tower.")
        assert torch.equal(tensor, tower.tensors[convolution] if convolution != name else before[name]), name


@pytest.mark.parametrize(("config", "form"), [(LITE_STUDENT, "vit"), (PATCH_STUDENT, "efficientnet_lite0")])
def test_a_tower_of_another_form_is_refused(config: StudentConfig, form: str, monkeypatch: pytest.MonkeyPatch):
    model = student(config)
    its_teacher = teacher() if form == "vit" else teacher_with(lite_tower(), monkeypatch)
    with pytest.raises(TrainingError, match=f"tower has the form {form} and the student's encoder {config.encoder}"):
        start_from_teacher(model, its_teacher)


def test_a_wider_tower_is_refused(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(TrainingError, match=r"does not have the form of the teacher's vision tower \(tower\.blocks"):
        start_from_teacher(student(LITE_STUDENT), teacher_with(lite_tower("lite2"), monkeypatch))


def test_a_tower_of_a_form_that_no_student_has_is_refused(monkeypatch: pytest.MonkeyPatch):
    tower = replace(lite_tower("lite2"), form="efficientnet_lite2")
    with pytest.raises(TrainingError, match="cannot start from the vision tower of a CLIP"):
        start_from_teacher(student(LITE_STUDENT), teacher_with(tower, monkeypatch))


def test_a_run_goes_on_at_another_size(tmp_path: Path):
    """Convolutions have no positions; what a ViT's config says of layers and activation means nothing."""
    first = student(LITE_STUDENT)
    first.save_pretrained(tmp_path)
    other = Student(replace(LITE_STUDENT, image_size=96, layers=3, activation="quick_gelu", input_norm=True))
    start_from_student(other, str(tmp_path))
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, first.state_dict()[name].half().float()), name


@pytest.mark.parametrize("config", [PATCH_STUDENT, replace(LITE_STUDENT, decoder_layers=1)], ids=["vit", "decoder"])
def test_positions_fix_the_size(config: StudentConfig, tmp_path: Path):
    student(config).save_pretrained(tmp_path)
    with pytest.raises(TrainingError, match="image_size"):
        start_from_student(Student(replace(config, image_size=96)), str(tmp_path))


def test_a_start_with_another_encoder_is_refused(tmp_path: Path):
    student(LITE_STUDENT).save_pretrained(tmp_path)
    with pytest.raises(TrainingError, match=r"another form than the recipe's \(encoder"):
        start_from_student(student(PATCH_STUDENT), str(tmp_path))


# --- another student --------------------------------------------------------------------------------


def saved_student(folder: Path) -> Student:
    """A student with weights like no untrained one's, in a folder."""
    first = student(PATCH_STUDENT)
    shake(first, seed=9)
    first.target_mean.fill_(0.25)
    first.save_pretrained(folder)
    return first


def test_a_recipe_starts_from_a_whole_student(tmp_path: Path):
    """With its targets' mean, although the recipe would take that from the cache; the teacher's tower is left out."""
    first = saved_student(tmp_path / "first")
    build_cache(write_photos(tmp_path, 2), teacher(), VIEWS, tmp_path / "cache")
    config = DistillConfig(
        student=PATCH_STUDENT,
        views=VIEWS,
        losses=LossWeights(reconstruction=0.0),
        start_from=str(tmp_path / "first"),
        centre=True,
        encoder_from_teacher=True,
    )
    model = build_student(config, FeatureCache(tmp_path / "cache"), teacher())
    for (name, ours), theirs in zip(model.state_dict().items(), first.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3, msg=name)


def test_a_student_may_be_read_in_another_way_than_its_start(tmp_path: Path):
    first = saved_student(tmp_path)
    model = Student(replace(PATCH_STUDENT, read_out=ReadOut("segments"), teacher="another", inference_size=64))
    start_from_student(model, str(tmp_path))
    torch.testing.assert_close(model.target_mean, first.target_mean)


@pytest.mark.parametrize(
    ("theirs", "ours", "kept"), [("", "A", False), ("A", "A", False), ("A", "", False), ("A", "B", True)]
)
def test_targets_of_another_teacher_keep_their_own_mean_and_scale(theirs: str, ours: str, kept: bool, tmp_path: Path):
    """Its embeddings have another mean. A student of an earlier version does not say which teacher it had."""
    first = student(replace(PATCH_STUDENT, text_fingerprint=theirs))
    first.target_mean.fill_(0.25)
    first.save_pretrained(tmp_path)
    model = Student(replace(PATCH_STUDENT, text_fingerprint=ours))
    model.target_mean.fill_(0.5)
    model.target_scale.fill_(3.0)
    start_from_student(model, str(tmp_path))
    mean, scale = (0.5, 3.0) if kept else (0.25, 1.0)
    assert (set(model.target_mean.tolist()), float(model.target_scale)) == ({mean}, scale)
    name = "encoder.positions"
    assert torch.equal(model.state_dict()[name], first.state_dict()[name].half().float())


def test_a_start_of_another_form_is_refused(tmp_path: Path):
    saved_student(tmp_path)
    with pytest.raises(TrainingError, match="segment_tokens"):
        start_from_student(Student(replace(PATCH_STUDENT, segment_tokens=(5, 2))), str(tmp_path))

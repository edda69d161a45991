"""Initial weights of a student from another model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from zeroseg.errors import TrainingError
from zeroseg.student import Student, StudentConfig, weights
from zeroseg.student.encoder import resize_positions
from zeroseg.student.model import MEAN, STD
from zeroseg.teacher import BUNDLED_NAME, Teacher, VisionTower

NOT_OF_THE_FORM = ("teacher", "read_out", "inference_size")  # settings that may differ from the other student's


def start_from_student(student: Student, name: str) -> None:
    """Copy all weights of another student (a folder, a hub name, "bundled"), with mean and scale of its targets.

    Raises `WeightsError` if there is none, `TrainingError` if it has another form.
    """
    config, tensors = weights.read(weights.BUNDLED if name == BUNDLED_NAME else name)
    ours, theirs = asdict(student.config), asdict(config)
    different = [setting for setting in ours if setting not in NOT_OF_THE_FORM and ours[setting] != theirs[setting]]
    if different:
        raise TrainingError(
            f"the student {name} has another form than the recipe's ({', '.join(different[:3])}): start from one with "
            "the same form, or change these settings."
        )
    weights.fill(student, tensors, name)


def start_from_teacher(student: Student, teacher: Teacher) -> None:
    """Copy the first layers of the teacher's vision tower into the student's encoder.

    Positions are interpolated to the student's grid. A student whose patch projection has the teacher's form gets that,
    too: then its patch map is the teacher's (`teacher_pixels`, `StudentConfig.last_attention`).
    Raises `TrainingError` if widths or patches differ, or if the tower has a form that no student has.
    """
    tower = teacher.vision_tower()
    if tower is None:
        raise TrainingError(
            f"a student's encoder cannot start from the vision tower of a {teacher.family}, which has another form: "
            "turn encoder_from_teacher off, or start from another student."
        )
    own, grid = student.encoder.state_dict(), student.config.grid
    positions = resize_positions(tower.tensors["positions"], grid, grid)
    tensors = {name: tensor for name, tensor in tower.tensors.items() if name in own} | {"positions": positions}
    different = _other_settings(student.config, tower)
    different += [name for name in own if name not in tensors or own[name].shape != tensors[name].shape]
    whole = student.config.patch_head and student.config.patch_projection != "mlp"
    if whole:
        different += _other_projection(student, tower)
    if different:
        raise TrainingError(
            f"the student's encoder does not have the form of the vision tower of a {teacher.family}, its teacher "
            f"({', '.join(different[:3])}): give both the same form, or turn encoder_from_teacher off."
        )
    if whole:
        tensors |= teacher_pixels(tensors, teacher)
        student.patch_projection.load_state_dict(dict(tower.projection), strict=True)
    student.encoder.load_state_dict(tensors, strict=True)


def as_tower_of(config: StudentConfig, teacher: Teacher) -> StudentConfig:
    """The sizes of a student that is to start as a teacher's whole tower, with the settings of that teacher's tower.

    So one recipe serves a CLIP and a SigLIP. Students whose patch projection is not the teacher's stay as they are.
    """
    tower = teacher.vision_tower()
    if tower is None or config.patch_projection == "mlp":
        return config
    return replace(config, **_settings_of(tower), patch_projection=tower.projection_form)


def teacher_pixels(tensors: Mapping[str, Tensor], teacher: Teacher) -> dict[str, Tensor]:
    """A patch embedding for pixels with the student's mean and deviation that does what the tower's does with its own.

    Without it the student would see pixels that the tower has never seen, if its teacher is a SigLIP.
    """
    weight, bias = tensors["embedding.weight"], tensors["embedding.bias"]
    mean, std = (torch.tensor(values).view(3, 1, 1).to(weight) for values in (MEAN, STD))
    shift = ((mean - teacher.mean.to(weight)) / teacher.std.to(weight)).expand(weight.shape[1:])
    return {
        "embedding.weight": weight * (std / teacher.std.to(weight)),
        "embedding.bias": bias + (weight * shift).flatten(1).sum(dim=1),
    }


def _other_settings(config: StudentConfig, tower: VisionTower) -> list[str]:
    """The settings of a student that do not fit a tower, although its weights may."""
    return [
        f"{name} is {_said(getattr(config, name))}"
        for name, value in _settings_of(tower).items()
        if getattr(config, name) != value
    ]


def _settings_of(tower: VisionTower) -> dict[str, Any]:
    """The settings of a student's encoder that has the form of a tower, beside its sizes."""
    return {
        "activation": tower.activation,
        "norm_epsilon": tower.norm_epsilon,
        "class_token": "class_token" in tower.tensors,
        "input_norm": "input_norm.weight" in tower.tensors,
    }


def _other_projection(student: Student, tower: VisionTower) -> list[str]:
    """What does not fit in a student's patch projection."""
    own = student.patch_projection.state_dict()
    if student.config.patch_projection != tower.projection_form:
        return [f"patch_projection is {student.config.patch_projection}"]
    if student.config.layers != tower.layers:
        return [f"layers is {student.config.layers}, and a patch projection of the teacher's needs all {tower.layers}"]
    return [f"patch_projection.{name}" for name in own if own[name].shape != tower.projection[name].shape]


def _said(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)

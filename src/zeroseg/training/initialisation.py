"""Initial weights of a student from another model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from zeroseg.errors import TrainingError
from zeroseg.student import Student, StudentConfig, weights
from zeroseg.student.encoder import MEAN, STD
from zeroseg.student.model import ENCODERS
from zeroseg.teacher import Teacher, VisionTower

NOT_OF_THE_FORM = ("teacher", "text_fingerprint", "read_out", "inference_size")
"""Settings that may differ from the other student's."""
TARGET_STATISTICS = ("target_mean", "target_scale")
NOT_CONVOLUTIONAL = ("layers", "activation", "input_norm")
"""Settings that say nothing of a convolutional encoder."""


def start_from_student(student: Student, name: str) -> None:
    """Copy all weights of another student (a bundled name, a folder, a hub name).

    Mean and scale of its targets come with them, unless both students name their teachers, and these differ.

    Raises `WeightsError` if there is none, `TrainingError` if it has another form.
    """
    config, tensors = weights.read(name)
    ours, theirs = asdict(student.config), asdict(config)
    free = (*NOT_OF_THE_FORM, *_free_of_form(student.config))
    different = [setting for setting in ours if setting not in free and ours[setting] != theirs[setting]]
    if different:
        raise TrainingError(
            f"the student {name} has another form than the recipe's ({', '.join(different[:3])}): start from one with "
            "the same form, or change these settings."
        )
    teachers = {config.text_fingerprint, student.config.text_fingerprint}
    if len(teachers) == 2 and "" not in teachers:
        tensors |= {name: getattr(student, name).clone() for name in TARGET_STATISTICS}
    weights.fill(student, tensors, name)


def _free_of_form(config: StudentConfig) -> tuple[str, ...]:
    """Further settings that may differ: a convolutional encoder has no positions; a decoder has."""
    if config.encoder == "vit":
        return ()
    return NOT_CONVOLUTIONAL if config.decoder_layers else (*NOT_CONVOLUTIONAL, "image_size", "positions")


def start_from_teacher(student: Student, teacher: Teacher) -> None:
    """Copy the teacher's vision tower into the student's encoder, of a ViT the first layers.

    Positions are interpolated to the student's grid. A student whose patch projection has the teacher's form gets that,
    too: then its patch map is the teacher's (`teacher_pixels`, `StudentConfig.last_attention`).
    Raises `TrainingError` if widths or patches differ, or if the tower has another form than the student's encoder.
    """
    tower = teacher.vision_tower()
    if tower is None or tower.form not in ENCODERS:
        raise TrainingError(
            f"a student's encoder cannot start from the vision tower of a {teacher.family}, which has another form: "
            "turn encoder_from_teacher off, or start from another student."
        )
    config, encoder = student.config, student.encoder
    expect_form(config, tower.form)
    tensors, own = encoder.from_tower(tower.tensors), encoder.pretrained()
    whole = config.patch_head and config.patch_projection != "mlp"
    different = _other_settings(config, tower) + (_other_projection(student, tower) if whole else [])
    different += [name for name in own if name not in tensors or own[name].shape != tensors[name].shape]
    if different:
        raise form_error(different)
    if whole:
        tensors |= teacher_pixels(tensors, teacher)
        student.patch_projection.load_state_dict(dict(tower.projection), strict=True)
    encoder.load_state_dict(encoder.state_dict() | tensors, strict=True)


def expect_form(config: StudentConfig, form: str) -> None:
    """Raise `TrainingError` for a teacher's tower whose form is not that of the student's encoder."""
    if form != config.encoder:
        raise TrainingError(
            f"the teacher's vision tower has the form {form} and the student's encoder {config.encoder}: choose the "
            f"encoder {form}, or turn encoder_from_teacher off."
        )


def form_error(different: Sequence[str]) -> TrainingError:
    """The error for a student's encoder that differs from its teacher's tower in these settings."""
    return TrainingError(
        "the student's encoder does not have the form of the teacher's vision tower "
        f"({', '.join(different[:3])}): give both the same form, or turn encoder_from_teacher off."
    )


def as_tower_of(config: StudentConfig, teacher: Teacher) -> StudentConfig:
    """The sizes of a student that is to start as a teacher's whole tower, with the settings of that teacher's tower.

    So one recipe serves a CLIP and a SigLIP. Students whose patch projection is not the teacher's stay as they are.
    """
    tower = teacher.vision_tower()
    if tower is None or tower.form != config.encoder or config.patch_projection == "mlp":
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
    """The settings of a student's encoder that has the form of a tower, beside its sizes. Convolutions have none."""
    if tower.form != "vit":
        return {}
    return {
        "activation": tower.activation,
        "positions": "learned",
        "norm_epsilon": tower.norm_epsilon,
        "class_token": "class_token" in tower.tensors,
        "input_norm": "input_norm.weight" in tower.tensors,
    }


def _other_projection(student: Student, tower: VisionTower) -> list[str]:
    """What does not fit in a student's patch projection."""
    own = student.patch_projection.state_dict()
    if student.config.patch_projection != tower.projection_form or not tower.projection:
        return [f"patch_projection is {student.config.patch_projection}"]
    if student.config.layers != tower.layers:
        return [f"layers is {student.config.layers}, and a patch projection of the teacher's needs all {tower.layers}"]
    return [f"patch_projection.{name}" for name in own if own[name].shape != tower.projection[name].shape]


def _said(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)

"""Initial weights of a student from another model."""

from __future__ import annotations

from dataclasses import asdict

from zeroseg.errors import TrainingError
from zeroseg.student import Student, weights
from zeroseg.student.encoder import resize_positions
from zeroseg.teacher import Teacher

NOT_OF_THE_FORM = ("teacher", "text_fingerprint", "read_out", "inference_size")
"""Settings that may differ from the other student's."""


def start_from_student(student: Student, name: str) -> None:
    """Copy all weights of another student (a bundled name, a folder, a hub name), with mean and scale of its targets.

    Raises `WeightsError` if there is none, `TrainingError` if it has another form.
    """
    config, tensors = weights.read(name)
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

    Positions are interpolated to the student's grid. Raises `TrainingError` if widths or patches differ, or if the
    tower has a form that no student has.
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
    different = [name for name in own if name not in tensors or own[name].shape != tensors[name].shape]
    if tower.activation != student.config.activation:
        different.append("activation")
    if different or not student.config.input_norm:
        raise TrainingError(
            "the student's encoder does not have the form of the teacher's vision tower "
            f"({', '.join(different[:3]) or 'input_norm is off'}): give both the same form, or start from scratch."
        )
    student.encoder.load_state_dict(tensors, strict=True)

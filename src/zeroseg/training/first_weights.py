"""Where a student's encoder starts, when not from chance."""

from __future__ import annotations

from zeroseg.errors import TrainingError
from zeroseg.student import Student
from zeroseg.student.encoder import resize_positions
from zeroseg.student.weights import encoder_from_clip
from zeroseg.teacher import Teacher


def start_from_teacher(student: Student, teacher: Teacher) -> None:
    """Copy the first layers of the teacher's vision tower into the student's encoder.

    Positions are interpolated to the student's grid. Raises `TrainingError` where widths or patches differ.
    """
    tensors = encoder_from_clip(teacher.model.vision_model.state_dict(), student.config.layers)
    grid = student.config.grid
    tensors["positions"] = resize_positions(tensors["positions"], grid, grid)
    own = student.encoder.state_dict()
    different = [name for name in own if name not in tensors or own[name].shape != tensors[name].shape]
    if teacher.model.config.vision_config.hidden_act != student.config.activation:
        different.append("activation")
    if different or not student.config.input_norm:
        raise TrainingError(
            "the student's encoder does not have the form of the teacher's vision tower "
            f"({', '.join(different[:3]) or 'input_norm is off'}): give both the same form, or start from scratch."
        )
    student.encoder.load_state_dict(tensors, strict=True)

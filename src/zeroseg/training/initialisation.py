"""Initial weights of a student from another model."""

from __future__ import annotations

from dataclasses import asdict

from zeroseg.errors import TrainingError
from zeroseg.student import Student, StudentConfig, weights
from zeroseg.student.model import ENCODERS
from zeroseg.teacher import Teacher

NOT_OF_THE_FORM = ("teacher", "text_fingerprint", "read_out", "inference_size")
"""Settings that may differ from the other student's."""
NOT_CONVOLUTIONAL = ("layers", "activation", "input_norm")
"""Settings that say nothing of a convolutional encoder."""


def start_from_student(student: Student, name: str) -> None:
    """Copy all weights of another student (a bundled name, a folder, a hub name), with mean and scale of its targets.

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
    weights.fill(student, tensors, name)


def _free_of_form(config: StudentConfig) -> tuple[str, ...]:
    """Further settings that may differ: a convolutional encoder has no positions; a decoder has."""
    if config.encoder == "vit":
        return ()
    return NOT_CONVOLUTIONAL if config.decoder_layers else (*NOT_CONVOLUTIONAL, "image_size")


def start_from_teacher(student: Student, teacher: Teacher) -> None:
    """Copy the teacher's vision tower into the student's encoder, of a ViT the first layers.

    Positions are interpolated to the student's grid. Raises `TrainingError` if widths or patches differ, or if the
    tower has another form than the student's encoder.
    """
    tower = teacher.vision_tower()
    if tower is None or tower.form not in ENCODERS:
        raise TrainingError(
            f"a student's encoder cannot start from the vision tower of a {teacher.family}, which has another form: "
            "turn encoder_from_teacher off, or start from another student."
        )
    config, encoder = student.config, student.encoder
    if tower.form != config.encoder:
        raise TrainingError(
            f"the teacher's vision tower is a {tower.form} and the student's encoder a {config.encoder}: choose the "
            f"encoder {tower.form}, or turn encoder_from_teacher off."
        )
    tensors, own = encoder.from_tower(tower.tensors), encoder.pretrained()
    different = [name for name in own if name not in tensors or own[name].shape != tensors[name].shape]
    if config.encoder == "vit" and tower.activation != config.activation:
        different.append("activation")
    if config.encoder == "vit" and not config.input_norm:
        different.append("input_norm is off")
    if different:
        raise TrainingError(
            "the student's encoder does not have the form of the teacher's vision tower "
            f"({', '.join(different[:3])}): give both the same form, or start from scratch."
        )
    encoder.load_state_dict(encoder.state_dict() | tensors, strict=True)

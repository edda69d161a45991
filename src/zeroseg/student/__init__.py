"""The student network: masked ViT encoder, reconstruction decoder, segmentation head."""

from zeroseg.student.config import StudentConfig
from zeroseg.student.model import Student, StudentOutput

__all__ = ["Student", "StudentConfig", "StudentOutput"]

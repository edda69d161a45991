"""All families of teachers, so that `Teacher.from_pretrained` finds them. Importing them takes seconds."""

from zeroseg.teacher.clip import ClipTeacher
from zeroseg.teacher.last_attention import Attend, LastAttention
from zeroseg.teacher.locked import LockedTeacher
from zeroseg.teacher.siglip import SiglipTeacher
from zeroseg.teacher.teacher import Teacher
from zeroseg.teacher.text_encoder import TextEncoder
from zeroseg.teacher.vision_tower import VisionTower

__all__ = [
    "Attend",
    "ClipTeacher",
    "LastAttention",
    "LockedTeacher",
    "SiglipTeacher",
    "Teacher",
    "TextEncoder",
    "VisionTower",
]

"""The teacher: a frozen model that embeds images and texts in one space. Each family of models has its own file.

To add a family, write a file here with a subclass of `Teacher` that names its `model_types`, and import it below.
"""

from zeroseg.teacher.clip import ClipTeacher
from zeroseg.teacher.last_attention import Attend, LastAttention
from zeroseg.teacher.locked import LockedTeacher
from zeroseg.teacher.siglip import SiglipTeacher
from zeroseg.teacher.teacher import Teacher
from zeroseg.teacher.text_encoder import TextEncoder
from zeroseg.teacher.text_tower import TextTower
from zeroseg.teacher.vision_tower import VisionTower

__all__ = [
    "Attend", "ClipTeacher", "LastAttention", "LockedTeacher", "SiglipTeacher", "Teacher", "TextEncoder", "TextTower",
    "VisionTower",
]  # fmt: skip

"""Exported models: a student and its teacher's text encoder, run by ONNX Runtime, OpenVINO or `torch.export`.

`zeroseg export` (the room `export`) makes such folders.
"""

from zeroseg.exported.encoder import ExportedEncoder
from zeroseg.exported.folder import Description, TextDescription, is_exported, read
from zeroseg.exported.text import ExportedText

__all__ = ["Description", "ExportedEncoder", "ExportedText", "TextDescription", "is_exported", "read"]

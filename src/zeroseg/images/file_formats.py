"""The formats of files that are read as pictures."""

from __future__ import annotations

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")

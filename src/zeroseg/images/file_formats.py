"""The formats of files that are read as pictures."""

from __future__ import annotations

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif"}
)
OF_PILLOW = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")  # those that Pillow decodes
FORMATS = (*OF_PILLOW, "HEIC")

# A file of the family of MP4 names its kinds ("brands"). HEIC and AVIF share that family, and "mif1".
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})


def brands(head: bytes) -> frozenset[bytes]:
    """The brands at the beginning of a file; none if it is not of the family of MP4."""
    if head[4:8] != b"ftyp":
        return frozenset()
    end = min(len(head), int.from_bytes(head[:4]))
    return frozenset({head[8:12], *(head[place : place + 4] for place in range(16, end, 4))})

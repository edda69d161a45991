"""What browsers show is read: faults beside the pixels. What lacks pixels is refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.images.pictures import assert_close, gradient, png_chunk, stored
from zeroseg.errors import ImageError
from zeroseg.images import load_image, load_label_map, pixel_count, upright_turn

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow warns of some of these faults

PICTURE = gradient(96, 64)
PNG = stored(PICTURE, "PNG")
JPEG = stored(PICTURE, "JPEG", quality=95)
PROGRESSIVE = stored(PICTURE, "JPEG", quality=95, progressive=True)
RESTARTS = stored(PICTURE, "JPEG", quality=95, restart_marker_blocks=4)
GIF = stored(PICTURE, "GIF")
EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\0"
WEBP = stored(PICTURE, "WEBP", lossless=True, exif=EXIF, xmp=b"<x:xmpmeta/>")
TIFF = stored(PICTURE, "TIFF")
AVIF = stored(PICTURE, "AVIF", quality=95)
LARGE_TEXT = b"a\0\0" + zlib.compress(bytes(3_000_000))


def png(*chunks: bytes, at_end: bool = False) -> bytes:
    place = len(PNG) - 12 if at_end else 33  # before IEND, or after IHDR
    return PNG[:place] + b"".join(chunks) + PNG[place:]


def jpeg(marker: int, body: bytes, data: bytes = JPEG) -> bytes:
    return data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + data[2:]


def gif(extension: bytes) -> bytes:
    place = GIF.index(b"\x2c\0\0\0\0")
    return GIF[:place] + extension + GIF[place:]


def tiff(tag: int, kind: int, count: int, value: int) -> bytes:
    """A TIFF with another entry in its directory."""
    (place,) = struct.unpack_from("<I", TIFF, 4)
    (entries,) = struct.unpack_from("<H", TIFF, place)
    rows = [TIFF[place + 2 + 12 * row : place + 14 + 12 * row] for row in range(entries)]
    rows = sorted([*rows, struct.pack("<HHII", tag, kind, count, value)], key=lambda row: struct.unpack("<H", row[:2]))
    directory = struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4)
    return TIFF[:4] + struct.pack("<I", len(TIFF)) + TIFF[8:] + directory


SHOWN: dict[str, bytes] = {
    "PNG: text with a wrong check sum": png(png_chunk(b"tEXt", b"a\0b", damage=1)),
    "PNG: text with a wrong check sum, after the pixels": png(png_chunk(b"tEXt", b"a\0b", damage=1), at_end=True),
    "PNG: time with a wrong check sum": png(png_chunk(b"tIME", b"1234567", damage=1)),
    "PNG: profile with a wrong check sum": png(png_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"x"), damage=1)),
    "PNG: unknown chunk with a wrong check sum": png(png_chunk(b"abCd", b"1", damage=1)),
    "PNG: profile that is not compressed": png(png_chunk(b"iCCP", b"a\0\0garbage")),
    "PNG: profile compressed in an unknown way": png(png_chunk(b"iCCP", b"a\0\5" + zlib.compress(b"x"))),
    "PNG: empty profile": png(png_chunk(b"iCCP", b"")),
    "PNG: profile of 3 MB": png(png_chunk(b"iCCP", LARGE_TEXT)),
    "PNG: text of 3 MB": png(png_chunk(b"zTXt", LARGE_TEXT)),
    "PNG: text of 3 MB, after the pixels": png(png_chunk(b"zTXt", LARGE_TEXT), at_end=True),
    "PNG: international text of 3 MB": png(png_chunk(b"iTXt", b"a\0\1\0\0" + LARGE_TEXT[2:])),
    "PNG: 80 texts of 1 MB": png(*[png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000)))] * 80),
    "PNG: text compressed in an unknown way": png(png_chunk(b"zTXt", b"a\0\7b")),
    **{
        f"PNG: truncated {name.decode()}": png(png_chunk(name, b""))
        for name in (b"gAMA", b"cHRM", b"pHYs", b"sRGB", b"tRNS", b"acTL", b"eXIf", b"iTXt")
    },
    "PNG: broken XMP": png(png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<broken")),
    "PNG: broken EXIF": png(png_chunk(b"eXIf", b"garbage")),
    "PNG: no end": PNG[:-12],
    "PNG: half an end": PNG[:-6],
    "PNG: something after the end": PNG + b"garbage" * 99,
    "JPEG: no end marker": JPEG[:-2],
    "JPEG: half an end marker": JPEG[:-1],
    "JPEG: zeros for the end marker": JPEG[:-2] + bytes(500),
    "JPEG: no end marker, progressive": PROGRESSIVE[:-2],
    "JPEG: no end marker, with restart markers": RESTARTS[:-2],
    "JPEG: no end marker, and a short Adobe segment": jpeg(0xEE, b"Adobe", JPEG[:-2]),
    "JPEG: something after the end": JPEG + b"garbage" * 99,
    "JPEG: EXIF of garbage": jpeg(0xE1, b"Exif\0\0garbage"),
    "JPEG: EXIF that points nowhere": jpeg(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff"),
    "JPEG: empty EXIF": jpeg(0xE1, b"Exif\0\0"),
    "JPEG: broken XMP": jpeg(0xE1, b"http://ns.adobe.com/xap/1.0/\0<broken"),
    "JPEG: empty profile": jpeg(0xE2, b"ICC_PROFILE\0"),
    "JPEG: profile that lacks parts": jpeg(0xE2, b"ICC_PROFILE\0\1\3xxxx"),
    "JPEG: profile of garbage": jpeg(0xE2, b"ICC_PROFILE\0\1\1xxxx"),
    "JPEG: truncated Photoshop block": jpeg(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0"),
    "JPEG: short Adobe segment": jpeg(0xEE, b"Adobe"),
    "JPEG: short JFIF segment": jpeg(0xE0, b"JFIF\0\1"),
    "JPEG: second picture of garbage": jpeg(0xE2, b"MPF\0garbage"),
    "JPEG: second picture that is not there": jpeg(0xE2, b"MPF\0MM\0*\0\0\0\x08\0\1\xb0\1\0\4\0\0\0\1\0\0\0\2\0\0\0\0"),
    "JPEG: comment of bytes": jpeg(0xFE, bytes(range(256))),
    "GIF: comment that is no text": gif(b"\x21\xfe\x02\xff\xfe\0"),
    "GIF: unknown extension": gif(b"\x21\x99\x02ab\0"),
    "GIF: no end": GIF[:-1],
    "GIF: something after the end": GIF + b"garbage" * 9,
    "WebP: EXIF of garbage": WEBP.replace(b"Exif\0\0MM", b"Exif\0\0zz").replace(b"MM\0*", b"zz\0*"),
    "WebP: truncated XMP": WEBP[:-4],
    "WebP: wrong size of the file": WEBP[:4] + struct.pack("<I", len(WEBP) + 50) + WEBP[8:],
    "WebP: something after the end": WEBP + b"garbage" * 9,
    "TIFF: text that is not there": tiff(305, 2, 100, 10**9),
    "TIFF: entry of an unknown kind": tiff(305, 99, 100, 10),
    "TIFF: profile that is not there": tiff(34675, 7, 3000, 10**9),
    "TIFF: EXIF that is not there": tiff(34665, 4, 1, 10**9),
    "TIFF: XMP of 4 GB": tiff(700, 1, 2**32 - 1, 8),
    "TIFF: orientation 99": tiff(274, 3, 1, 99),
    "TIFF: something after the end": TIFF + b"garbage" * 9,
    "BMP: wrong size of the file": (lambda data: data[:2] + bytes(4) + data[6:])(stored(PICTURE, "BMP")),
    "AVIF: something after the end": AVIF + b"garbage" * 9,
}


@pytest.mark.parametrize("fault", SHOWN)
def test_a_fault_beside_the_pixels_does_not_cost_the_picture(fault: str):
    assert_close(load_image(SHOWN[fault]), PICTURE, 20 if fault.startswith("GIF") else 3)


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
NOISE_WITH_RESTARTS = stored(NOISE, "JPEG", restart_marker_blocks=4)

TRUNCATED: dict[str, Callable[[], bytes]] = {
    "JPEG: the last byte of the pixels": lambda: stored(NOISE, "JPEG")[:-3],
    "JPEG: the last row": lambda: stored(NOISE, "JPEG")[:-200],
    "JPEG: the last row, zeros instead": lambda: stored(NOISE, "JPEG")[:-200] + bytes(20),
    "JPEG: the last row, progressive": lambda: stored(NOISE, "JPEG", progressive=True)[:-200],
    "JPEG: all after a restart marker": lambda: NOISE_WITH_RESTARTS.partition(b"\xff\xd2")[0] + b"\xff\xd2",
    "JPEG: a restart marker, and all after it": lambda: NOISE_WITH_RESTARTS.partition(b"\xff\xd2")[0],
    "PNG: half of the pixels": lambda: (lambda data: data[: len(data) // 2])(stored(NOISE, "PNG")),
    "WebP: half of the pixels": lambda: (lambda data: data[: len(data) // 2])(stored(NOISE, "WEBP", exif=EXIF)),
    "AVIF: the last byte": lambda: AVIF[:-1],
}


@pytest.mark.parametrize("lost", TRUNCATED)
def test_a_file_that_lacks_pixels_is_refused(lost: str):
    with pytest.raises(ImageError, match="damaged"):
        load_image(TRUNCATED[lost]())


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_rotation_and_colours_survive_the_repair(file_format: str, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = stored(PICTURE, file_format, exif=exif, **options)
    faulty = {
        "PNG": data[:33] + png_chunk(b"tEXt", b"a\0b", damage=1) + data[33:],
        "JPEG": jpeg(0xEE, b"Adobe", data),
        "WEBP": data[:4] + struct.pack("<I", len(data) + 50) + data[8:],
    }[file_format]
    path = tmp_path / "photo.jpg"
    path.write_bytes(faulty)
    assert_close(load_image(path), PICTURE.transpose(Image.Transpose.ROTATE_270), 4)
    assert upright_turn(path) == Image.Transpose.ROTATE_270
    assert pixel_count(path) == 96 * 64


def test_label_maps_are_repaired_too(tmp_path: Path):
    data = stored(Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)), "PNG")
    (tmp_path / "map.png").write_bytes(data[:33] + png_chunk(b"tIME", b"1234567", damage=1) + data[33:])
    assert load_label_map(tmp_path / "map.png").tolist() == np.arange(12).reshape(3, 4).tolist()


@pytest.mark.parametrize("name", ["photo.png", "photo.JPG", "photo.TIFF", "photo", "photo.jpg.tmp"])
def test_the_name_of_a_file_does_not_matter(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(JPEG)
    assert_close(load_image(tmp_path / name), PICTURE, 3)

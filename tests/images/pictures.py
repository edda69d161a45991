"""Pictures and files for the tests of images."""

import struct
import tarfile
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image


def gradient(width: int = 24, height: int = 16) -> Image.Image:
    """Red grows to the right, green downwards: rotations and swapped channels show."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 90)], axis=-1).round().astype(np.uint8))


def stored(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format=file_format, **options)
    return buffer.getvalue()


def assert_close(image: Image.Image, expected: Image.Image, tolerance: float = 0) -> None:
    assert image.mode == "RGB"
    assert image.size == expected.size
    difference = np.abs(np.asarray(image, int) - np.asarray(expected.convert("RGB"), int))
    assert difference.mean() <= tolerance


def png_chunk(name: bytes, body: bytes, damage: int = 0) -> bytes:
    """A chunk of a PNG file; `damage` is added to its check sum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body) ^ damage)


def write_tar(path: Path, files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    """A tar of files, which are in it in this order."""
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, BytesIO(content))
    return path


# --- colour profiles ------------------------------------------------------------------------------

D50 = (0.9642, 1.0, 0.8249)  # the white of all profiles
SRGB = ((0.4360, 0.3851, 0.1431), (0.2225, 0.7169, 0.0606), (0.0139, 0.0971, 0.7139))  # of R G B: X, Y, Z under D50
DISPLAY_P3 = ((0.5151, 0.2919, 0.1572), (0.2412, 0.6922, 0.0666), (-0.0011, 0.0419, 0.7841))
PROPHOTO = ((0.7977, 0.1352, 0.0313), (0.2880, 0.7119, 0.0001), (0.0, 0.0, 0.8249))
ADOBE_RGB = ((0.6097, 0.2053, 0.1492), (0.3111, 0.6257, 0.0632), (0.0195, 0.0609, 0.7446))


def matrix_profile(matrix: tuple[tuple[float, ...], ...], gamma: float, space: bytes = b"RGB ") -> bytes:
    """A profile (ICC version 2) of a screen: linear light in R, G and B, raised to 1 / `gamma`."""

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65_536) for value in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags: dict[bytes, bytes] = {}
    if space == b"RGB ":
        columns = zip((b"rXYZ", b"gXYZ", b"bXYZ"), zip(*matrix, strict=True), strict=True)
        tags |= {tag: xyz(column) for tag, column in columns} | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    else:
        tags[b"kTRC"] = curve
    return _profile(b"mntr", space, b"XYZ ", tags)


def ink_profile(darkest: float) -> bytes:
    """A profile of a printer with neutral inks: white paper, and the lightness `darkest` (0..100) with full black."""
    corners = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), axis=-1).reshape(16, 4)  # C M Y K
    lightness = (1 - corners[:, 3]) * (100 - 20 * corners[:, :3].sum(axis=1)) + corners[:, 3] * darkest
    nodes = np.full((16, 3), 128, np.uint8)
    nodes[:, 0] = (lightness * 2.55).round()
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", *(65_536 * value for value in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    table = b"mft1\0\0\0\0\x04\x03\x02\0" + matrix + ramp * 4 + nodes.tobytes() + ramp * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(8 + 3 + 67 + 4)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65_536) for value in D50))
    tags = {b"desc": name, b"wtpt": white, b"cprt": b"text\0\0\0\0none\0\0\0\0", **tags}
    table, bodies, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, body in tags.items():
        table += tag + struct.pack(">II", offset + len(bodies), len(body))
        bodies += body
    body = struct.pack(">I", len(tags)) + table + bodies
    header = struct.pack(">I4sI4s4s4s", 128 + len(body), b"test", 0x02100000, kind, space, connection)
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *(round(value * 65_536) for value in D50))
    return header.ljust(128, b"\0") + body


def in_space(image: Image.Image, matrix: tuple[tuple[float, ...], ...], gamma: float) -> Image.Image:
    """The same colours as the sRGB picture `image` has, as numbers of another space; computed in float64."""
    values = np.asarray(image, float) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    other = linear @ np.array(SRGB).T @ np.linalg.inv(np.array(matrix)).T
    return Image.fromarray((other.clip(0, 1) ** (1 / gamma) * 255).round().astype(np.uint8))

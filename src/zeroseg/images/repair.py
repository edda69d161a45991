"""Files without what is damaged beside their pixels.

Browsers show a picture whose comments, times, texts or profiles are damaged, and a JPEG without its last two bytes.
Decoders refuse some of them. Here such a file is written anew with what pixels, colours and rotation need. Pixels are
neither added nor left out: a file that lacks some stays as it is.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

from PIL import Image

PNG, JPEG, END_OF_JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd9"
TRANSPARENCY = {0: (2,), 2: (6,), 3: range(1, 257)}  # PNG: kind of colour -> allowed lengths of tRNS
LARGEST_PROFILE = 1 << 20  # bytes, as Pillow has it
PADDING = (bytes(64), b"\x55" * 64, bytes(range(1, 255)))  # what may follow the last pixel of a JPEG


def is_repairable(head: bytes) -> bool:
    """Whether a file that begins so is of a format that `repaired` knows: PNG, JPEG or WebP."""
    return head.startswith((PNG, JPEG)) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def repaired(data: bytes) -> Iterator[bytes]:
    """The file without damaged parts beside its pixels, then also with its end marker; nothing if not repairable."""
    if data.startswith(PNG):
        yield PNG + b"".join(_png_chunks(data))
    elif data.startswith(JPEG):
        clean = b"\xff\xd8" + b"".join(_jpeg_segments(data))
        yield clean
        if _is_complete(clean):
            yield _without_padding(clean) + END_OF_JPEG
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        chunks = b"".join(_webp_chunks(data))
        yield b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


# --- PNG: chunks of length, name, body and check sum ------------------------------------------------


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """Critical chunks as they are; of the others, undamaged ones that colours, transparency and rotation need."""
    place, colour = len(PNG), data[25] if len(data) > 25 else 0
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        chunk = data[place : place + 12 + length]
        place += 12 + length
        body = chunk[8 : 8 + length]
        is_critical = not name[0] & 32  # its first letter is upper-case
        is_whole = chunk[8 + length :] == zlib.crc32(name + body).to_bytes(4)
        if is_critical or (is_whole and _is_useful(name, body, colour)):
            yield chunk
        if name == b"IEND":
            return


def _is_useful(name: bytes, body: bytes, colour: int) -> bool:
    if name == b"tRNS":
        return len(body) in TRANSPARENCY.get(colour, ())
    return name == b"eXIf" or (name == b"iCCP" and _is_profile(body))


def _is_profile(body: bytes) -> bool:
    packed = body.partition(b"\0")[2]
    try:
        return (
            packed[:1] == b"\0"
            and 0 < len(zlib.decompressobj().decompress(packed[1:], LARGEST_PROFILE)) < LARGEST_PROFILE
        )
    except zlib.error:
        return False


# --- JPEG: segments of a marker, a length and a body, then the pixels --------------------------------


def _jpeg_segments(data: bytes) -> Iterator[bytes]:
    """Segments up to the pixels without comments and without damaged or private ones; then all the rest."""
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF or data[place + 1] in {0x00, 0xFF}:  # decoders pass over bytes between segments
            place += 1
            continue
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        if marker == 0xDA or length < 2:
            break
        segment = data[place : place + 2 + length]
        if not (marker == 0xFE or 0xE0 <= marker <= 0xEF) or _is_used(marker, segment[4:]):
            yield segment
        place += 2 + length
    yield data[place:]


def _is_used(marker: int, body: bytes) -> bool:
    """Whether a segment for applications says how the picture looks (JFIF, EXIF, ICC, Adobe), and is complete."""
    needed = {0xE0: (b"JFIF\0", 14), 0xE1: (b"Exif\0\0", 14), 0xE2: (b"ICC_PROFILE\0", 14), 0xEE: (b"Adobe", 12)}
    name, length = needed.get(marker, (b"", 1 << 16))
    return body.startswith(name) and len(body) >= length


def _is_complete(data: bytes) -> bool:
    """Whether a JPEG that lacks its end marker has all its pixels: then it does not matter what follows them.

    With restart markers the decoder goes on after the next one, so each of the eight is in what is appended. (A
    progressive JPEG that ends exactly between two of its passes is complete in this sense, as in browsers.)
    """
    if data.rstrip(b"\0").endswith(END_OF_JPEG):
        return False
    decoded: set[bytes] = set()
    for padding in PADDING:
        restarts = b"".join(bytes([0xFF, 0xD0 + number]) + padding for number in range(8))
        try:
            with Image.open(
                BytesIO(_without_padding(data) + padding + restarts + END_OF_JPEG), formats=("JPEG",)
            ) as image:
                decoded.add(hashlib.sha256(image.tobytes()).digest())
        except Exception:  # decoders raise many kinds of errors for malformed bytes
            return False
    return len(decoded) == 1


def _without_padding(data: bytes) -> bytes:
    """A JPEG without zeros at its end and without half of an end marker."""
    stripped = data.rstrip(b"\0")
    if not stripped.endswith(b"\xff"):
        return stripped
    return stripped[:-1] if len(stripped) == len(data) else stripped + b"\0"  # FF 00 is a byte of pixels


# --- WebP: chunks of name, length and body -----------------------------------------------------------

WEBP_PIXELS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"})
WEBP_FLAGS = {b"ICCP": 0x20, b"EXIF": 0x08}  # bits of VP8X that announce a chunk


def _webp_chunks(data: bytes) -> Iterator[bytes]:
    """The chunks of pixels, and complete ones of profile and EXIF."""
    chunks: list[tuple[bytes, bytes]] = []
    place = 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        chunk = data[place : place + 8 + length]
        if name in WEBP_PIXELS or (name in WEBP_FLAGS and len(chunk) == 8 + length):
            chunks.append((name, chunk + b"\0" * (len(chunk) % 2)))
        place += 8 + length + length % 2
    announced = sum(flag for name, flag in WEBP_FLAGS.items() if any(name == other for other, _ in chunks))
    for name, chunk in chunks:
        if name == b"VP8X" and len(chunk) > 8:
            chunk = chunk[:8] + bytes([chunk[8] & ~0x2C & 0xFF | announced]) + chunk[9:]
        yield chunk

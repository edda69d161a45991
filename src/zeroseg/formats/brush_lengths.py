"""Label Studio's run lengths of brush masks: bytes of the four channels of a picture, packed bit by bit.

It is the packing of https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack, of the picture's values row by
row, red, green, blue and alpha of each pixel. A header has the number of values (32 bits), the bits of a value less 1
(5 bits) and four widths less 1 (4 bits each). Then come codes: one bit says whether a value is repeated, two bits
choose a width, a number of that width is the count less 1; then follows the repeated value, or as many values as the
count says. Label Studio shows and exports the alpha channel; its own software writes the mask to all four.

Letters: H W pixels of the picture, h w those of a box, R runs, B bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int, UInt8

CHANNELS, ALPHA = 4, 3
VALUE_BITS = 8
WIDTHS = (3, 4, 8, 16)  # of counts, bits
HEADER_BITS = 32 + 5 + 4 * len(WIDTHS)
CODE_BITS = 1 + 2 + WIDTHS[-1] + VALUE_BITS  # of the longest code that we write
OPAQUE = 255


def encoded(
    mask: Bool[np.ndarray, "h w"], left: int = 0, top: int = 0, size: tuple[int, int] | None = None
) -> list[int]:
    """The bytes of a mask, as they stand in JSON; or of a box's mask in a picture.

    `left`, `top`: of the box. `size`: width and height of the picture, by default those of the mask. Raises
    `ValueError` for a picture of 2^30 pixels or more, which Label Studio cannot count.
    """
    width, height = size or mask.shape[::-1]
    total = width * height * CHANNELS
    if total >= 1 << 32:
        raise ValueError(f"a mask of {width} x {height} pixels, more than Label Studio can count")
    counts, values = _split(*_runs(mask, left, top, width, height))
    choice = np.searchsorted(1 << np.array(WIDTHS), counts)
    bits = np.array(WIDTHS)[choice]
    codes = (((0b100 | choice) << bits | (counts - 1)) << VALUE_BITS) | values
    return np.packbits(np.concatenate([_header(total), _bits(codes, 3 + bits + VALUE_BITS)])).tolist()


def decoded(packed: Sequence[int], size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """The mask of a picture: where alpha is not 0. `size`: width and height in pixels.

    Raises `ValueError`, `TypeError` or `OverflowError` if the bytes are malformed, or belong to another size.
    """
    data = np.frombuffer(bytes(list(packed)), np.uint8)
    pixels = size[0] * size[1]
    header = int.from_bytes(data[: HEADER_BITS // 8 + 1].tobytes(), "big") >> (-HEADER_BITS % 8)
    value_bits = (header >> 4 * len(WIDTHS) & 31) + 1
    if len(data) * 8 < HEADER_BITS or min(size) < 1 or header >> (HEADER_BITS - 32) != pixels * CHANNELS:
        raise ValueError(f"run lengths that are not of {size[1]} x {size[0]} pixels")
    if value_bits != VALUE_BITS:
        raise ValueError(f"run lengths with values of {value_bits} bits, not {VALUE_BITS}")
    widths = [(header >> 4 * (3 - place) & 15) + 1 for place in range(len(WIDTHS))]
    repeated, counts, places = _codes(data, widths, pixels * CHANNELS)
    written = np.where(repeated, 1, counts)  # values that stand in the code
    within = np.arange(written.sum()) - np.repeat(np.cumsum(written) - written, written)
    values = _values(data, np.repeat(places, written) + VALUE_BITS * within)
    all_values = np.repeat(values, np.repeat(np.where(repeated, counts, 1), written))
    return all_values[ALPHA::CHANNELS].reshape(size[::-1]) > 0


def _runs(
    mask: Bool[np.ndarray, "h w"], left: int, top: int, width: int, height: int
) -> tuple[Int[np.ndarray, " R"], Int[np.ndarray, " R"]]:
    """The runs of equal values in the whole picture: counts of values, four a pixel, and the values."""
    row, column = np.nonzero(np.diff(mask.astype(np.int8), axis=1, prepend=0, append=0))
    changes, times = np.unique((top + row) * width + left + column, return_counts=True)
    changes = changes[(times == 1) & (changes < width * height)]  # twice: a run goes on in the next row
    begins_within = len(changes) > 0 and changes[0] == 0
    starts = changes if begins_within else np.concatenate([[0], changes])
    values = (np.arange(len(starts)) % 2 == int(not begins_within)) * np.int64(OPAQUE)
    return np.diff(starts, append=width * height) * CHANNELS, values


def _split(
    counts: Int[np.ndarray, " R"], values: Int[np.ndarray, " R"]
) -> tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]:
    """Runs of at most as many values as the largest width can count."""
    most = 1 << WIDTHS[-1]
    parts = -(-counts // most)
    split = np.full(parts.sum(), most)
    split[np.cumsum(parts) - 1] = counts - (parts - 1) * most
    return split, np.repeat(values, parts)


def _header(count: int) -> UInt8[np.ndarray, " _"]:
    text = f"{count:032b}{VALUE_BITS - 1:05b}" + "".join(f"{width - 1:04b}" for width in WIDTHS)
    return np.frombuffer(text.encode(), np.uint8) - ord("0")


def _bits(codes: Int[np.ndarray, " R"], lengths: Int[np.ndarray, " R"]) -> UInt8[np.ndarray, " _"]:
    """The last `lengths` bits of each code, one after the other."""
    places = np.arange(CODE_BITS - 1, -1, -1)
    return (codes[:, None] >> places & 1).astype(np.uint8)[places < lengths[:, None]]


def _codes(
    data: UInt8[np.ndarray, " B"], widths: list[int], total: int
) -> tuple[Bool[np.ndarray, " R"], Int[np.ndarray, " R"], Int[np.ndarray, " R"]]:
    """For every code: whether its value is repeated, the count, and the bit where its first value stands.

    Where a code starts depends on the one before, so this is a loop; values are read afterwards, all at once.
    """
    packed, bits = data.tobytes() + bytes(4), len(data) * 8
    repeated, counts, places = list[bool](), list[int](), list[int]()
    at, found = HEADER_BITS, 0
    while found < total:
        window = int.from_bytes(packed[at >> 3 : (at >> 3) + 4], "big") << (at & 7) & 0xFFFFFFFF
        repeats, width = window >> 31, widths[window >> 29 & 3]
        count = (window >> (29 - width) & ((1 << width) - 1)) + 1
        at += 3 + width
        repeated.append(repeats == 1)
        counts.append(count)
        places.append(at)
        at += VALUE_BITS if repeats else VALUE_BITS * count
        found += count
        if at > bits:
            raise ValueError("run lengths that end too early")
    if found != total:
        raise ValueError("run lengths of too many values")
    return np.array(repeated), np.array(counts), np.array(places)


def _values(data: UInt8[np.ndarray, " B"], places: Int[np.ndarray, " R"]) -> UInt8[np.ndarray, " R"]:
    """The eight bits from each place on."""
    pairs = np.append(data, np.uint8(0)).astype(np.uint16)
    byte, shift = places >> 3, (places & 7).astype(np.uint16)
    return ((pairs[byte] << 8 | pairs[byte + 1]) >> (8 - shift) & 255).astype(np.uint8)

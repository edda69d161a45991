"""Text: drawn with Pillow's embedded Latin font, or with a font of the system that has all letters of the text."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

from PIL import Image, ImageDraw, ImageFont

SYSTEM_FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "NotoSansArabic-Regular.ttf"),
    *("NotoSansHebrew-Regular.ttf", "NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf"),
    *("wqy-microhei.ttc", "Arial Unicode.ttf", "PingFang.ttc", "Arial.ttf", "segoeui.ttf"),
    *("msyh.ttc", "YuGothR.ttc", "malgun.ttf", "Nirmala.ttf"),
)


def legible(text: str, otherwise: str, size: int, width: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """Return `text` on one line, cut to `width` pixels, with a font that has its letters; else `otherwise`."""
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:200]
    font = _font_for(line, size)
    if not line or font is None:
        return otherwise, latin_font(size)
    if font.getlength(line) <= width:
        return line, font
    kept = next(n for n in range(len(line), -1, -1) if font.getlength(line[:n] + "...") <= width or n == 0)
    return line[:kept].rstrip() + "...", font


@lru_cache
def latin_font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's embedded font."""
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))


@lru_cache(maxsize=4096)
def _font_for(text: str, size: int) -> ImageFont.FreeTypeFont | None:
    if _covers(latin_font(size), text):
        return latin_font(size)
    fonts = (ImageFont.truetype(path, size) for path in _system_fonts())
    return next((font for font in fonts if _covers(font, text)), None)


@lru_cache
def _system_fonts() -> tuple[str, ...]:
    """Paths of those `SYSTEM_FONTS` that this machine has; Pillow searches the usual folders."""
    paths: list[str] = []
    for name in SYSTEM_FONTS:
        try:
            paths.append(str(ImageFont.truetype(name).path))
        except OSError:
            continue
    return tuple(paths)


def _covers(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether the font has a glyph for each letter. Pillow has no table of glyphs, so pictures are compared."""

    def drawn(letter: str) -> bytes:
        picture = Image.new("L", (3 * int(font.size), 3 * int(font.size)))
        ImageDraw.Draw(picture).text((font.size, font.size), letter, 255, font)
        return picture.tobytes()

    missing = drawn("\ufffe")  # never a character: always the font's "no such glyph" box
    return all(letter.isspace() or drawn(letter) != missing for letter in set(text))

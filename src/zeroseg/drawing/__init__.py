"""Segmentations as pictures: masks with a palette, overlays with a legend, contact sheets."""

from zeroseg.drawing.colours import colours_by_name, hexadecimal, label_colours
from zeroseg.drawing.overlays import display_size, overlay
from zeroseg.drawing.palettes import overlay_palette, palette
from zeroseg.drawing.saving import mask_image, save_image, save_palette_png
from zeroseg.drawing.sheets import contact_sheet

__all__ = [
    "colours_by_name", "contact_sheet", "display_size", "hexadecimal", "label_colours", "mask_image", "overlay",
    "overlay_palette", "palette", "save_image", "save_palette_png",
]  # fmt: skip

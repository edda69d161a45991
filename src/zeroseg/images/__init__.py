"""The only place where files become pixels and pixels become tensors."""

from zeroseg.images.file_formats import FORMATS, IMAGE_SUFFIXES
from zeroseg.images.finding import find_images
from zeroseg.images.reading import MAX_PIXELS, UPRIGHT, ImageSource, load_image, load_label_map, upright_turn
from zeroseg.images.tensors import resize, to_pil, to_tensor

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "UPRIGHT",
    "ImageSource",
    "find_images",
    "load_image",
    "load_label_map",
    "resize",
    "to_pil",
    "to_tensor",
    "upright_turn",
]

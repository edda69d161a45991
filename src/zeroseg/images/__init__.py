"""The only place where files become pixels and pixels become tensors."""

from zeroseg.images.file_formats import FORMATS, IMAGE_SUFFIXES
from zeroseg.images.finding import Found, Search, find_images, no_picture_in, search_images
from zeroseg.images.reading import MAX_PIXELS, UPRIGHT, ImageSource, load_image, load_label_map, upright_turn
from zeroseg.images.tensors import resize, to_pil, to_tensor

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "UPRIGHT",
    "Found",
    "ImageSource",
    "Search",
    "find_images",
    "load_image",
    "load_label_map",
    "no_picture_in",
    "resize",
    "search_images",
    "to_pil",
    "to_tensor",
    "upright_turn",
]

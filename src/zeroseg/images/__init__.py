"""The only place where files become pixels and pixels become tensors."""

from zeroseg.images.file_formats import FORMATS, IMAGE_SUFFIXES
from zeroseg.images.finding import Found, Search, no_picture_in, search_images
from zeroseg.images.listing import find_images, list_images
from zeroseg.images.path_list import PathList
from zeroseg.images.reading import (
    MAX_PIXELS,
    UPRIGHT,
    ImageSource,
    borrow_image,
    has_more_frames,
    load_image,
    load_label_map,
    pixel_count,
    upright_turn,
)
from zeroseg.images.tensors import resize, resize_picture, to_pil, to_tensor

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "UPRIGHT",
    "Found",
    "ImageSource",
    "PathList",
    "Search",
    "borrow_image",
    "find_images",
    "has_more_frames",
    "list_images",
    "load_image",
    "load_label_map",
    "no_picture_in",
    "pixel_count",
    "resize",
    "resize_picture",
    "search_images",
    "to_pil",
    "to_tensor",
    "upright_turn",
]

"""A student of ViT-B/16 beside other ways to segment by names, all with random weights, on the same square picture.

| peer | what it does | labels |
|---|---|---|
| CLIPSeg rd64 | a pass of ViT-B/16 and a decoder for each label | were embedded before |
| GroupViT | one pass of a ViT-S with grouping | are embedded by each call: the model offers no other one |
| SCLIP | a pass of CLIP ViT-B/16 for each window of 224 pixels, every 112 | were embedded before |

Ours starts from the picture, and its labels were embedded before; CLIPSeg and GroupViT start from a tensor. Nothing is
fetched: the sizes are those of the published configs. All end with a class for every pixel.

Letters: B image, H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from zeroseg.baselines.dense import DenseReadOut
from zeroseg.bench.measuring import Pair
from zeroseg.bench.photos import LABELS, called
from zeroseg.bench.setting import RANDOM, Setting, pixels_of, random_clip, words
from zeroseg.encoding import Encoded, Resized, Size
from zeroseg.evaluation.sliding import Sliding, SlidingSegmenter
from zeroseg.rules import NoBackground
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import ReadOut
from zeroseg.vocabulary import Vocabulary

CLIPSEG_SIDE = 352  # pixels, of the published model
TOKENS = 8  # of a label, about "a photo of a dog"
WINDOW, STRIDE = 224, 112  # pixels, of SCLIP
Peer = Callable[[Setting, Image.Image], Callable[[], object]]


def beside_peers(setting: Setting) -> Iterator[Pair]:
    """The student beside each peer. A peer that this version of `transformers` lacks is left out, with a sentence."""
    peers: tuple[tuple[str, int, Peer], ...] = (
        ("CLIPSeg rd64, a pass for each label", min(CLIPSEG_SIDE, setting.side), _clipseg),
        ("GroupViT, which embeds the labels in each call", setting.side, _groupvit),
        ("CLIP ViT-B/16 in SCLIP's windows", setting.side, _sclip),
    )
    for name, side, peer in peers:
        picture = setting.photo.resize((side, side))
        try:
            theirs = peer(setting, picture)
        except ImportError:
            setting.say(f"this version of transformers has no {name.partition(',')[0]}: it is left out.")
            continue
        what = f"{RANDOM}: segment {side} x {side} pixels, {LABELS} labels"
        yield Pair("peers", what, name, _ours(setting, picture), theirs, images=1)


def _ours(setting: Setting, picture: Image.Image) -> Callable[[], object]:
    """The student at the picture's own size, not refined."""
    whole = setting.segmenter(RANDOM).reading(refinement=0)
    encoder = Resized(whole.encoder, picture.width)
    return called(
        Segmenter(encoder, whole.teacher, whole.read_out, whole.words), picture, Vocabulary(tuple(words(LABELS)))
    )


def _clipseg(setting: Setting, picture: Image.Image) -> Callable[[], object]:
    """As in the model's documentation: the picture once for each label, in one batch. With embedded labels."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    config = cast(Any, CLIPSegConfig)(vision_config={"patch_size": 16}, use_complex_transposed_convolution=True)
    model = cast(Any, CLIPSegForImageSegmentation)(config).to(setting.on).eval()
    pixels = _pixels(setting, picture).repeat(LABELS, 1, 1, 1)
    labels = torch.randn(LABELS, config.projection_dim, device=setting.on)

    @torch.inference_mode()
    def segment() -> Tensor:
        return model(pixel_values=pixels, conditional_embeddings=labels).logits.argmax(dim=0)

    return segment


def _groupvit(setting: Setting, picture: Image.Image) -> Callable[[], object]:
    """The model with the picture's size, and its maps enlarged to it."""
    from transformers import GroupViTConfig, GroupViTModel

    config = cast(Any, GroupViTConfig)(vision_config={"image_size": picture.width}, output_segmentation=True)
    model = cast(Any, GroupViTModel)(config).to(setting.on).eval()
    pixels = _pixels(setting, picture)
    labels = torch.randint(1000, (LABELS, TOKENS), device=setting.on)
    labels[:, -1] = config.text_config.eos_token_id

    @torch.inference_mode()
    def segment() -> Tensor:
        maps = model(pixel_values=pixels, input_ids=labels).segmentation_logits
        return F.interpolate(maps, tuple(pixels.shape[2:]), mode="bilinear")[0].argmax(dim=0)

    return segment


def _sclip(setting: Setting, picture: Image.Image) -> Callable[[], object]:
    """Windows of a CLIP with SCLIP's attention, as its authors evaluate it; without a background."""
    segmenter = setting.segmenter(RANDOM)
    encoder = _PatchesAlone(random_clip(setting.on, segmenter.teacher.width), picture.width, "sclip")
    sliding = Sliding(window=WINDOW, stride=STRIDE, pads=False)
    read_out = ReadOut("patches", NoBackground())
    windows = SlidingSegmenter(encoder, segmenter.teacher, read_out, segmenter.words, sliding)
    return called(windows, picture, Vocabulary(tuple(words(LABELS))))


class _PatchesAlone(DenseReadOut):
    """Without the embedding of the whole image, a second pass that SCLIP does not make."""

    def encode(self, pixels: Float[Tensor, "B 3 H W"], sizes: Sequence[Size]) -> list[Encoded]:
        patches, grid = self.patches(pixels), (pixels.shape[2] // self.multiple, pixels.shape[3] // self.multiple)
        mean = torch.zeros_like(patches[0, 0])
        return [
            Encoded(one.mean(dim=0), one, None, None, mean, grid, size)
            for one, size in zip(patches, sizes, strict=True)
        ]


def _pixels(setting: Setting, picture: Image.Image) -> Float[Tensor, "1 3 H W"]:
    return pixels_of(picture, (picture.height, picture.width), setting.on)

"""What one image costs, against the student's own sums and sums by hand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.tiny import LITE_STUDENT, PATCH_STUDENT, STUDENT, TEACH, photo, student, teacher
from zeroseg.baselines import READ_OUT, DenseReadOut, GridCrops
from zeroseg.baselines.dense import DenseMethod
from zeroseg.efficientnet_lite import EfficientNetLite, SameConv2d
from zeroseg.encoding import Encoded, ImageEncoder, Size, StudentEncoder
from zeroseg.errors import ImageError
from zeroseg.evaluation.cost import encoding_flops
from zeroseg.segmenter import Segmenter
from zeroseg.student.config import StudentConfig
from zeroseg.student.cost import count_flops

SIDE, WIDTH, OUT = TEACH.image_size, TEACH.vision_width, TEACH.embedding_width
OWN, FINE = (SIDE // TEACH.patch_size) ** 2, (2 * SIDE // TEACH.patch_size) ** 2  # patches


def flops_of(encoder: ImageEncoder, side: int = SIDE) -> int:
    return encoding_flops(Segmenter(encoder, teacher(), READ_OUT), photo(side, side))


def tower(patches: int, layers: int) -> int:
    """Patch embedding and whole layers of CLIP's tower, on the patches and the class token."""
    tokens = patches + 1
    layer = 24 * tokens * WIDTH**2 + 4 * tokens**2 * WIDTH
    return 2 * patches * 3 * TEACH.patch_size**2 * WIDTH + layers * layer


WHOLE = tower(OWN, TEACH.vision_layers) + 2 * WIDTH * OUT  # the teacher, once


@pytest.mark.parametrize("config", [STUDENT, PATCH_STUDENT, LITE_STUDENT], ids=["paper", "ours", "lite"])
def test_a_student_costs_what_its_config_says_without_its_decoder(config: StudentConfig):
    model = student(config).requires_grad_()  # as it comes from a training run
    counts = count_flops(config, 0.0)
    assert flops_of(StudentEncoder(model), config.inference_size) == counts["total"] - counts["decoder"]


def test_larger_pictures_cost_what_they_are_resized_to():
    finer = replace(PATCH_STUDENT, image_size=64, inference_size=64)
    coarse = StudentEncoder(student(replace(PATCH_STUDENT, inference_size=64)))
    assert flops_of(coarse, 32) == flops_of(coarse, 128) == count_flops(finer, 0.0)["total"]


@pytest.mark.parametrize(
    ("method", "last"),
    [  # of the tokens' operations in the last layer: linear layers of width x width, products of tokens by tokens
        ("maskclip", (2 + 8, 0)),
        ("sclip", (4 + 8, 4)),
        ("naclip", (3, 2)),
        ("clearclip", (3, 2)),
    ],
)
def test_a_dense_read_out_costs_one_look_at_the_image_and_one_at_its_patches(
    method: DenseMethod, last: tuple[int, int]
):
    linear, products = last
    tokens = FINE + 1
    changed = linear * 2 * tokens * WIDTH**2 + products * 2 * tokens**2 * WIDTH
    patches = tower(FINE, TEACH.vision_layers - 1) + changed + 2 * FINE * WIDTH * OUT
    assert flops_of(DenseReadOut(teacher(), 2 * SIDE, method)) == WHOLE + patches


def test_crops_cost_a_look_each_and_one_at_the_image():
    assert flops_of(GridCrops(teacher(), 2 * SIDE, n=3)) == 10 * WHOLE


@pytest.mark.parametrize("side", [32, 37])
def test_a_convolutional_tower_costs_two_operations_for_each_weight_at_each_position(side: int):
    """Depthwise and strided convolutions with one-sided padding too: what counts is their own size."""

    class Tower:
        shorter_side, multiple = side, 1

        def encode(self, pixels: Tensor, sizes: Sequence[Size]) -> list[Encoded]:
            last = tower.forward(pixels)[1].mean(dim=(2, 3))
            return [Encoded(last[0], last, None, None, torch.zeros_like(last[0]), (1, 1), sizes[0])]

    def count(layer: SameConv2d, _: object, features: Tensor) -> None:
        by_hand.append(2 * layer.weight.numel() * features.shape[2] * features.shape[3])

    tower, by_hand = EfficientNetLite(), list[int]()
    hooks = [m.register_forward_hook(count) for m in tower.modules() if isinstance(m, SameConv2d)]
    assert flops_of(Tower(), side) == sum(by_hand)
    assert len(by_hand) == len(hooks) == 49


def test_a_picture_that_is_not_there_is_refused():
    with pytest.raises(ImageError, match=r"nowhere\.png"):
        encoding_flops(Segmenter(GridCrops(teacher(), 32), teacher(), READ_OUT), "nowhere.png")

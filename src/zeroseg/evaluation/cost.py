"""What an answer costs: the operations of the networks for one image, counted while they run."""

from __future__ import annotations

from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.module_tracker import ModuleTracker

from zeroseg.images import ImageSource
from zeroseg.segmenter import Segmenter


def encoding_flops(segmenter: Segmenter, image: ImageSource) -> int:
    """Floating-point operations of all forward passes that encode one image. Words and refinement are not in it.

    They count as in `student/cost.py`: a multiplication with its addition as 2, and only what grows with the product
    of two sizes. Raises `ImageError`.
    """
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoModules()
    # The counter knows the plain kernel of attention on every machine, the fused ones only on some.
    with sdpa_kernel(SDPBackend.MATH), counter:
        segmenter.encode(image)
    return counter.get_total_flops()


class _NoModules(ModuleTracker):
    """The sum alone, not module by module: torch's hooks fail on a view of a trained weight in inference mode."""

    def __enter__(self) -> _NoModules:
        return self

    def __exit__(self, *_: object) -> None:
        pass

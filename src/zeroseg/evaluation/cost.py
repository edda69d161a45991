"""The cost of a segmentation: the operations of the networks for one image, counted while they run."""

from __future__ import annotations

from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.module_tracker import ModuleTracker

from zeroseg.exported import ExportedEncoder
from zeroseg.images import ImageSource
from zeroseg.segmenter import Segmenter
from zeroseg.student import Student


def encoding_flops(segmenter: Segmenter, image: ImageSource) -> int:
    """Floating-point operations of all forward passes that encode one image, without words and refinement.

    They are counted as in `student/cost.py`: a multiplication with its addition is 2, and only operations that grow
    with the product of two sizes count. For an exported student they are those of its config's. Raises `ImageError`.
    """
    if isinstance(segmenter.encoder, ExportedEncoder):
        segmenter = segmenter.of(Student(segmenter.encoder.config), segmenter.teacher)
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoModules()
    # The counter supports the plain kernel of attention on every machine, but fused kernels only on some.
    with sdpa_kernel(SDPBackend.MATH), counter:
        segmenter.encode(image)
    return counter.get_total_flops()


class _NoModules(ModuleTracker):
    """Counts the sum only, not each module: torch's hooks fail on a view of a trained weight in inference mode."""

    def __enter__(self) -> _NoModules:
        return self

    def __exit__(self, *_: object) -> None:
        pass

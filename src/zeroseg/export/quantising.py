"""int8: static quantisation of a network, with ranges from pictures without labels."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from zeroseg.exported.folder import PIXELS

if TYPE_CHECKING:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader

QUANTISED = ("Conv", "MatMul", "Gemm")
FIRST = 12  # convolutions that stay in float32: of EfficientNet-Lite0 those at strides 2 and 4, and the first at 8


def quantised(model: onnx.ModelProto, calibration: Iterable[Float[Tensor, "_ 3 _ _"]]) -> onnx.ModelProto:
    """The same graph, in which convolutions and products of matrices multiply whole numbers of 8 bits.

    Weights have a scale for each output channel. Values have one range each: that of the calibration's pictures.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        given, prepared, whole = (Path(folder) / f"{name}.onnx" for name in ("given", "prepared", "whole"))
        onnx.save(model, given)
        try:
            quant_pre_process(given, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                whole,
                _reader(calibration),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTISED),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=kept_in_float(onnx.load(prepared)),
                calibrate_method=CalibrationMethod.MinMax,
            )
        finally:
            logging.disable(logging.NOTSET)
        return onnx.load(whole)


def kept_in_float(model: onnx.ModelProto) -> list[str]:
    """The names of convolutions and products that stay in float32.

    The first convolutions: their channels have ranges so different that one range for all leaves few levels to most.
    Depthwise ones, for the same reason; in int8 they are not faster. Products of two computed matrices, in attention
    and assignments: int8 is slower there.
    """
    weights = {weight.name for weight in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    products = [node for node in model.graph.node if node.op_type in QUANTISED and node.op_type != "Conv"]
    depthwise = [node for node in convolutions if any(a.name == "group" and a.i > 1 for a in node.attribute)]
    computed = [node for node in products if weights.isdisjoint(node.input)]
    return sorted({node.name for node in (*convolutions[:FIRST], *depthwise, *computed)})


def _reader(pictures: Iterable[Float[Tensor, "_ 3 _ _"]]) -> CalibrationDataReader:
    """Pictures as the library takes them: one after the other, then None."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = iter(pictures)

        def get_next(self) -> dict[str, np.ndarray]:
            pixels = next(self.rest, None)
            return {} if pixels is None else {PIXELS: pixels.numpy()}  # nothing ends the calibration

    return Reader()

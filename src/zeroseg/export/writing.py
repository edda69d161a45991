"""Networks as files of a runtime, in a precision."""

from __future__ import annotations

import copy
import errno
import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Float16
from torch import Tensor, nn
from torch.nn.utils import parametrize

from zeroseg.export import onnx_graphs
from zeroseg.export.tracing import Network
from zeroseg.exported.folder import SUFFIXES
from zeroseg.files import atomic_path, write_bytes_atomically
from zeroseg.method_names import Precision, Runtime

if TYPE_CHECKING:
    import onnx

Calibration = Iterable[Float[Tensor, "_ 3 _ _"]]


def write(
    network: Network, stem: Path, runtime: Runtime, precision: Precision, calibration: Calibration | None = None
) -> None:
    """Write a network as `stem` with the suffix of the runtime. Raises `OutputError`.

    `calibration`: the inputs from which int8 takes the ranges of values; None for a network that does not compute in
    int8, but has the weights of fp16 then.
    """
    path, halves = stem.with_suffix(SUFFIXES[runtime]), precision != "fp32"
    if runtime == "torch":
        if halves:
            network = replace(network, module=with_half_weights(network.module))
        content = io.BytesIO()  # torch itself would end this process on a full disk
        torch.export.save(network.program(), content)
        write_bytes_atomically(path, content.getbuffer())
        return
    graph = onnx_graphs.with_own_padding(network.as_onnx())
    if precision == "int8" and calibration is not None:
        from zeroseg.export.quantising import quantised

        graph = quantised(graph, calibration)
    if runtime == "openvino":
        _write_openvino(graph, path, halves)
    else:
        write_bytes_atomically(path, (onnx_graphs.with_half_weights(graph) if halves else graph).SerializeToString())


class AsFloat(nn.Module):
    """A weight in float16 as float32."""

    def forward(self, weight: Float16[Tensor, "*N"]) -> Float[Tensor, "*N"]:
        """The same numbers."""
        return weight.float()


def with_half_weights(module: nn.Module) -> nn.Module:
    """A copy of a module whose matrices and kernels are stored in float16, and used in float32."""
    module = copy.deepcopy(module)
    for part in list(module.modules()):
        for name, weight in list(part.named_parameters(recurse=False)):
            if weight.ndim > 1:
                weight.data = weight.data.half()
                parametrize.register_parametrization(part, name, AsFloat(), unsafe=True)
    return module


def _write_openvino(graph: onnx.ModelProto, path: Path, halves: bool) -> None:
    """OpenVINO's two files: the graph, and the weights, as halves or not."""
    import openvino

    model = openvino.Core().read_model(graph.SerializeToString())
    with atomic_path(path) as temporary, atomic_path(path.with_suffix(".bin")) as weights:
        try:
            openvino.save_model(model, temporary, compress_to_fp16=halves)
        except RuntimeError as error:  # whatever happened
            raise OSError(errno.EIO, "OpenVINO could not write it, perhaps because the disk is full") from error
        temporary.with_suffix(".bin").rename(weights)

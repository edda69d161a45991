"""Modules as programs of `torch.export` and as ONNX, with free sizes."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from zeroseg.precision import unrounded

if TYPE_CHECKING:
    import onnx

NOISY = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")  # they log what they skip


@dataclass(frozen=True)
class Network:
    """A module with an example of each input by name, and which of their sizes are free, by place (see `free`)."""

    module: nn.Module
    inputs: Mapping[str, Tensor]
    sizes: Mapping[str, Mapping[int, Any]]

    def program(self) -> ExportedProgram:
        """The module as a program of `torch.export`: nothing in it depends on the sizes of the examples."""
        with _quiet(), torch.no_grad(), unrounded():
            inputs = tuple(self.inputs.values())
            return torch.export.export(self.module.eval(), inputs, dynamic_shapes=dict(self.sizes), strict=False)

    def as_onnx(self) -> onnx.ModelProto:
        """The module as an ONNX graph."""
        inputs, program = tuple(self.inputs.values()), self.program()
        with _quiet(), torch.no_grad(), unrounded():
            outputs = list(self.module(*inputs))
            converted = torch.onnx.export(
                program,
                inputs,
                input_names=list(self.inputs),
                output_names=outputs,
                dynamic_shapes=dict(self.sizes),
                dynamo=True,
                verbose=False,
            )
        assert converted is not None
        model = converted.model_proto
        for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
            del part.metadata_props[:]  # where in our code each operation comes from, with paths of this machine
        return model


def free(name: str, times: int = 1, most: int | None = None) -> Any:
    """A size that is free: any number of `times`, or any number up to `most`."""
    return times * Dim(name) if times > 1 else Dim(name, max=most)


@contextmanager
def _quiet() -> Generator[None]:
    """Without the warnings of libraries about themselves."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

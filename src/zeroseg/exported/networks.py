"""Networks in files, run by ONNX Runtime, OpenVINO or torch, all in the same way. On the CPU.

They use as many threads as torch (`torch.get_num_threads`, `OMP_NUM_THREADS`).
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zeroseg.errors import WeightsError
from zeroseg.method_names import Runtime

Arrays = dict[str, np.ndarray]
NEEDS = 'pip install "zeroseg[export]"'


class Network(ABC):
    """A network of a file. Several threads may run it at once."""

    @abstractmethod
    def run(self, **inputs: np.ndarray) -> Arrays:
        """The outputs by name, from the inputs by name."""


class OnnxNetwork(Network):
    """A network that ONNX Runtime runs."""

    def __init__(self, path: Path) -> None:
        """Raises `ImportError`, and what ONNX Runtime raises for a file that it cannot read."""
        import onnxruntime

        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
        options.log_severity_level = 3  # errors alone
        self._session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, **inputs: np.ndarray) -> Arrays:
        """See `Network.run`."""
        return dict(zip(self._outputs, self._session.run(None, inputs), strict=True))


class OpenVinoNetwork(Network):
    """A network that OpenVINO runs, each thread with its own memory. It computes in float32, whatever the CPU has."""

    def __init__(self, path: Path) -> None:
        """Raises `ImportError`, and what OpenVINO raises for a file that it cannot read."""
        import openvino

        settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._model: Any = openvino.Core().compile_model(path, "CPU", settings)
        self._names = [(output, name) for output in self._model.outputs for name in output.names]  # all it has
        self._of_thread = threading.local()

    def run(self, **inputs: np.ndarray) -> Arrays:
        """See `Network.run`."""
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._model.create_infer_request()
        found = self._of_thread.request.infer(inputs, share_inputs=True)
        return {name: found[output].copy() for output, name in self._names}


class TorchNetwork(Network):
    """A network of `torch.export`. Its inputs have no names: their order counts."""

    def __init__(self, path: Path) -> None:
        """Raises what torch raises for a file that it cannot read."""
        program = torch.export.load(path)
        self._module = program.module(check_guards=False)  # they exclude grids of a single row, which work

    @torch.inference_mode()
    def run(self, **inputs: np.ndarray) -> Arrays:
        """See `Network.run`."""
        found = self._module(*map(torch.from_numpy, inputs.values()))
        return {name: value.numpy() for name, value in found.items()}


NETWORKS: dict[Runtime, type[OnnxNetwork | OpenVinoNetwork | TorchNetwork]] = {
    "onnx": OnnxNetwork, "openvino": OpenVinoNetwork, "torch": TorchNetwork,
}  # fmt: skip


def open_network(path: Path, runtime: Runtime) -> Network:
    """The network of a file. Raises `WeightsError` if its runtime is not installed, or cannot read the file."""
    try:
        return NETWORKS[runtime](path)
    except ImportError as error:
        raise WeightsError(f"the exported model in {path.parent} needs {error.name or runtime}: {NEEDS}.") from error
    except Exception as error:  # each runtime has exceptions of its own, without a common kind
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")
        raise WeightsError(
            f"{path} cannot be read by this version of {runtime} ({reason}): export the model again."
        ) from error

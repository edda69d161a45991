"""ONNX graphs, changed after the export: padding as part of convolutions, weights as halves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

SMALLEST = 1 << 10  # numbers of a tensor from which on it is stored as halves
CONSTANTS = ("Constant", "Shape")


def with_own_padding(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph in which convolutions pad their inputs themselves where a size decides how far.

    The padding of `efficientnet_lite.SameConv2d` is ONNX's "SAME_UPPER". A convolution that does it itself needs no
    copy of its input.
    """
    from onnx import helper

    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        pad = made.get(node.input[0]) if node.op_type == "Conv" else None
        if pad is None or pad.op_type != "Pad":
            continue
        node.input[0] = pad.input[0]
        kept = [attribute for attribute in node.attribute if attribute.name not in ("pads", "auto_pad")]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("auto_pad", "SAME_UPPER")])
    _drop_unused(graph)
    return model


def with_half_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with large weights stored as float16; a runtime converts them to float32 when it loads them."""
    from onnx import TensorProto, helper, numpy_helper

    graph, casts = model.graph, list[Any]()
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < SMALLEST:
            continue
        name, stored = weight.name, f"{weight.name}.half"
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [name], name=f"{name}.float", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes and weights that no output depends on."""
    needed = {output.name for output in graph.output}
    kept = list[Any]()
    for node in reversed(graph.node):
        if needed.isdisjoint(node.output):
            continue
        needed.update(node.input)
        kept.append(node)
    weights = [weight for weight in graph.initializer if weight.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)

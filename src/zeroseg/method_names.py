"""Names of namings, encoders, background rules, baselines, protocols, formats and exports, as text, so that the command
line can list them without torch. `student`, `rules`, `baselines`, `evaluation.protocols`, `formats` and `exported`
define them."""

from __future__ import annotations

from typing import Literal

Naming = Literal["segments", "patches"]
EncoderName = Literal["vit", "efficientnet_lite0"]
RuleName = Literal["product", "margin", "softmax", "sigmoid", "none", "top5"]
DenseMethod = Literal["maskclip", "sclip", "naclip", "clearclip"]
BaselineName = Literal[DenseMethod, "crops", "windows", "background", "true-regions"]
ProtocolName = Literal["own", "paper", "tcl", "sclip", "naclip", "clearclip"]
Absent = Literal["drop", "keep", "ask"]
FormatName = Literal[
    "voc-png", "index-png", "numpy", "labelme", "yolo", "geojson", "geotiff",
    "coco", "coco-polygons", "coco-panoptic", "coco-semantic", "datumaro", "label-studio", "cvat",
]  # fmt: skip
Runtime = Literal["onnx", "openvino", "torch"]
Precision = Literal["fp32", "fp16", "int8"]

"""Names of namings, background rules, baselines and protocols, as text, so that the command line can list them
without torch. `student.config`, `rules`, `baselines` and `evaluation.protocols` define them."""

from __future__ import annotations

from typing import Literal

Naming = Literal["segments", "patches"]
RuleName = Literal["product", "margin", "softmax", "sigmoid", "none"]
DenseMethod = Literal["maskclip", "sclip", "naclip", "clearclip"]
BaselineName = Literal[DenseMethod, "crops", "windows", "background", "true-regions"]
ProtocolName = Literal["own", "paper", "tcl", "scliplike"]

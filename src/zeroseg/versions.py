"""Which software made a figure."""

from __future__ import annotations

import platform
from importlib.metadata import version

ZEROSEG = "0.1.0"


def versions() -> dict[str, str]:
    """Our version, and those of what computes."""
    # Here, not above: the public face takes its version from this room, and is to load neither.
    import numpy as np
    import torch

    return {
        "zeroseg": ZEROSEG,
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "numpy": np.__version__,
        "pillow": version("pillow"),
        "python": platform.python_version(),
    }

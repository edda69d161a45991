"""The versions of the software that made a result."""

from __future__ import annotations

import platform
from importlib.metadata import version

ZEROSEG = "0.1.0"


def versions() -> dict[str, str]:
    """Our version, and those of the libraries that compute."""
    # Imported here, because `import zeroseg` takes its version from this module and must load neither library.
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

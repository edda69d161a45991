"""Where lower precision is faster, and where it must not be used."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

import torch

_rounds = ContextVar("_rounds", default=True)  # whether anything may be rounded to bfloat16


def mixed_precision(device: torch.device, wanted: bool = True) -> torch.autocast:
    """A context for matrix products in bfloat16; active only if `wanted` and if the device is faster with it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and _faster_rounded(device))


def full_precision(device: torch.device) -> torch.autocast:
    """A context in which nothing is rounded to bfloat16: assignments, losses, scores."""
    return torch.autocast(device.type, enabled=False)


@contextmanager
def unrounded() -> Generator[None]:
    """Within this context nothing is rounded to bfloat16, on any device: networks are exported so, and compared."""
    before = _rounds.set(False)
    try:
        yield
    finally:
        _rounds.reset(before)


def plain_attention(device: torch.device) -> bool:
    """Whether attention is faster as plain matrix products than in torch's fused kernel.

    In bfloat16 on a CPU the fused kernel takes 4 times as long in the backward pass, and 1.5 times in the forward pass.
    """
    return device.type == "cpu" and _cpu_has_bf16()


def _faster_rounded(device: torch.device) -> bool:
    return _rounds.get() and (device.type != "cpu" or _cpu_has_bf16())


@lru_cache(maxsize=1)
def _cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 natively; without that, autocast is many times slower than float32."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.11 does not have it
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))

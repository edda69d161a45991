"""Other forward passes with the same results: compiled ones, and ones that keep less memory for the backward pass."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from zeroseg.errors import ConfigError
from zeroseg.student.encoder import Block, Encoder


@contextlib.contextmanager
def adapted(model: nn.Module, compiled: bool, less_memory: bool) -> Generator[None]:
    """Within this block the model's forward pass is another one.

    `compiled`: every transformer block is compiled by itself (torch.compile; all blocks of one form share the code),
    so draws of random numbers and the parts with changing shapes stay as they are. `less_memory`: the blocks of
    encoders keep only their input; their forward pass is repeated in the backward pass.

    Raises `ConfigError` if the model has no such blocks.
    """
    expect_blocks(model, compiled, less_memory)
    blocks, of_encoders = _blocks(model)
    changed = [*(blocks if compiled else []), *(of_encoders if less_memory else [])]
    try:
        if compiled:
            for block in blocks:
                block.forward = torch.compile(block.forward, dynamic=False)
        if less_memory:
            for block in of_encoders:
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)
        yield
    finally:
        for block in changed:
            block.__dict__.pop("forward", None)


def expect_blocks(model: nn.Module, compiled: bool, less_memory: bool) -> None:
    """Raise `ConfigError` if the model has no blocks for what is asked for."""
    blocks, of_encoders = _blocks(model)
    if (compiled and not blocks) or (less_memory and not of_encoders):
        name = "compile" if compiled and not blocks else "checkpoint_activations"
        raise ConfigError(f"{name} is for students with a ViT as encoder: turn it off here.")


def _blocks(model: nn.Module) -> tuple[list[Block], list[nn.Module]]:
    """All transformer blocks, and those of encoders."""
    encoders = [module for module in model.modules() if isinstance(module, Encoder)]
    blocks = [module for module in model.modules() if isinstance(module, Block)]
    return blocks, [block for encoder in encoders for block in encoder.blocks]

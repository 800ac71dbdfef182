"""Freezing: frozen means no gradient, no optimizer state, still BatchNorm statistics and no dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hfft.errors import RecipeError
from hfft.tuning.blocks import HEAD, STEM, Block, BlockMap, stack_sizes


def frozen_blocks(found: Sequence[Block], lowest: int | Literal["all"]) -> list[Block]:
    """The blocks that `tune.freeze.blocks` names: stem and the `lowest` blocks of each stack, or all but the head.

    Raises:
        RecipeError: No stack has so many blocks.
    """
    if lowest == "all":
        return [block for block in found if block.stack != HEAD]
    sizes = stack_sizes(found)
    if lowest > max(sizes.values()):
        listed = ", ".join(f"{size} in its {stack}" for stack, size in sizes.items())
        raise RecipeError(
            f"tune.freeze.blocks is {lowest}, but this model has {max(sizes.values())} blocks ({listed}); use 0 to "
            f"{max(sizes.values())}, or 'all' for everything but the head."
        )
    return [block for block in found if block.stack == STEM or (block.stack != HEAD and block.depth <= lowest)]


def freeze(model: nn.Module, frozen: Sequence[Block], block_of: BlockMap) -> None:
    """Takes the gradient from every parameter of the frozen blocks, adapters in them included."""
    for name, parameter in model.named_parameters():
        if block_of[name] in frozen:
            parameter.requires_grad_(False)


def set_modes(model: nn.Module, frozen: Sequence[Block], block_of: BlockMap, frozen_dropout: bool) -> None:
    """Puts the model in training mode, but for what is frozen.

    A module whose parameters all lie in frozen blocks is put in evaluation mode, which turns its dropout off; so is
    every BatchNorm without a trainable parameter, whatever block it is in: in training mode its running statistics
    move although nothing learns.

    Args:
        model: With `requires_grad` set already.
        frozen: The frozen blocks.
        block_of: Tells the block of a parameter.
        frozen_dropout: Leave dropout on in frozen blocks.
    """
    model.train()
    base = getattr(model, "base_model_prefix", "")
    nearest: list[str] = []  # the parameter that came last: a module without parameters goes with it
    for path, module in model.named_modules():
        parameters = list(module.named_parameters(prefix=path))
        nearest = [name for name, _ in parameters] or nearest
        if not parameters and base in path.split(".") and nearest and not frozen_dropout:
            module.train(block_of[nearest[-1]] not in frozen)
        if not parameters or any(parameter.requires_grad for _, parameter in parameters):
            continue
        is_norm = isinstance(module, _BatchNorm)
        if is_norm or (not frozen_dropout and all(block_of[name] in frozen for name, _ in parameters)):
            module.eval()

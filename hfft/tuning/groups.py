"""The learning rate and weight decay of every parameter, as a table and as the optimizer's groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from hfft.tuning.blocks import HEAD, STEM, Block, BlockMap, plain_name, stack_sizes


@dataclass(frozen=True)
class ParameterRow:
    """What happens to one parameter. `lr` is at its peak; frozen parameters have 0."""

    name: str
    shape: tuple[int, ...]
    stack: str
    block: int
    trainable: bool
    lr: float
    weight_decay: float

    def as_json(self) -> dict[str, Any]:
        """The row as parameters.json has it."""
        return {**asdict(self), "shape": list(self.shape)}


@dataclass(frozen=True)
class Rates:
    """Peak learning rate, weight decay, and how both spread over blocks."""

    lr: float
    weight_decay: float
    layer_decay: float
    head_scale: float

    def scale(self, block: Block, sizes: dict[str, int]) -> float:
        """The block's share of the peak learning rate.

        With L blocks in the stack and decay d: stem d^(L+1), block i (1 is the lowest) d^(L+1-i), head `head_scale`
        (BEiT, Bao et al. 2021; timm's `param_groups_layer_decay`). The stem takes the L of the longest stack.
        """
        if block.stack == HEAD:
            return self.head_scale
        if block.stack == STEM:
            return self.layer_decay ** (max(sizes.values()) + 1)
        return self.layer_decay ** (sizes[block.stack] + 1 - block.depth)


def parameter_table(model: nn.Module, block_of: BlockMap, rates: Rates) -> list[ParameterRow]:
    """Lists every parameter of the model, in its order, with what will happen to it.

    Biases, norms and all other parameters of one dimension have no weight decay.
    """
    sizes = stack_sizes(block_of.found)
    rows = []
    for name, parameter in model.named_parameters():
        block, trains = block_of[name], parameter.requires_grad
        rows.append(
            ParameterRow(
                name=plain_name(name),
                shape=tuple(parameter.shape),
                stack=block.stack,
                block=block.depth,
                trainable=trains,
                lr=rates.lr * rates.scale(block, sizes) if trains else 0.0,
                weight_decay=rates.weight_decay if trains and parameter.ndim > 1 else 0.0,
            )
        )
    return rows


def parameter_groups(model: nn.Module, rows: Sequence[ParameterRow]) -> list[dict[str, Any]]:
    """The optimizer's groups: trainable parameters of equal block, learning rate and weight decay together."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for parameter, row in zip(model.parameters(), rows, strict=True):
        if row.trainable:
            key = (row.stack, row.block, row.lr, row.weight_decay)
            group = {"params": [], "lr": row.lr, "weight_decay": row.weight_decay}
            groups.setdefault(key, group)["params"].append(parameter)
    return list(groups.values())

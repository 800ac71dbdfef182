"""The learning rate and weight decay of every parameter, as table and as groups; weights that start at random."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from hfft.errors import RecipeError
from hfft.tuning.blocks import HEAD, STEM, Block, BlockMap, learning_names, plain_name, stack_sizes
from hfft.tuning.counts import check_stacks
from hfft.tuning.parameter_table import ParameterRow
from hfft.tuning.patterns import by_first_match


@dataclass(frozen=True)
class Rates:
    """Peak learning rate, weight decay, and how both spread over blocks.

    Attributes:
        lr: The peak learning rate.
        weight_decay: Of matrices.
        layer_decay: Of all stacks, or by stack; those that are not named have none.
        head_scale: The head's share of the peak rate.
        min_scale: The least share that layer decay leaves.
        patterns: Multiples of the rate that parameters would have, by patterns of their names, in order.
        anchored: Names without weight decay, for something else draws them.
        fast: Multiples by names, beside the patterns.
    """

    lr: float
    weight_decay: float
    layer_decay: float | Mapping[str, float] = 1.0
    head_scale: float = 1.0
    min_scale: float = 0.0
    patterns: Sequence[tuple[str, float]] = ()
    anchored: Collection[str] = ()
    fast: Mapping[str, float] = field(default_factory=dict)

    def scale(self, block: Block, sizes: Mapping[str, int]) -> float:
        """The block's share of the peak learning rate, by layer decay.

        With L blocks in the stack and decay d: stem d^(L+1), block i (1 is the lowest) d^(L+1-i), head `head_scale`
        (BEiT, Bao et al. 2021; timm's `param_groups_layer_decay`, which has `min_scale` too). The stem takes the
        smallest that any stack's numbers give it.
        """
        if block.stack == HEAD:
            return self.head_scale
        if block.stack == STEM:
            return max(self.min_scale, min(self._decay(stack) ** (size + 1) for stack, size in sizes.items()))
        return max(self.min_scale, self._decay(block.stack) ** (sizes[block.stack] + 1 - block.depth))

    def check(self, sizes: Mapping[str, int]) -> None:
        """Raises RecipeError where `layer_decay` names a stack that is not there, or `min_scale` has no effect."""
        if isinstance(self.layer_decay, Mapping):
            check_stacks(self.layer_decay, sizes, "tune.layer_decay")
        least = min(self._decay(stack) ** (size + 1) for stack, size in sizes.items())
        if 0 < self.min_scale <= least:
            raise RecipeError(
                f"tune.min_scale is {self.min_scale:g}, but layer decay leaves each block {least:.3g} of the learning "
                "rate at least: it has no effect. Leave it out, or give more."
            )

    def below(self, threshold: float, found: Sequence[Block]) -> list[Block]:
        """The blocks whose share is below a threshold; the head is never among them.

        Raises:
            RecipeError: There is none.
        """
        sizes = stack_sizes(found)
        slow = [block for block in found if block.stack != HEAD and self.scale(block, sizes) < threshold]
        if threshold > 0 and not slow:
            least = min(self.scale(block, sizes) for block in found if block.stack != HEAD)
            raise RecipeError(
                f"tune.freeze_below is {threshold:g}, but layer decay leaves each block {least:.3g} of the learning "
                "rate at least: nothing is frozen by it. Leave it out, or give more."
            )
        return slow

    def _decay(self, stack: str) -> float:
        return self.layer_decay.get(stack, 1.0) if isinstance(self.layer_decay, Mapping) else self.layer_decay


def parameter_table(
    model: nn.Module,
    block_of: BlockMap,
    rates: Rates,
    from_step: Mapping[str, int] | None = None,
    added: Collection[str] = (),
) -> list[ParameterRow]:
    """Lists every parameter of the model, in its order, with what will happen to it.

    Biases, norms and all other parameters of one dimension have no weight decay.

    Args:
        model: With `requires_grad` as it is when all that may learn does.
        block_of: Tells the block of a parameter.
        rates: How fast.
        from_step: The first step in which a parameter learns, by its plain name, where that is not 1.
        added: The plain names of what an adapter added.

    Raises:
        RecipeError: A pattern of `rates` matches nothing that learns.
    """
    sizes = stack_sizes(block_of.found)
    learning = learning_names(model)
    multiples = by_first_match(rates.patterns, learning, "tune.rates", "parameter that learns")
    rows = []
    for name, parameter in model.named_parameters():
        plain, block = plain_name(name), block_of[name]
        first = (from_step or {}).get(plain, 1)
        trains = parameter.requires_grad
        rate = rates.lr * rates.scale(block, sizes) * multiples.get(plain, 1.0) * rates.fast.get(plain, 1.0)
        decays = trains and parameter.ndim > 1 and plain not in rates.anchored
        rows.append(
            ParameterRow(
                name=plain,
                shape=tuple(parameter.shape),
                stack=block.stack,
                block=block.depth,
                trainable=trains,
                lr=rate if trains else 0.0,
                weight_decay=rates.weight_decay if decays else 0.0,
                from_step=first if trains else 0,
                adapter=plain in added,
            )
        )
    return rows


def parameter_groups(model: nn.Module, rows: Sequence[ParameterRow]) -> list[dict[str, Any]]:
    """The optimizer's groups: trainable parameters of equal block, learning rate and weight decay together.

    Those that learn later only are in them from the start: they have no gradient until then.
    """
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for parameter, row in zip(model.parameters(), rows, strict=True):
        if row.trainable:
            key = (row.stack, row.block, row.lr, row.weight_decay)
            group = {"params": [], "lr": row.lr, "weight_decay": row.weight_decay}
            groups.setdefault(key, group)["params"].append(parameter)
    return list(groups.values())


SHOWN = 3  # weights named in a warning


def new_weights(new: Sequence[str], found: Sequence[Block]) -> list[str]:
    """Warns of weights outside the head that the checkpoint does not have."""
    head = {name for block in found if block.stack == HEAD for name in block.parameters}
    missing = [name for name in new if name not in head]
    text = "weights below the head start at random, for the checkpoint does not have them"
    return [f"{len(missing)} {text}: {_first_of(missing)}"] if missing else []


def stuck_weights(new: Sequence[str], rows: Sequence[ParameterRow]) -> list[str]:
    """Warns of weights that start at random and do not learn, such as new cross-attention beside an adapter."""
    frozen = {row.name for row in rows if not row.trainable}
    stuck = [name for name in new if name in frozen]
    text = "weights start at random and are frozen: they will stay as they are"
    return [f"{len(stuck)} {text}: {_first_of(stuck)}"] if stuck else []


def _first_of(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")

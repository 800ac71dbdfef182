"""What people should know of a model's weights before it is trained: new ones, stuck ones, odd statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hfft.tuning.blocks import HEAD, Block
from hfft.tuning.parameter_table import ParameterRow
from hfft.tuning.train_mode import USUAL, batch_norms, moving_norms

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


def batch_norm_doubts(
    model: Any, hasty: Sequence[float], still: bool, rows: int, smallest: int, batch_size: int
) -> list[str]:
    """Warns where BatchNorm spoils what is learnt, of what was changed in it, and of a setting without effect.

    Args:
        model: In the modes in which it will be trained.
        hasty: What `hfft.tuning.train_mode.slow_down` gave.
        still: Whether all BatchNorm layers were told to use the checkpoint's statistics.
        rows: What one process holds at once.
        smallest: The fewest that one ever holds.
        batch_size: Rows of a step, over all processes.
    """
    norms = batch_norms(model)
    if still and not norms:
        return ["tune.batch_norm has no effect: the model has no BatchNorm."]
    moving = moving_norms(model)
    warnings = []
    if moving and rows < batch_size:
        warnings.append(
            f"BatchNorm uses the statistics of each micro-batch of {rows} rows, not those of all {batch_size} of a "
            "step: the losses depend on how a batch is cut. tune.batch_norm=eval uses the checkpoint's."
        )
    elif moving and smallest == 1:
        warnings.append(
            "The last batch of an epoch leaves a process with a single row, by whose statistics alone BatchNorm then "
            "goes. Another train.batch_size leaves no such remainder; tune.batch_norm=eval uses the checkpoint's."
        )
    if moving and hasty:
        warnings.append(
            f"The momentum of BatchNorm was {hasty[0]:g} in {len(hasty)} layers, which keeps the statistics of the "
            f"last batch alone to score by: it is set to {USUAL:g}."
        )
    return warnings


def _first_of(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")

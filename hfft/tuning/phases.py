"""Tuning over time: at first the head learns alone, later the rest of what may learn joins it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from hfft.tuning.blocks import HEAD, STEM, Block, BlockMap, plain_name, stack_sizes


@dataclass(frozen=True)
class Phase:
    """A part of a run in which the same weights learn.

    Attributes:
        first_step: Its first step, from 1.
        closed: Plain names of the parameters that do not learn in it, and will later.
        fresh: Whether the optimizer forgets its state at the beginning.
    """

    first_step: int
    closed: frozenset[str]
    fresh: bool = False


def gradually(model: nn.Module, block_of: BlockMap, every: int, at_once: int) -> list[Phase]:
    """Gradual unfreezing (Howard and Ruder 2018, section 3.3): the head, then block after block from the top.

    There a layer joins with each epoch. Here so many blocks of each stack join every so many steps, an encoder's and a
    decoder's together, each from its own top; the stem, which all stacks share, joins last, by itself.

    Args:
        model: With `requires_grad` as it is when all that may learn does.
        block_of: Tells the block of a parameter.
        every: Steps from one time to the next.
        at_once: Blocks of each stack that join at a time.
    """
    sizes = stack_sizes(block_of.found)
    turns = {name: _turn(block, sizes, at_once) for name, block in _learning(model, block_of).items()}
    numbers = sorted(set(turns.values()))  # turns at which nothing would join are passed over
    return [
        Phase(1 + index * every, frozenset(name for name, turn in turns.items() if turn > number))
        for index, number in enumerate(numbers)
    ]


def probing(model: nn.Module, block_of: BlockMap, steps: int) -> list[Phase]:
    """Linear probing, then fine-tuning (LP-FT, Kumar et al. 2022): the head alone for so many steps, then everything.

    The optimizer starts anew with the second part, as the two runs of the paper do.

    Args:
        model: With `requires_grad` as it is when all that may learn does.
        block_of: Tells the block of a parameter.
        steps: Of the first part.
    """
    below = frozenset(name for name, block in _learning(model, block_of).items() if block.stack != HEAD)
    return [Phase(1, below), Phase(1 + steps, frozenset(), fresh=True)]


def _learning(model: nn.Module, block_of: BlockMap) -> dict[str, Block]:
    """The blocks of the parameters that learn, by plain name."""
    named = model.named_parameters()
    return {plain_name(name): block_of[name] for name, parameter in named if parameter.requires_grad}


def _turn(block: Block, sizes: Mapping[str, int], at_once: int) -> int:
    """When a block joins: 0 for the head, which is there from the start."""
    if block.stack == HEAD:
        return 0
    from_top = max(sizes.values()) + at_once if block.stack == STEM else sizes[block.stack] + 1 - block.depth
    return -(-from_top // at_once)


def first_steps(phases: Sequence[Phase]) -> dict[str, int]:
    """The first step in which a parameter learns, by plain name, where that is not 1."""
    return {name: later.first_step for phase, later in pairwise(phases) for name in phase.closed}


def phase_of(phases: Sequence[Phase], step: int) -> Phase:
    """The phase that a step, from 1, belongs to."""
    return next(phase for phase in reversed(phases) if phase.first_step <= step)


def enter(model: nn.Module, learning: frozenset[str], phase: Phase) -> None:
    """Gives the gradient to what learns in a phase, and takes it from what is closed.

    Args:
        model: The model, not wrapped.
        learning: Plain names of all that may learn.
        phase: The phase.
    """
    for name, parameter in model.named_parameters():
        plain = plain_name(name)
        if plain in learning:
            parameter.requires_grad_(plain not in phase.closed)

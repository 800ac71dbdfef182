"""The frozen trunk of a model: its lowest blocks, of which nothing learns, make the same of an example each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, nn

from hfft.tuning.blocks import HEAD, STEM, BlockMap, plain_name

PLAIN = (int, float, bool, str, type(None))


class _Known(Exception):
    """The states of a batch are known: the rest of the forward pass is not needed."""

    def __init__(self, states: Tensor):
        super().__init__()
        self.states = states


@dataclass
class Trunk:
    """The stem and the lowest blocks of a stack, whose result can be given instead of computed.

    Attributes:
        stack: The stack's name.
        blocks: The modules of the blocks, from shallow to deep.
        of: How many blocks the stack has.
        stems: The modules that have weights of the stem alone.
        weights: All that the result depends on beside the inputs, by name: parameters and buffers.
        passes_more: Whether a block gives tensors beside its states, which are not kept.
        stem: The one of `stems` that makes the input of the first block; None where none does: then it is computed.
    """

    stack: str
    blocks: list[nn.Module]
    of: int
    stems: list[nn.Module]
    weights: dict[str, Tensor]
    passes_more: bool = False
    stem: nn.Module | None = None
    _beside: dict[nn.Module, tuple[Any, ...] | None] = field(default_factory=dict)  # what is returned with the states
    _dtype: torch.dtype = torch.float32

    def states(self, call: Callable[[], Any]) -> Tensor:
        """What comes out of the trunk, which `call` runs; the blocks above are not computed.

        Args:
            call: Runs the model on a batch.
        """

        def leave(module: nn.Module, inputs: Any, output: Any) -> None:
            raise _Known(_first(output))

        hook = self.blocks[-1].register_forward_hook(leave)
        try:
            call()
        except _Known as known:
            return known.states
        finally:
            hook.remove()
        raise AssertionError("the model does not run its trunk")

    @contextmanager
    def given(self, states: Tensor) -> Iterator[None]:
        """While inside, the model takes these states for what comes out of the trunk, and does not compute it."""
        states = states.to(self._dtype)
        with ExitStack() as stack:
            for module, beside in self._beside.items():
                stack.callback(partial(_put, module, module.__dict__.get("forward")))
                module.forward = partial(_instead, states, beside)  # type: ignore[method-assign]
            yield

    def learn_form(self, call: Callable[[], Any]) -> str | None:
        """Finds out in which form the trunk's modules give their results; says why they cannot be left out, if so.

        Args:
            call: Runs the model on a batch, in the modes of training.
        """
        if any(module.training for block in self.blocks for module in block.modules()):
            return "a part of it is in training mode"
        calls: Counter[nn.Module] = Counter()
        outputs: dict[nn.Module, Any] = {}
        entries: list[Any] = []

        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            calls[module] += 1
            outputs.pop(module, None)  # so that they stand in the order in which they ended
            outputs[module] = output

        def enter(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            entries.append(inputs[0] if inputs else named.get("hidden_states"))

        with ExitStack() as hooks:
            for module in (*self.blocks, *self.stems):
                hooks.callback(module.register_forward_hook(keep).remove)
            hooks.callback(self.blocks[0].register_forward_pre_hook(enter, with_kwargs=True).remove)
            call()
            if any(calls[block] != 1 for block in self.blocks):
                return f"a block runs {max(calls[block] for block in self.blocks)} times in a forward pass"
            call()
        if not torch.equal(*entries):
            return "their input is another each time, by dropout in front of them (model.dropout)"
        forms = [outputs[block] for block in self.blocks]
        if not all(isinstance(_first(form), Tensor) for form in forms):
            return f"a block gives a {type(forms[0]).__name__}"
        stems = [module for module in outputs if module not in self.blocks and _first(outputs[module]) is entries[1]]
        self.stem = stems[-1] if stems else None  # the outermost of them ends last
        modules = [*self.blocks, *([self.stem] if self.stem is not None else [])]
        self._beside = {module: _without_tensors(outputs[module]) for module in modules}
        self._dtype = _first(forms[-1]).dtype
        self.passes_more = any(
            isinstance(part, Tensor) for form in forms if isinstance(form, tuple) for part in form[1:]
        )
        return None


def frozen_trunk(model: nn.Module, block_of: BlockMap, learning: Collection[str]) -> Trunk | None:
    """The trunk of a model of which some weights learn; None where the stem learns or the lowest block, or where blocks
    are left out at random (LayerDrop).

    Args:
        model: With its adapter.
        block_of: Tells the block of a parameter.
        learning: Plain names of what learns.
    """
    active = {block_of[name] for name in learning}
    stacked = [block for block in block_of.found if block.stack not in (STEM, HEAD)]
    own = [block for block in stacked if block.stack == stacked[0].stack]
    lowest = [*takewhile(lambda block: block not in active, own)]
    drops = any(getattr(module, "layerdrop", 0) for module in model.modules())
    if not lowest or drops or any(block.stack == STEM for block in active):
        return None
    named = {plain_name(f"{path}.").rstrip("."): module for path, module in model.named_modules()}
    of_stem = {id(weight) for name, weight in model.named_parameters() if block_of[name].stack == STEM}
    blocks = [named[block.name] for block in lowest]
    stems = [module for module in named.values() if len(own_ids := _ids(module)) > 0 and own_ids <= of_stem]
    weights = {
        id(tensor): (f"{number}.{name}", tensor)  # stems lie in each other, and have what is in them too
        for number, module in enumerate((*blocks, *stems))
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
    }
    return Trunk(lowest[0].stack, blocks, len(own), stems, dict(weights.values()))


def _ids(module: nn.Module) -> set[int]:
    return {id(weight) for weight in module.parameters()}


def _first(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output


def _without_tensors(output: Any) -> tuple[Any, ...] | None:
    """What stands beside the states in what a module returns: sizes as they are, None for tensors."""
    return tuple(map(_plain, output[1:])) if isinstance(output, tuple) else None


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and all(isinstance(part, PLAIN) for part in value):
        return value
    return value if isinstance(value, PLAIN) else None


def _instead(states: Tensor, beside: tuple[Any, ...] | None, *inputs: Any, **named: Any) -> Any:
    """Stands in for the forward pass of a module."""
    return states if beside is None else (states, *beside)


def _put(module: nn.Module, forward: Any) -> None:
    """Gives a module its own forward pass again."""
    if forward is None:
        del module.forward
    else:
        module.forward = forward

"""The blocks of a model, shallow to deep, found by structure and not by tables of names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from hfft.errors import ModelError, RecipeError
from hfft.tuning.counts import BlockCount, counted
from hfft.tuning.patterns import BlockPatterns, ends_of, lists_of_modules, stacks_of
from hfft.tuning.placing import Place, placed, stem_names, tables
from hfft.tuning.stacks import Stack, find_stacks

STEM, HEAD = "stem", "head"


@dataclass(frozen=True)
class Block:
    """A part of a model that stands at one depth.

    Attributes:
        stack: "stem", "head", or the stack's name, such as "encoder".
        depth: In a stack 1 for the lowest block; 0 for stem and head.
        name: The path of the block's module, or of its first one; the stack for stem and head.
        parameters: Names of its parameters, as in `named_parameters()`.
    """

    stack: str
    depth: int
    name: str
    parameters: tuple[str, ...]


def blocks(model: nn.Module, patterns: BlockPatterns | None = None) -> list[Block]:
    """Lists the blocks of a model: the stem, each stack from shallow to deep, the head.

    A stack is an outermost list of modules that hold two weight matrices or more. Stages, such as those of ResNet and
    Swin, are opened into their blocks, which count on from stage to stage; what a later stage has in front of its
    blocks belongs to the first of them, what a stage has behind them to the last. Lists that hold parts of the same
    blocks (XLM's attentions and feed-forward layers) are one stack, and so are lists that run one after the other
    (CANINE's encoders). Layers that hold half a block in turn (LeViT's attentions and feed-forward layers) make one
    block each two. Weights that blocks share belong to the first of them.

    What feeds the first block of a stack, every embedding table, and what joins one stack to another (the projector of
    a model that sees and reads) is the stem; what comes behind is the head: poolers, final norms, and all that is not
    part of the base model. Every parameter is in exactly one block; there is one stem and one head, which all stacks
    share, as an encoder and a decoder share their table of words in T5 and BART.

    Args:
        model: A transformers model, without adapters.
        patterns: For a model that cannot be read so, patterns of module paths by the name of a stack, such as
            `{"encoder": "model.layers.*"}`: each module that matches is a block, in the model's order, and the stacks
            are these alone, in the order given. `*` and `?` stand for anything but a dot, `**` for anything, `[01]`
            for one of the characters. Patterns under "stem" and "head", of modules or parameters, put these there;
            everything else goes by the rules above.

    Raises:
        ModelError: No stack can be found.
        RecipeError: A pattern cannot be read or matches nothing, blocks have no parameters of their own or are inside
            each other, or the patterns of stem and head leave no block.
    """
    if patterns is not None and not patterns:
        raise RecipeError('tune.blocks is empty: give patterns, such as {encoder: "model.layers.*"}, or leave it out.')
    given = patterns or {}
    ends = ends_of(model, {name: given[name] for name in (STEM, HEAD) if name in given})
    named = {name: value for name, value in given.items() if name not in (STEM, HEAD)}
    wanted = stacks_of(model, named) if named else find_stacks(model)
    names = [name for name, _ in model.named_parameters()]
    stacks, places = placed([name for name in names if name not in ends], wanted, tables(model))
    if not stacks and (takers := _takers(wanted, ends)):
        raise _none_left(wanted, takers)
    if named:
        _check_filled(wanted, stacks, ends)
    if not stacks:
        raise _unreadable(model)
    stem = stem_names(model, stacks, {name: place.stack for name, place in places.items()})
    members: dict[Place | str, list[str]] = {}
    for name in names:
        members.setdefault(places.get(name) or ends.get(name) or (STEM if name in stem else HEAD), []).append(name)
    found = [
        Block(stack.name, depth, core[0], tuple(members[Place(index, depth - 1)]))
        for index, stack in enumerate(stacks)
        for depth, core in enumerate(stack.cores, start=1)
    ]
    first, last = ([Block(end, 0, end, tuple(members[end]))] if end in members else [] for end in (STEM, HEAD))
    return [*first, *found, *last]


def _takers(wanted: Sequence[Stack], ends: Mapping[str, str]) -> list[str]:
    """The ends that patterns give parameters of blocks to."""
    inside = tuple(f"{path}." for stack in wanted for core in stack.cores for path in core)
    return list(dict.fromkeys(end for name, end in ends.items() if name.startswith(inside)))


def _none_left(wanted: Sequence[Stack], takers: Sequence[str]) -> RecipeError:
    names = " and ".join(f"tune.blocks.{end}" for end in takers)
    homes = " and ".join(f"{stack.home}.*".lstrip(".") for stack in wanted)
    return RecipeError(
        f"The patterns of {names} take all blocks ({homes}), so that no block is left: give patterns of what stands "
        "outside of the blocks, or leave them out."
    )


def _check_filled(wanted: Sequence[Stack], filled: Sequence[Stack], ends: Mapping[str, str]) -> None:
    kept = {core for stack in filled for core in stack.cores}
    for stack in wanted:
        for (path,) in (core for core in stack.cores if core not in kept):
            if takers := _takers([Stack(stack.name, ((path,),), ())], ends):
                also = f"tune.blocks.{takers[0]}"
                raise RecipeError(f"{path} is in tune.blocks.{stack.name} and in {also}: name it in one.")
            raise RecipeError(
                f"tune.blocks.{stack.name} matches {path}, which has no parameters of its own: give patterns "
                "of modules that hold weights, each of them once."
            )


def _unreadable(model: nn.Module) -> ModelError:
    lists = lists_of_modules(model)
    found = f"its lists of modules are {', '.join(lists)}" if lists else "it has no list of modules at all"
    return ModelError(
        f"No stack of blocks can be found in {type(model).__name__}: it has no list of modules with two weight "
        f"matrices or more; {found}. Freezing, layer decay and adapters need blocks: name them in the recipe by "
        f'patterns of module paths, such as tune.blocks: {{encoder: "{lists[0] if lists else "model.layers.*"}"}}.'
    )


def stack_sizes(found: Sequence[Block]) -> dict[str, int]:
    """The number of blocks of each stack."""
    sizes: dict[str, int] = {}
    for block in found:
        if block.stack not in (STEM, HEAD):
            sizes[block.stack] = max(sizes.get(block.stack, 0), block.depth)
    return sizes


def top_blocks(found: Sequence[Block], count: BlockCount, setting: str) -> list[Block]:
    """The highest blocks of each stack, or of the stacks that a count names; a share of them is rounded up.

    Args:
        found: All blocks.
        count: How many.
        setting: Where the count stands, for messages.

    Raises:
        RecipeError: A stack is not in the model, or has fewer blocks.
    """
    sizes = stack_sizes(found)
    lowest = {stack: sizes[stack] - top + 1 for stack, top in counted(count, sizes, setting, math.ceil).items()}
    return [block for block in found if block.stack in lowest and block.depth >= lowest[block.stack]]


class BlockMap:
    """Tells the block of any parameter, also of those that an adapter added to the model afterwards."""

    def __init__(self, found: Sequence[Block]):
        self.found = list(found)
        self._by_parameter = {name: block for block in found for name in block.parameters}
        self._by_module = _by_module(found)

    def __getitem__(self, name: str) -> Block:
        """The block of a parameter.

        Args:
            name: As in `named_parameters()` of the model, with or without an adapter.
        """
        plain = plain_name(name)
        if plain in self._by_parameter:
            return self._by_parameter[plain]
        module = plain
        while module:
            module = module.rpartition(".")[0]
            if module in self._by_module:
                return self._by_module[module]
        raise AssertionError(f"{name} belongs to no block")


def _by_module(found: Sequence[Block]) -> dict[str, Block]:
    """The block of every module whose parameters are all of one block, or that has parameters of its own."""
    whole: dict[str, Block | None] = {}
    direct: dict[str, Block] = {}
    for block in found:
        for name in block.parameters:
            path = name.rpartition(".")[0]
            direct[path] = block
            while path:
                whole[path] = block if whole.get(path, block) is block else None
                path = path.rpartition(".")[0]
    return {**direct, **{path: block for path, block in whole.items() if block is not None}}


def learning_names(model: nn.Module) -> list[str]:
    """The plain names of the parameters that learn as the model stands."""
    return [plain_name(name) for name, parameter in model.named_parameters() if parameter.requires_grad]


def plain_name(name: str) -> str:
    """A parameter's name without what PEFT wraps around it.

    >>> plain_name("base_model.model.classifier.modules_to_save.default.weight")
    'classifier.weight'
    """
    name = name.removeprefix("base_model.model.")
    return name.replace(".base_layer.", ".").replace(".modules_to_save.default.", ".")

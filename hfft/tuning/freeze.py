"""Freezing: which parameters never move. Frozen means no gradient, no optimizer state, no statistics, no dropout."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from torch import nn

from hfft.errors import RecipeError
from hfft.tuning.blocks import HEAD, STEM, Block, BlockMap, learning_names, plain_name, stack_sizes
from hfft.tuning.counts import BlockCount, counted
from hfft.tuning.patterns import by_first_match, matches
from hfft.tuning.section import Kept


def frozen_blocks(found: Sequence[Block], lowest: BlockCount) -> list[Block]:
    """The blocks that `tune.freeze.blocks` names.

    A number means the stem and so many lowest blocks of each stack, '50%' that share of each, rounded down, 'all'
    everything but the head. By stack, such as `{"encoder": "all", "decoder": 1}`, it means the blocks of those stacks,
    and the stem where any of them is frozen; `{"stem": 0}` beside them leaves it free. Stacks that are not named stay
    free. All stacks have one stem: where encoder and decoder share their table of words, as in T5 and BART, that table
    is frozen for both, and so is an output layer that is tied to it.

    Raises:
        RecipeError: A stack is not in the model or has fewer blocks; by stack also where nothing would be frozen, or
            everything but the head.
    """
    if lowest == "all":
        return [block for block in found if block.stack != HEAD]
    sizes = stack_sizes(found)
    if isinstance(lowest, Mapping):
        frozen = counted(lowest, {STEM: 1, **sizes}, "tune.freeze.blocks")
        frozen.setdefault(STEM, int(any(frozen.values())))
    else:
        frozen = {STEM: 1, **counted(lowest, sizes, "tune.freeze.blocks")}
    chosen = [block for block in found if max(block.depth, 1) <= frozen.get(block.stack, 0)]  # the stem's depth is 0
    if not isinstance(lowest, Mapping):
        return chosen
    if not chosen:
        raise RecipeError(f"tune.freeze.blocks is {lowest}, which freezes nothing: leave tune.freeze out.")
    if frozen == {STEM: 1, **sizes}:  # which has a rate of its own
        if all(block.stack != HEAD for block in found):
            raise RecipeError(
                f"tune.freeze.blocks is {lowest}, which freezes all that this model has: nothing would learn."
            )
        raise RecipeError(
            f"tune.freeze.blocks is {lowest}, which freezes everything but the head of this model. Write "
            "tune.freeze.blocks: all."
        )
    return chosen


def frozen_names(
    model: nn.Module,
    block_of: BlockMap,
    frozen: Collection[Block],
    keep: Sequence[Kept] = (),
    patterns: Sequence[tuple[str, bool]] = (),
) -> frozenset[str]:
    """The parameters that are frozen, by their plain names.

    The first pattern that matches a name decides; of the others those in frozen blocks are frozen, but for what `keep`
    names. Biases alone, beside the head, are BitFit (Ben Zaken et al. 2022).

    Args:
        model: With its adapters, which are frozen in frozen blocks too.
        block_of: Tells the block of a parameter.
        frozen: The frozen blocks.
        keep: Kinds of parameters that learn in them all the same.
        patterns: Pairs of a pattern and whether it freezes; see `hfft.tuning.patterns`.

    Raises:
        RecipeError: A pattern or `keep` has no effect.
    """
    places = {plain_name(name): block_of[name] for name, _ in model.named_parameters()}
    learning = set(learning_names(model))
    kinds = kept_names(model, keep)
    for kind, members in kinds.items():
        if not any(places[name] in frozen and name in learning for name in members):
            raise RecipeError(f"tune.freeze.keep is '{kind}', but the frozen blocks have no {kind} that could learn.")
    kept = {name for members in kinds.values() for name in members}

    def chosen(rules: Sequence[tuple[str, bool]]) -> frozenset[str]:
        told = by_first_match(rules, list(places), "tune.freeze.patterns")
        return frozenset(name for name, block in places.items() if told.get(name, block in frozen and name not in kept))

    found = chosen(patterns)
    for pattern, freezes in patterns:
        if not freezes and not any(matches(pattern, name) for name in learning):
            raise RecipeError(
                f"tune.freeze.patterns trains '{pattern}', which stays as it is all the same: beside an adapter only "
                "the adapter and the head learn. Leave one of the two out."
            )
    for index, (pattern, freezes) in enumerate(patterns):
        if found & learning == chosen([*patterns[:index], *patterns[index + 1 :]]) & learning:
            raise RecipeError(
                f"tune.freeze.patterns has the line '{'freeze' if freezes else 'train'}: {pattern}', which changes "
                f"nothing: that {'stays as it is' if freezes else 'learns'} without it. Leave it out."
            )
    return found


def kept_names(model: nn.Module, keep: Sequence[Kept]) -> dict[Kept, list[str]]:
    """The plain names of biases or of norms' parameters, by kind.

    A norm is a module whose class says so (LayerNorm, T5LayerNorm, BatchNorm2d, ...); its bias is of both kinds.
    """
    parameters = {name: plain_name(name) for name, _ in model.named_parameters()}
    sizes = {plain_name(name): parameter.ndim for name, parameter in model.named_parameters()}
    norms = {path for path, module in model.named_modules() if "norm" in type(module).__name__.lower()}
    members: dict[Kept, list[str]] = {
        "biases": [plain for plain in parameters.values() if plain.endswith("bias") and sizes[plain] == 1],
        "norms": [plain for name, plain in parameters.items() if name.rpartition(".")[0] in norms],
    }
    return {kind: members[kind] for kind in keep}


def freeze(model: nn.Module, frozen: Collection[str]) -> None:
    """Takes the gradient from every parameter with one of these plain names."""
    for name, parameter in model.named_parameters():
        if plain_name(name) in frozen:
            parameter.requires_grad_(False)

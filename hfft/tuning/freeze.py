"""Freezing: frozen means no gradient, no optimizer state, still BatchNorm statistics and no dropout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hfft.errors import RecipeError, near
from hfft.tuning.batch_norm import batch_norms
from hfft.tuning.blocks import HEAD, STEM, Block, BlockMap, plain_name, stack_sizes

Lowest = int | Literal["all"]


def frozen_blocks(found: Sequence[Block], lowest: Lowest | Mapping[str, Lowest]) -> list[Block]:
    """The blocks that `tune.freeze.blocks` names.

    A number means the stem and so many lowest blocks of each stack, 'all' everything but the head. By stack, such as
    `{"encoder": "all", "decoder": 1}`, it means the blocks of those stacks, and the stem where any of them is frozen;
    `{"stem": 0}` beside them leaves it free. Stacks that are not named stay free. All stacks have one stem: where
    encoder and decoder share their table of words, as in T5 and BART, that table is frozen for both, and so is an
    output layer that is tied to it.

    Raises:
        RecipeError: A stack is not in the model or has fewer blocks, nothing would be frozen, or all would be.
    """
    if lowest == "all":
        return [block for block in found if block.stack != HEAD]
    if isinstance(lowest, Mapping):
        return _frozen_by_stack(found, lowest)
    sizes = stack_sizes(found)
    if lowest > max(sizes.values()):
        raise RecipeError(
            f"tune.freeze.blocks is {lowest}, but this model has {max(sizes.values())} blocks ({_listed(sizes)}); use "
            f"0 to {max(sizes.values())}, or 'all' for everything but the head."
        )
    return [block for block in found if block.stack == STEM or (block.stack != HEAD and block.depth <= lowest)]


def _frozen_by_stack(found: Sequence[Block], lowest: Mapping[str, Lowest]) -> list[Block]:
    sizes = stack_sizes(found)
    for stack, count in lowest.items():
        if stack not in (STEM, *sizes):
            raise RecipeError(
                f"tune.freeze.blocks names '{stack}', which is no stack of this model.{near(stack, [STEM, *sizes])} It "
                f"has: {_listed(sizes)}; {STEM} may be named beside them."
            )
        if stack != STEM and count != "all" and count > sizes[stack]:
            raise RecipeError(
                f"tune.freeze.blocks.{stack} is {count}, but this model has {sizes[stack]} blocks in its {stack}; use "
                f"0 to {sizes[stack]}, or 'all'."
            )
    depths = {stack: sizes[stack] if count == "all" else count for stack, count in lowest.items() if stack != STEM}
    stem = lowest.get(STEM, "all" if any(depths.values()) else 0) == "all"
    if stem:
        depths[STEM] = 0
    chosen = [block for block in found if block.stack in depths and block.depth <= depths[block.stack]]
    if not chosen:
        raise RecipeError(f"tune.freeze.blocks is {dict(lowest)}, which freezes nothing: leave tune.freeze out.")
    if stem and all(lowest.get(stack) == "all" for stack in sizes):  # which has a learning rate of its own
        raise RecipeError(
            f"tune.freeze.blocks is {dict(lowest)}, which freezes everything but the head of this model. Write "
            "tune.freeze.blocks: all."
        )
    return chosen


def _listed(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{size} in its {stack}" for stack, size in sizes.items())


def freeze(model: nn.Module, frozen: Sequence[Block], block_of: BlockMap) -> None:
    """Takes the gradient from every parameter of the frozen blocks, adapters in them included."""
    for name, parameter in model.named_parameters():
        if block_of[name] in frozen:
            parameter.requires_grad_(False)


def set_modes(
    model: nn.Module,
    frozen: Sequence[Block],
    block_of: BlockMap,
    frozen_dropout: bool,
    still_statistics: bool = False,
) -> None:
    """Puts the model in training mode, but for what is frozen.

    A module whose parameters all lie in frozen blocks is put in evaluation mode, which turns its dropout off; so is
    one of which only a part of the head learns (T5's encoder, all frozen but for its final norm), without that part;
    and every BatchNorm without a trainable parameter, whatever block it is in: in training mode its running statistics
    move although nothing learns. Dropout that a module with learning blocks makes by itself, such as BART's behind the
    embeddings, stays on.

    Args:
        model: With `requires_grad` set already.
        frozen: The frozen blocks.
        block_of: Tells the block of a parameter.
        frozen_dropout: Leave dropout on in frozen blocks.
        still_statistics: Put every BatchNorm in evaluation mode.
    """
    model.train()
    for norm in batch_norms(model) if still_statistics else []:
        norm.eval()
    places = {id(parameter): block_of[name] for name, parameter in model.named_parameters()}  # tied ones have one name
    still = {parameter for parameter, block in places.items() if block in frozen}
    free = {parameter for parameter, block in places.items() if block not in frozen and block.stack != HEAD}
    inner = _inner_paths(model)
    closed: set[str] = set()  # modules of which no more than a part of the head learns
    nearest: int | None = None  # the parameter that came last: a module without parameters goes with it
    for path, module in model.named_modules():
        own = [id(parameter) for parameter in module.parameters()]
        nearest = own[-1] if own else nearest
        parent = path.rpartition(".")[0]
        if not own and parent in inner and not frozen_dropout:
            module.train(nearest not in still and parent not in closed)
        if not own:
            continue
        if isinstance(module, _BatchNorm) and not any(parameter.requires_grad for parameter in module.parameters()):
            module.eval()
        if frozen_dropout:
            continue
        if still.issuperset(own):
            module.eval()
        elif path in inner and not still.isdisjoint(own) and free.isdisjoint(own):
            module.training = False  # its own dropout alone: parts of it learn
            closed.add(path)


def _inner_paths(model: nn.Module) -> set[str]:
    """The paths of modules in the base model; of all modules below the whole where the model has no base of its own."""
    base = getattr(model, "base_model_prefix", "")
    parts = {path: [part for part in plain_name(f"{path}.").split(".") if part] for path, _ in model.named_modules()}
    has_base = any(names[:1] == [base] for names in parts.values())
    return {path for path, names in parts.items() if (base in names if has_base else names)}

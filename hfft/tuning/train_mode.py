"""train() and eval() part by part: what is frozen keeps its statistics and drops nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hfft.tuning.blocks import HEAD, BlockMap, plain_name


def set_modes(
    model: nn.Module,
    frozen: Collection[str],
    block_of: BlockMap,
    frozen_dropout: bool,
    still_statistics: bool = False,
) -> None:
    """Puts the model in training mode, but for what is frozen.

    A module whose parameters are all frozen is put in evaluation mode, which turns its dropout off; so is
    one of which only a part of the head learns (T5's encoder, all frozen but for its final norm), without that part;
    and every BatchNorm without a trainable parameter, whatever block it is in: in training mode its running statistics
    move although nothing learns. Dropout that a module with learning blocks makes by itself, such as BART's behind the
    embeddings, stays on.

    Args:
        model: With `requires_grad` set already.
        frozen: The plain names of the frozen parameters. Those that an adapter holds are none: their blocks learn.
        block_of: Tells the block of a parameter.
        frozen_dropout: Leave dropout on in what is frozen.
        still_statistics: Put every BatchNorm in evaluation mode.
    """
    model.train()
    for norm in batch_norms(model) if still_statistics else []:
        norm.eval()
    named = [(id(parameter), plain_name(name), block_of[name]) for name, parameter in model.named_parameters()]
    still = {parameter for parameter, name, _ in named if name in frozen}  # tied ones have one name
    free = {parameter for parameter, name, block in named if name not in frozen and block.stack != HEAD}
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


HASTY = 0.5  # a larger momentum gives the last batch more weight than all before it

USUAL = 0.1  # PyTorch's default


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The BatchNorm layers of a model."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def moving_norms(model: nn.Module) -> list[_BatchNorm]:
    """Those in training mode, which go by the statistics of what they see at once, and keep them."""
    return [norm for norm in batch_norms(model) if norm.training]


class StatisticsBefore:
    """The running statistics of the layers in training mode, as they were before a step.

    They are kept and put back in one piece for each type, for there are hundreds of them, and each operation costs a
    launch on a GPU.
    """

    def __init__(self, model: nn.Module):
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for norm in moving_norms(model):
            for buffer in norm.buffers(recurse=False):
                kinds.setdefault(buffer.dtype, []).append(buffer)
        self.kept = [(buffers, _joined(buffers)) for buffers in kinds.values()]

    def put_back_unless(self, moved: Tensor) -> None:
        """Puts them back where `moved`, on the device, is false. Nothing waits for the device."""
        for buffers, before in self.kept:
            chosen = torch.where(moved, _joined(buffers), before)
            parts = chosen.split([buffer.numel() for buffer in buffers])
            found = [part.view_as(buffer) for part, buffer in zip(parts, buffers, strict=True)]
            torch._foreach_copy_(buffers, found)  # type: ignore[attr-defined]  # as torch.optim.swa_utils does it


def _joined(buffers: list[Tensor]) -> Tensor:
    return torch.cat([buffer.reshape(-1) for buffer in buffers])


def slow_down(model: nn.Module) -> list[float]:
    """Gives BatchNorm layers whose running statistics would be those of the last batch alone PyTorch's momentum.

    transformers' MobileNets have 0.997, TensorFlow's number, which there is the weight of the past and here that of
    the last batch: scored in evaluation mode, such a model answers by the statistics of a few images.

    Returns:
        What the momentum was, a number a layer that was changed.
    """
    hasty = [norm for norm in batch_norms(model) if norm.momentum is not None and norm.momentum > HASTY]
    found = [float(norm.momentum or 0) for norm in hasty]
    for norm in hasty:
        norm.momentum = USUAL
    return found


def batch_norm_warnings(
    model: nn.Module, hasty: Sequence[float], still: bool, rows: int, smallest: int, batch_size: int
) -> list[str]:
    """Warns where BatchNorm spoils what is learnt, of what was changed in it, and of a setting without effect.

    Args:
        model: In the modes in which it will be trained.
        hasty: What `slow_down` gave.
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

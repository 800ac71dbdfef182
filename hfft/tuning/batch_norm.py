"""BatchNorm layers: which there are, their running statistics, and such that forget too fast."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

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

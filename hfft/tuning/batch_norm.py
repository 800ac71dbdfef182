"""BatchNorm layers: which there are, and running statistics that forget too fast."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

HASTY = 0.5  # a larger momentum gives the last batch more weight than all before it
USUAL = 0.1  # PyTorch's default


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The BatchNorm layers of a model."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def moving_norms(model: nn.Module) -> list[_BatchNorm]:
    """Those in training mode, which go by the statistics of what they see at once, and keep them."""
    return [norm for norm in batch_norms(model) if norm.training]


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

"""The layer of a model that gives its answer."""

from __future__ import annotations

from torch import nn


def last_layer(model: nn.Module, outputs: int) -> nn.Linear:
    """The linear layer that gives the model's answer.

    Args:
        model: With a classification head; with an adapter or without.
        outputs: How many numbers the layer gives.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear) and module.out_features == outputs]
    assert layers, f"{type(model).__name__} has no linear layer with {outputs} outputs"
    return layers[-1]

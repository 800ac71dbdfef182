"""Where an adapter goes: the top blocks, layers in them by kind or name, the modules of the head."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from torch import nn
from transformers.pytorch_utils import Conv1D

from hfft.errors import RecipeError, near
from hfft.tuning.blocks import HEAD, STEM, Block
from hfft.tuning.patterns import endings, matches
from hfft.tuning.section import Targets

LINEAR: tuple[type[nn.Module], ...] = (nn.Linear, Conv1D)  # Conv1D is GPT-2's linear layer

ATTENTION_WORDS = ("attention", "attn")

KEYS, VALUES = {"k", "key", "keys"}, {"v", "value", "values"}


def layers_of(model: nn.Module, within: Sequence[Block], kinds: tuple[type[nn.Module], ...]) -> list[str]:
    """The names of the layers of some kinds in some blocks, in the model's order.

    A layer that shares its weight with one before it is none: an adapter in one of the two would untie them.
    """
    inside = {name.rpartition(".")[0] for block in within for name in block.parameters if name.endswith(".weight")}
    return [name for name, module in model.named_modules() if isinstance(module, kinds) and name in inside]


def norms_of(model: nn.Module, within: Sequence[Block]) -> list[str]:
    """The names of the norms without running statistics (LayerNorm, RMSNorm, ...) in some blocks."""
    inside = {name.rpartition(".")[0] for block in within for name in block.parameters if name.endswith(".weight")}
    return [
        name
        for name, module in model.named_modules()
        if name in inside and "norm" in type(module).__name__.lower() and not list(module.buffers())
    ]


def target_layers(
    model: nn.Module, found: Sequence[Block], targets: Targets, patterns_alone: bool = False, key: str = "targets"
) -> list[str]:
    """The names of the layers that `tune.adapter.targets` means.

    The words mean linear layers; patterns reach 2-D convolutions too.

    Args:
        model: The model, without an adapter.
        found: The blocks in which to look; stem and head are passed over.
        targets: Linear layers of the attention, of all blocks, or patterns (`*` and `?`) of names or of their ends.
        patterns_alone: Look among norms: for a method that trains norms, which no word means.
        key: Which one of `tune.adapter` says so, for messages.

    Raises:
        RecipeError: A pattern, or `targets` as a whole, matches no such layer of a block.
    """
    within = [block for block in found if block.stack not in (STEM, HEAD)]
    linear = layers_of(model, within, LINEAR)
    if not isinstance(targets, str):
        layers = norms_of(model, within) if patterns_alone else layers_of(model, within, (*LINEAR, nn.Conv2d))
        return _by_patterns(targets, layers, "norm" if patterns_alone else "linear layer or convolution", key)
    if not linear:
        convolutions = Counter(name.rpartition(".")[2] for name in layers_of(model, within, (nn.Conv2d,)))
        if convolutions:
            most = convolutions.most_common(1)[0][0]
            raise RecipeError(
                f"tune.adapter.targets is '{targets}', which means linear layers, and the blocks of this model have "
                f"none. They have convolutions, which patterns reach, such as tune.adapter.targets=[{most}]."
            )
        raise RecipeError(
            "tune.adapter adds to linear layers, and the blocks of this model have none: leave tune.adapter out."
        )
    chosen = [name for name in linear if targets == "all-linear" or _is_attention(name)]
    if not chosen:
        raise RecipeError(
            f"tune.adapter.targets is '{targets}', which matches no linear layer of this model. Its blocks have: "
            f"{', '.join(sorted(endings(linear)))}."
        )
    return chosen


def _is_attention(name: str) -> bool:
    return any(word in name.lower() for word in ATTENTION_WORDS)


def _by_patterns(patterns: Sequence[str], layers: list[str], what: str, key: str) -> list[str]:
    chosen = []
    for pattern in patterns:
        names = [name for name in layers if matches(pattern, name)]
        if not names:
            ends = sorted(endings(layers))
            hint = near(pattern, [*ends, *(end.rpartition(".")[2] for end in ends)])
            raise RecipeError(
                f"tune.adapter.{key} has the pattern '{pattern}', which matches no {what} of this model's blocks."
                f"{hint} They have: {', '.join(ends)}."
            )
        chosen += names
    return list(dict.fromkeys(chosen))


def keys_values_and_leaving(model: nn.Module, found: Sequence[Block]) -> tuple[list[str], list[str]] | None:
    """The layers of (IA)^3 by structure: those of keys and values, and those that leave the feed-forward parts.

    Liu et al. 2022, section 3.3: keys and values are scaled, and what is in the middle of the feed-forward part, which
    is the input of the layer that leaves it: outside the attention the only one with more inputs than outputs.

    Returns:
        Both, or None where the blocks do not show them, for queries, keys and values are one layer, for example.
    """
    keys_values, leaving = [], []
    for block in (block for block in found if block.stack not in (STEM, HEAD)):
        linear = layers_of(model, [block], LINEAR)
        attention = [name for name in linear if _is_attention(name)]
        firsts = {name: re.split(r"[._]", name.rpartition(".")[2].lower())[0] for name in attention}
        narrowing = [name for name in linear if name not in attention and _narrows(model.get_submodule(name))]
        if not KEYS.intersection(firsts.values()) or not VALUES.intersection(firsts.values()) or len(narrowing) != 1:
            return None
        keys_values += [name for name, first in firsts.items() if first in KEYS | VALUES]
        leaving += narrowing
    return keys_values, leaving


def _narrows(layer: nn.Module) -> bool:
    weight: nn.Parameter = layer.weight  # type: ignore[assignment]
    return weight.shape[0] > weight.shape[1] if isinstance(layer, Conv1D) else weight.shape[1] > weight.shape[0]


def head_modules(found: Sequence[Block]) -> list[str]:
    """The modules of the head, for PEFT to train and save."""
    names = [name for block in found if block.stack == HEAD for name in block.parameters]
    outside = [name for block in found if block.stack != HEAD for name in block.parameters]
    modules = []
    for name in names:
        parts = name.split(".")[:-1]
        for length in range(1, len(parts) + 1):
            path = ".".join(parts[:length])
            if not any(other.startswith(f"{path}.") for other in outside):  # the widest module that is all head
                modules.append(path)
                break
    return list(dict.fromkeys(modules))

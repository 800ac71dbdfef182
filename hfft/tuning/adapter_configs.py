"""PEFT's configurations of adapters, from settings and for a model."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from peft import IA3Config, LoraConfig, PeftConfig
from peft.utils.constants import (
    TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING,
    TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING,
)
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from hfft.errors import RecipeError, near
from hfft.tuning.adapter_settings import METHODS, PATTERNS, of_peft
from hfft.tuning.adapter_targets import keys_values_and_leaving, norms_of, target_layers
from hfft.tuning.blocks import Block
from hfft.tuning.patterns import endings

LINEAR_ALONE = {"oft": "PEFT's OFT of convolutions leaves out their padding"}


def peft_config(model: PreTrainedModel, within: Sequence[Block], name: str, settings: Mapping[str, Any]) -> PeftConfig:
    """Makes PEFT's config of an adapter, without the head.

    Args:
        model: The model, without an adapter.
        within: The blocks that get it.
        name: `lora`, `ia3`, or another method of PEFT by its own name.
        settings: As its section has them, of which any may be missing.

    Raises:
        RecipeError: A setting does not fit the method or the model.
    """
    if name == "lora":
        return _lora(
            model, within, **{key: value for key, value in settings.items() if key not in ("blocks", "lr_ratio")}
        )
    if name == "ia3":
        return _ia3(model, within, settings.get("targets"), settings.get("feedforward"))
    targets = settings.get("targets")
    if name == "ln_tuning":
        layers = target_layers(model, within, _no_word(targets), True) if targets else norms_of(model, within)
        if not layers:
            raise RecipeError(
                "tune.adapter.name is 'ln_tuning', but the blocks of this model have no norm it could copy."
            )
    else:
        layers = target_layers(model, within, targets or "attention")
        _check_linear(model, layers, LINEAR_ALONE.get(name))
    check_patterns(name, settings, layers)
    check_convolutions(model, settings, layers)
    fields = {field.name for field in dataclasses.fields(METHODS[name])}
    own = {"progressbar": False, "fan_in_fan_out": _is_transposed(model, layers)}
    own = {key: value for key, value in own.items() if key in fields}
    return METHODS[name](target_modules=layers, **own, **of_peft(settings))


def _no_word(targets: Any) -> list[str]:
    if isinstance(targets, str):
        raise RecipeError(
            f"tune.adapter.targets is '{targets}', which means linear layers, but ln_tuning trains norms: give "
            "patterns of their names, or leave targets out for all in blocks."
        )
    return targets


def _lora(
    model: PreTrainedModel,
    within: Sequence[Block],
    rank: int = 8,
    alpha: float = 16,
    dropout: float = 0.0,
    targets: Any = "attention",
    rslora: bool = False,
    dora: bool = False,
    init: str = "default",
) -> LoraConfig:
    """LoRA (Hu et al. 2021): W x becomes W x + (alpha / rank) B A x, with W frozen and B zero at first."""
    layers = target_layers(model, within, targets)
    if init == "pissa":
        _check_linear(model, layers, "init: pissa takes matrices apart")
        _check_rank(model, layers, rank)
    return LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # any number does
        lora_dropout=dropout,
        fan_in_fan_out=_is_transposed(model, layers),
        target_modules=layers,
        use_rslora=rslora,
        use_dora=dora,
        init_lora_weights="pissa" if init == "pissa" else True,
    )


def _check_linear(model: nn.Module, layers: Sequence[str], why: str | None) -> None:
    convolutions = [name for name in layers if isinstance(model.get_submodule(name), nn.Conv2d)]
    if why is not None and convolutions:
        raise RecipeError(
            f"tune.adapter.targets means the convolution {convolutions[0]}, but here only linear layers will do: {why}."
        )


def _check_rank(model: nn.Module, layers: Sequence[str], rank: int) -> None:
    """Refuses a rank that PiSSA finds no singular values for."""
    for name in layers:
        least = min(model.get_submodule(name).weight.shape)  # type: ignore[union-attr]
        if rank > least:
            raise RecipeError(
                f"tune.adapter.rank is {rank}, but with init: pissa it is the number of singular values taken from "
                f"each weight, and {name} has {least}. Use 1 to {least}."
            )


def _ia3(model: PreTrainedModel, within: Sequence[Block], targets: Any, feedforward: list[str] | None) -> IA3Config:
    """(IA)^3 by its own places, by what is given, or by PEFT's table where keys and values are parts of a layer."""
    kind = model.config.model_type
    if targets is None and (layers := keys_values_and_leaving(model, within)) is not None:
        outputs, inputs = layers
    elif targets is None and kind in TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING:
        inputs = TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING.get(kind, [])
        inputs = target_layers(model, within, inputs) if inputs else []
        outputs = target_layers(model, within, TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING[kind])
    elif targets is None:
        raise RecipeError(
            "tune.adapter.name is 'ia3', but this model does not show which layers make keys and values and which ones "
            "leave the feed-forward parts: give both tune.adapter.targets and tune.adapter.feedforward, as patterns."
        )
    else:
        outputs = target_layers(model, within, targets)
        inputs = target_layers(model, within, feedforward or [], key="feedforward")
    layers = list(dict.fromkeys([*outputs, *inputs]))
    return IA3Config(target_modules=layers, feedforward_modules=inputs, fan_in_fan_out=_is_transposed(model, layers))


def _is_transposed(model: nn.Module, layers: Sequence[str]) -> bool:
    return any(isinstance(model.get_submodule(name), Conv1D) for name in layers)


def check_patterns(name: str, settings: Mapping[str, Any], layers: Sequence[str]) -> None:
    """Refuses keys of `rank_pattern` and its kin that PEFT would pass over in silence.

    Args:
        name: The method.
        settings: Of the method.
        layers: The names of the layers that get an adapter.

    Raises:
        RecipeError: A key is no regular expression, matches no layer, or only such as keys before it match too.
    """
    for key in (key for key in PATTERNS if settings.get(key)):
        patterns = [str(pattern) for pattern in settings[key]]
        firsts = {next((p for p in patterns if _matches(name, key, p, layer)), None) for layer in layers}
        for pattern in (pattern for pattern in patterns if pattern not in firsts):
            if any(_matches(name, key, pattern, layer) for layer in layers):
                raise RecipeError(
                    f"tune.adapter.{key}.{pattern} has no effect: keys before it match all its layers, and the first "
                    "one counts."
                )
            ends = sorted(endings(layers))
            hint = near(pattern, [*ends, *(end.rpartition(".")[2] for end in ends)])
            raise RecipeError(
                f"tune.adapter.{key} has the key '{pattern}', which matches no layer that gets an adapter.{hint} These "
                f"are: {', '.join(ends)}."
            )


def _matches(name: str, key: str, pattern: str, layer: str) -> bool:
    """Whether PEFT takes a key, which is a regular expression, to mean a layer; its methods differ in that."""
    try:
        if name == "osf":
            return re.search(pattern, layer) is not None
        before = r".*\." if name in ("c3a", "fourierft") else r"(.*\.)?"
        return re.match(rf"{before}({pattern})$", layer) is not None
    except re.error as error:
        raise RecipeError(f"tune.adapter.{key} has the key '{pattern}', which is no pattern: {error}.") from None


def check_convolutions(model: nn.Module, settings: Mapping[str, Any], layers: Sequence[str]) -> None:
    """Refuses `use_effective_conv2d` where no adapted layer is a convolution that it changes anything for."""
    sizes = [getattr(model.get_submodule(layer), "kernel_size", (1, 1)) for layer in layers]
    if settings.get("use_effective_conv2d") and all(size == (1, 1) for size in sizes):
        raise RecipeError(
            "tune.adapter.use_effective_conv2d has no effect: none of the layers that get an adapter is a convolution "
            "larger than 1 x 1. Leave it out."
        )

"""What PEFT is told of an adapter: its config, from the settings of a recipe and the layers they mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from peft import IA3Config, LoraConfig, PeftConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner
from peft.utils.constants import (
    TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING,
    TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING,
)
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from hfft.errors import RecipeError, near
from hfft.tuning.adapter_targets import keys_values_and_leaving, norms_of, target_layers
from hfft.tuning.blocks import Block

OF_HFFT = ("targets", "blocks")
LINEAR_ALONE = {"oft": "PEFT's OFT of convolutions leaves out their padding"}
TAKEN = {
    "target_modules": "write 'targets'",
    "exclude_modules": "write 'targets'",
    "layers_to_transform": "write 'blocks'",
    "layers_pattern": "write 'blocks'",
    "modules_to_save": "the head is found, trained and saved by itself",
    "bias": "beside an adapter only the adapter and the head learn",
    "fan_in_fan_out": "it follows from the model",
    "use_asa": "it needs a call in each step, which PEFT leaves to the training loop",
    "generator_seed": "it is a random state that no checkpoint keeps",
}


def check_settings(name: str, settings: Mapping[str, Any]) -> None:
    """Checks what can be checked without a model. Raises RecipeError for a method or a setting that is not known."""
    if name in ("lora", "ia3"):
        return
    methods = {kind.value.lower(): kind for kind in PEFT_TYPE_TO_CONFIG_MAPPING}
    tuner = PEFT_TYPE_TO_TUNER_MAPPING.get(methods.get(name))  # type: ignore[arg-type]
    if not isinstance(tuner, type) or not issubclass(tuner, BaseTuner):
        raise RecipeError(f"tune.adapter.name is '{name}', which is no adapter of layers.{near(name, methods)}")
    kept = {field.name for field in dataclasses.fields(PeftConfig)} | TAKEN.keys()
    fields = [field.name for field in dataclasses.fields(_config_class(name)) if field.name not in kept]
    for key in settings:
        if key in TAKEN:
            raise RecipeError(f"tune.adapter.{key} is not a setting here: {TAKEN[key]}.")
        if key not in (*OF_HFFT, *fields):
            known = [*OF_HFFT, *fields]
            raise RecipeError(
                f"tune.adapter.{key} is not a known setting of {name}.{near(key, known)} Known are: {', '.join(known)}."
            )


def _config_class(name: str) -> Any:
    return next(config for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items() if kind.value.lower() == name)


def peft_config(model: PreTrainedModel, within: Sequence[Block], name: str, settings: Mapping[str, Any]) -> PeftConfig:
    """Makes PEFT's config of an adapter, without the head.

    Args:
        model: The model, without an adapter.
        within: The blocks that get it.
        name: `lora`, `ia3`, or another method of PEFT by its own name.
        settings: As in the recipe.

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
    kind = _config_class(name)
    fields = {field.name for field in dataclasses.fields(kind)}
    given = {key: value for key, value in settings.items() if key not in OF_HFFT}
    quiet = {"progressbar": False, "fan_in_fan_out": _is_transposed(model, layers)}
    given = {**{key: value for key, value in quiet.items() if key in fields}, **given}
    try:
        return kind(target_modules=layers, **given)
    except (ValueError, TypeError) as error:
        raise RecipeError(f"tune.adapter does not fit {name}: {error}") from error


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


def _ia3(model: PreTrainedModel, within: Sequence[Block], targets: Any, feedforward: Sequence[str] | None) -> IA3Config:
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
        inputs = target_layers(model, within, feedforward) if feedforward else []
    layers = list(dict.fromkeys([*outputs, *inputs]))
    return IA3Config(target_modules=layers, feedforward_modules=inputs, fan_in_fan_out=_is_transposed(model, layers))


def _is_transposed(model: nn.Module, layers: Sequence[str]) -> bool:
    return any(isinstance(model.get_submodule(name), Conv1D) for name in layers)

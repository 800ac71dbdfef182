"""Adapters when they have learnt: merged into the weights where that is exact, and saved apart."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import ModulesToSaveWrapper
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

NAME = "default"  # PEFT's, of an adapter that nobody named
START = "start_"  # PiSSA's first A and B, kept beside them so that a checkpoint has them
TOLERANCE = 1e-5  # of the largest output


def merged(model: PeftModel) -> PreTrainedModel:
    """Merges the adapter into the weights, in place, and returns the plain model."""
    plain: PreTrainedModel = model.get_base_model()  # type: ignore[assignment]
    for path, module in list(plain.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):  # PEFT itself puts only modules with a weight of their own back
            plain.set_submodule(path, module.modules_to_save[NAME])
    return model.merge_and_unload()  # type: ignore[operator]


def merges_exactly(model: PeftModel) -> bool:
    """Whether the merged model gives the same answers, found by trial on a copy of one layer of each kind.

    The copies get random adapter weights. The model and the random state of others are left as they are.
    """
    tried: set[tuple[Any, ...]] = set()
    for module in model.modules():
        if not isinstance(module, BaseTunerLayer):
            continue
        base = module.get_base_layer()
        shape = tuple(getattr(base, name, None) for name in ("kernel_size", "groups", "padding_mode"))
        bare = getattr(base, "bias", None) is None
        kind = (type(module), type(base), shape, bare, getattr(module, "is_feedforward", None))
        if kind not in tried and not _merges(module):
            return False
        tried.add(kind)
    return True


def _merges(layer: Any) -> bool:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        random = torch.Generator().manual_seed(0)
        trial = copy.deepcopy(layer).cpu().float().eval()
        base = trial.get_base_layer()
        frozen = {id(parameter) for parameter in base.parameters()}
        for parameter in trial.parameters():
            if id(parameter) not in frozen:
                parameter.add_(torch.randn(parameter.shape, generator=random) * 0.1)
        x = torch.randn(_input_shape(base), generator=random)
        try:
            wanted = trial(x)
            trial.merge()
            found = trial.get_base_layer()(x)
        except (NotImplementedError, ValueError):  # PEFT's ways to say that it cannot
            return False
    return bool((found - wanted).abs().max() <= TOLERANCE * wanted.abs().max())


def _input_shape(base: nn.Module) -> tuple[int, ...]:
    """The shape of an input that a layer takes."""
    if isinstance(base, nn.Conv2d):
        return (2, base.in_channels, *(2 * size + 1 for size in base.kernel_size))
    weight: torch.Tensor = base.weight  # type: ignore[assignment]
    return (4, weight.shape[0] if isinstance(base, Conv1D) else weight.shape[-1])


def save_adapter(model: PeftModel, place: Path, base_name: str) -> None:
    """Writes a PEFT folder that loads on the plain base, with the head in it.

    PiSSA changes the base at the start: W - s B0 A0. Its change of the plain base, s (B A - B0 A0), is a LoRA of twice
    the rank, and is saved as that (Meng et al. 2024, section 3, where W is the sum of the two).

    Args:
        model: The model with its adapter, not merged.
        place: The folder.
        base_name: What the folder says of what it is to be loaded on.
    """
    config: Any = model.peft_config[NAME]
    config.base_model_name_or_path = base_name
    if isinstance(config.target_modules, set):  # in an order that is the same each time
        config.target_modules = sorted(config.target_modules)
    state: dict[str, torch.Tensor] | None = None
    saved = config
    if isinstance(config, LoraConfig) and config.init_lora_weights == "pissa":
        saved, state = _as_plain_lora(config, model.state_dict())
    model.peft_config[NAME] = saved
    try:  # the embedding tables are as they were; "auto" asks the Hub
        model.save_pretrained(str(place), save_embedding_layers=False, state_dict=state)
    finally:
        model.peft_config[NAME] = config


def _as_plain_lora(config: LoraConfig, state: dict[str, Any]) -> tuple[LoraConfig, dict[str, torch.Tensor]]:
    """PiSSA's config and state as those of a LoRA on the plain base."""
    plain = {name: value for name, value in state.items() if f".{START}" not in name}
    for name in (name for name in state if f".{START}" in name):
        path, _, letter = name.rpartition(f".{START}")
        learnt = f"{path}.lora_{letter}.default.weight"
        parts = (state[learnt], state[name]) if letter == "A" else (state[learnt], -state[name])
        plain[learnt] = torch.cat(parts, dim=0 if letter == "A" else 1)
    alpha = config.lora_alpha * (2**0.5 if config.use_rslora else 2)  # the scale stays as it is
    return dataclasses.replace(config, r=2 * config.r, lora_alpha=alpha, init_lora_weights=True), plain

"""Adapters of PEFT: added, merged, saved."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import ModulesToSaveWrapper
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from hfft.errors import ModelError, RecipeError
from hfft.tuning.adapter_configs import peft_config
from hfft.tuning.adapter_targets import head_modules
from hfft.tuning.blocks import HEAD, Block, learning_names, plain_name, top_blocks

UNMERGED = "Detected that the base layer has no bias|LoRA adapter added to ConvNd layer with groups"


def add_adapter(model: PreTrainedModel, found: Sequence[Block], name: str, settings: Mapping[str, Any]) -> PeftModel:
    """Adds an adapter to blocks; the head is trained whole beside it, and all else is frozen.

    Args:
        model: The model; its layers are replaced in place.
        found: Its blocks.
        name: `lora`, `ia3`, or another method of PEFT by its own name.
        settings: As in the recipe: `blocks`, `targets`, and what the method has (see `peft_section`).

    Raises:
        RecipeError: A setting does not fit the model, such as a pattern that matches nothing.
        ModelError: PEFT adapts other layers than those, or trains others.
    """
    top = settings.get("blocks")
    within = top_blocks(found, "all" if top is None else top, "tune.adapter.blocks")
    config = peft_config(model, within, name, settings)
    config.modules_to_save = head_modules(found) or None  # type: ignore[attr-defined]
    wanted = set(config.target_modules)  # type: ignore[attr-defined]  # PEFT may shorten them
    head = {parameter for block in found if block.stack == HEAD for parameter in block.parameters}
    below = {parameter for path, parameter in model.named_parameters() if path not in head}
    try:
        with warnings.catch_warnings():  # peft 0.21 asks transformers 5.23 by a name that is going away
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            warnings.filterwarnings("ignore", "Unsupported layer type", UserWarning)  # ln_tuning's norms
            warnings.filterwarnings("ignore", UNMERGED, UserWarning)  # `merges_exactly` finds that out by itself
            adapted: PeftModel = get_peft_model(model, config)  # type: ignore[assignment]
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError, RuntimeError, ImportError) as error:
        raise RecipeError(f"tune.adapter: PEFT cannot add {name} to this model: {error}") from error
    for module in list(adapted.modules()):
        if isinstance(module, ModulesToSaveWrapper):
            _tie_again(module, below)
            module.original_module = nn.Identity()  # the untrained copy of the head, which nothing here goes back to
    if config.__dict__.get("init_lora_weights") == "pissa":
        _keep_start(adapted)
    _own_memory(adapted)
    _check_added(adapted, found, head, wanted)
    return adapted


def added_parameters(model: nn.Module, found: Sequence[Block]) -> set[str]:
    """The plain names of the parameters that an adapter added."""
    base = {name for block in found for name in block.parameters}
    return {plain_name(name) for name, _ in model.named_parameters()} - base


def fast_parameters(model: nn.Module, ratio: float) -> dict[str, float]:
    """The plain names of LoRA's B, each with the multiple of A's learning rate at which it learns.

    LoRA+ (Hayou et al. 2024, section 4): with one rate for both, A learns too fast or B too slowly in wide layers.
    """
    names = [plain_name(name) for name, _ in model.named_parameters()]
    return {name: ratio for name in names if ".lora_B." in name} if ratio != 1 else {}


def _tie_again(wrapper: ModulesToSaveWrapper, below: set[nn.Parameter]) -> None:
    """Gives the trained copy of a module back what it shares with the model below the head: BERT's table of words."""
    for name, parameter in wrapper.original_module.named_parameters(remove_duplicate=False):
        if parameter in below:
            path, _, last = name.rpartition(".")
            for copied in wrapper.modules_to_save.values():
                setattr(copied.get_submodule(path), last, parameter)


def _own_memory(model: nn.Module) -> None:
    """Gives tensors that are a part of another's memory, as singular vectors are, some of their own: files need it."""
    for layer in model.modules():
        if isinstance(layer, BaseTunerLayer):
            for tensor in (*layer.parameters(), *layer.buffers()):
                if not tensor.is_contiguous() or tensor.untyped_storage().nbytes() != tensor.numel() * tensor.itemsize:
                    tensor.data = tensor.detach().clone(memory_format=torch.contiguous_format)


def _keep_start(model: PeftModel) -> None:
    """Keeps PiSSA's first A and B beside each layer: only with them can what was learnt go on the plain base."""
    for layer in model.modules():
        if isinstance(getattr(layer, "lora_A", None), nn.ModuleDict):
            for letter in "AB":
                learnt: Any = getattr(layer, f"lora_{letter}")[NAME]
                layer.register_buffer(f"{START}{letter}", learnt.weight.detach().clone())


def _learns(module: nn.Module) -> bool:
    return isinstance(module, BaseTunerLayer) and any(weight.requires_grad for weight in module.parameters())


def _check_added(model: PeftModel, found: Sequence[Block], head: set[str], wanted: set[str]) -> None:
    adapted = set(model.base_model.targeted_module_names)  # type: ignore[union-attr]
    if adapted != wanted:
        raise ModelError(
            f"PEFT adapts other layers of this model than hfft chose: {', '.join(sorted(adapted ^ wanted)[:3])}."
        )
    idle = [name for name in sorted(wanted) if not _learns(model.get_base_model().get_submodule(name))]
    if idle:
        layer = type(model.get_base_model().get_submodule(idle[0])).__name__
        raise RecipeError(f"tune.adapter: PEFT leaves {idle[0]} as it is: this method does not know a {layer}.")
    learning = set(learning_names(model))
    base = learning - head - added_parameters(model, found)
    if base:
        raise ModelError(f"PEFT trains weights of the base, which only the adapter may change: {sorted(base)[0]}.")


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

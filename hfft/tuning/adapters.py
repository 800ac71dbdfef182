"""Adapters through PEFT, with the head trained and saved beside them, which PEFT alone does not do."""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Sequence
from typing import Literal

from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import ModulesToSaveWrapper
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from hfft.errors import RecipeError, near
from hfft.tuning.blocks import HEAD, STEM, Block

ATTENTION_WORDS = ("attention", "attn")


def add_lora(
    model: PreTrainedModel,
    found: Sequence[Block],
    *,
    rank: int,
    alpha: float,
    dropout: float,
    targets: Literal["attention", "all-linear"] | list[str],
) -> PeftModel:
    """Adds LoRA (Hu et al. 2021): W x becomes W x + (alpha / rank) B A x, with W frozen and B zero at first.

    Args:
        model: The model; its layers are replaced in place.
        found: Its blocks. Adapters go into blocks only; the head is trained whole.
        rank: Rows of A.
        alpha: The scale's numerator.
        dropout: On the input of A.
        targets: Linear layers of the attention, of every block, or patterns (`*` and `?`) of module names.

    Raises:
        RecipeError: A pattern, or `targets` as a whole, matches no linear layer of a block.
    """
    modules = lora_targets(model, found, targets)
    head = {name for block in found if block.stack == HEAD for name in block.parameters}
    below = {parameter for name, parameter in model.named_parameters() if name not in head}
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # any number does
        lora_dropout=dropout,
        fan_in_fan_out=any(isinstance(model.get_submodule(name), Conv1D) for name in modules),  # GPT-2's layers
        target_modules=modules,
        modules_to_save=head_modules(found),
    )
    with warnings.catch_warnings():  # peft 0.21 asks transformers 5.23 by a name that is going away
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        adapted = get_peft_model(model, config)
    for module in list(adapted.modules()):
        if isinstance(module, ModulesToSaveWrapper):
            _tie_again(module, below)
            module.original_module = nn.Identity()  # the untrained copy of the head, which nothing here goes back to
    return adapted  # type: ignore[return-value]


def _tie_again(wrapper: ModulesToSaveWrapper, below: set[nn.Parameter]) -> None:
    """Gives the trained copy of a module back what it shares with the model below the head: BERT's table of words."""
    for name, parameter in wrapper.original_module.named_parameters(remove_duplicate=False):
        if parameter in below:
            path, _, last = name.rpartition(".")
            for copied in wrapper.modules_to_save.values():
                setattr(copied.get_submodule(path), last, parameter)


def lora_targets(
    model: nn.Module, found: Sequence[Block], targets: Literal["attention", "all-linear"] | list[str]
) -> list[str]:
    """The names of the linear layers that `targets` means. Raises RecipeError where there is none."""
    inner = [block.name for block in found if block.stack not in (STEM, HEAD)]
    linear = [
        name
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, Conv1D)) and any(name.startswith(f"{path}.") for path in inner)
    ]
    if not linear:
        raise RecipeError(
            "tune.adapter adds to linear layers, and the blocks of this model have none: leave tune.adapter out."
        )
    if targets == "all-linear":
        chosen = linear
    elif targets == "attention":
        chosen = [name for name in linear if any(word in name.lower() for word in ATTENTION_WORDS)]
    else:
        chosen = list(dict.fromkeys(name for pattern in targets for name in _matching(pattern, linear)))
    if not chosen:
        raise RecipeError(
            f"tune.adapter.targets is {targets!r}, which matches no linear layer of this model. Its blocks have: "
            f"{', '.join(_endings(linear))}."
        )
    return chosen


def _matching(pattern: str, linear: list[str]) -> list[str]:
    names = [name for name in linear if fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(name, f"*.{pattern}")]
    if not names:
        endings = _endings(linear)
        hint = near(pattern, [*endings, *(ending.rpartition(".")[2] for ending in endings)])
        raise RecipeError(
            f"tune.adapter.targets has the pattern '{pattern}', which matches no linear layer of this model.{hint} "
            f"Its blocks have: {', '.join(endings)}."
        )
    return names


def _endings(linear: list[str]) -> list[str]:
    """The names of linear layers as they read inside a block: what follows the block's number."""
    return sorted({".".join(name.split(".")[_last_number(name) + 1 :]) for name in linear})


def _last_number(name: str) -> int:
    return max((i for i, part in enumerate(name.split(".")) if part.isdigit()), default=-1)


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


def merged(model: PeftModel) -> PreTrainedModel:
    """Merges the adapter into the weights, in place, and returns the plain model."""
    return model.merge_and_unload()  # type: ignore[operator]

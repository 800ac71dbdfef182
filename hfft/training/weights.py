"""A run's files of weights: they hold what is not as the model's own files have it.

Frozen weights and the base of an adapter are most of a model, and stay as they were loaded. A file of weights leaves
them out and names them with their SHA-256; who reads it looks whether the model, loaded anew, has the very same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hfft.errors import SetupError
from hfft.tuning.blocks import plain_name

LEFT_OUT = "left out"  # in the header of a file: the SHA-256 of each weight that is not in it, by name, as JSON


def digests(model: nn.Module, plain_names: Collection[str]) -> dict[str, str]:
    """The SHA-256 of some weights of a model, by their names in it.

    Args:
        model: Not wrapped.
        plain_names: Of the weights, as `hfft.tuning.blocks.plain_name` gives them.
    """
    return {name: digest(weight) for name, weight in model.named_parameters() if plain_name(name) in plain_names}


def digest(tensor: Tensor) -> str:
    """The SHA-256 of a tensor's type, shape and bytes."""
    found = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    content: Any = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    found.update(content)
    return found.hexdigest()


def save_weights(model: nn.Module, file: Path, as_loaded: Mapping[str, str]) -> None:
    """Writes the weights and buffers of a model, each once, but for those that still are as they were loaded.

    Args:
        model: Not wrapped.
        file: A safetensors file.
        as_loaded: What is left out where it is so: the SHA-256 that weights had when they were loaded, by name.
    """
    parameters = dict(model.named_parameters())
    left_out = {name: known for name, known in as_loaded.items() if digest(parameters[name]) == known}
    gone = {_place(name, parameters[name]) for name in left_out}
    saved: dict[str, Tensor] = {}
    names: dict[Any, str] = {}  # of each tensor the one that the file has it by
    others: dict[str, str] = {}
    for name, tensor in model.state_dict().items():
        place = _place(name, tensor)
        if place in names:
            others[name] = names[place]
        elif place not in gone:
            saved[name] = tensor.contiguous()
            names[place] = name
    save_file(saved, str(file), {**others, LEFT_OUT: json.dumps(left_out)})


def load_weights(model: nn.Module, file: Path, device: str) -> None:
    """Puts what `save_weights` wrote into a model that has the rest already.

    Raises:
        SetupError: What the file leaves out is not what it was.
        RuntimeError: It is a file of another model.
    """
    left_out = left_out_of(file)
    require_same(model, left_out, file)
    saved = load_file(str(file), device)
    state, parameters = model.state_dict(), dict(model.named_parameters())
    there = {_place(name, state[name]) for name in saved if name in state}
    there |= {_place(name, parameters[name]) for name in left_out}
    missing = sorted(name for name, tensor in state.items() if _place(name, tensor) not in there)
    unknown = sorted(saved.keys() - state.keys())
    if missing or unknown:
        raise RuntimeError(f"{file.name} lacks {missing[:3] or 'nothing'} and has {unknown[:3] or 'nothing'} besides")
    model.load_state_dict(saved, strict=False)


def left_out_of(file: Path) -> dict[str, str]:
    """The SHA-256 of each weight that a file of weights leaves out, by name."""
    with safe_open(file, "pt") as opened:
        return json.loads((opened.metadata() or {}).get(LEFT_OUT, "{}"))


def require_same(model: nn.Module, left_out: Mapping[str, str], file: Path) -> None:
    """Raises SetupError where a model lacks what a file of weights leaves out, or has it otherwise."""
    parameters = dict(model.named_parameters())
    other = [name for name, known in left_out.items() if name not in parameters or digest(parameters[name]) != known]
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        raise SetupError(
            f"{file} leaves out frozen weights, for they were as the model's files have them, and now the model has "
            f"others: {other[0]}{more}. Give the model as it was when the run began (model.revision), with the same "
            "versions of torch and transformers, or begin anew in another folder with --output."
        )


def _place(name: str, tensor: Tensor) -> Any:
    """What tensors have in common that are one under several names; those without numbers are each for itself."""
    return (tensor.data_ptr(), tuple(tensor.shape), tensor.stride()) if tensor.numel() else name

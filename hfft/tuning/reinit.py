"""Re-initialising: the top blocks of a pretrained model start anew, for what they learnt serves pretraining alone."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Sequence

import torch
from torch import nn
from transformers import PreTrainedModel

from hfft.errors import RecipeError
from hfft.tuning.blocks import Block, top_blocks
from hfft.tuning.counts import BlockCount


def reinitialise(model: PreTrainedModel, found: Sequence[Block], top: BlockCount, pooler: bool | None) -> list[str]:
    """Gives the top blocks of each stack, and the pooler, the weights that a new model of this kind has.

    Zhang et al. 2021, "Revisiting few-sample BERT fine-tuning", section 5: there the pooler and the top one to six
    blocks of BERT. Weights are drawn from PyTorch's global generator, and running statistics start anew too. All else
    stays as it is to the bit; so does a weight that is used outside these blocks as well.

    A whole new model is made for a moment, for only its own constructor knows how all its parts begin.

    Args:
        model: The model, without an adapter; changed in place.
        found: Its blocks.
        top: How many of the highest blocks of each stack.
        pooler: Whether the pooler starts anew too; None where there is one. It is a module of that name in the base
            model with a weight matrix, trained on the task of pretraining.

    Returns:
        The names of the parameters that start anew.

    Raises:
        RecipeError: There are not so many blocks, no such stack or no pooler, or nothing would start anew.
    """
    chosen = top_blocks(found, top, "tune.reinit.blocks")
    poolers = [] if pooler is False else list(_poolers(model))
    if pooler and not poolers:
        raise RecipeError(
            "tune.reinit.pooler is true, but this model has no pooler with weights: leave tune.reinit.pooler out."
        )
    paths = [block.name for block in chosen] + poolers
    own = {name for block in chosen for name in block.parameters}
    own |= {name for name, _ in model.named_parameters() if _below(name, poolers)}
    names = _used_there_alone(model, own, paths)
    if not names:
        raise RecipeError(
            f"tune.reinit.blocks is {top}, and no pooler starts anew either: nothing would. Give a number of blocks, "
            "or leave tune.reinit out."
        )
    homes = {name.rpartition(".")[0] for name in own}  # a block may have modules beside the one that names it
    buffers = [name for name, _ in model.named_buffers() if name.rpartition(".")[0] in homes or _below(name, paths)]
    _copy_fresh(model, names, buffers)
    return names


def _poolers(model: PreTrainedModel) -> Iterator[str]:
    """The paths of poolers in the base model, those that have a weight matrix."""
    base = getattr(model, "base_model_prefix", "")
    start = f"{base}." if hasattr(model, base) else ""
    for path, module in model.named_modules():
        matrices = any(parameter.ndim > 1 for parameter in module.parameters())
        if path.startswith(start) and path.rpartition(".")[2] == "pooler" and matrices:
            yield path


def _used_there_alone(model: nn.Module, own: set[str], paths: Collection[str]) -> list[str]:
    """Those of these parameters that have no name outside the paths: none that another part of the model shares."""
    uses: dict[nn.Parameter, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        uses.setdefault(parameter, []).append(name)
    within = [names for names in uses.values() if all(name in own or _below(name, paths) for name in names)]
    return [names[0] for names in within if names[0] in own]


def _below(name: str, paths: Collection[str]) -> bool:
    return any(name.startswith(f"{path}.") for path in paths)


@torch.no_grad()
def _copy_fresh(model: PreTrainedModel, parameters: Sequence[str], buffers: Sequence[str]) -> None:
    """Copies these parameters and buffers from a new model."""
    fresh = type(model)(copy.deepcopy(model.config))
    pairs = [(model.get_parameter(name), fresh.get_parameter(name)) for name in parameters]
    pairs += [(model.get_buffer(name), fresh.get_buffer(name)) for name in buffers]
    for target, source in pairs:
        assert source.shape == target.shape  # copying would broadcast
        target.copy_(source)

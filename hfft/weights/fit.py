"""Whether a checkpoint's weights are those of the model that its configuration describes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch

from hfft.errors import ModelError

SHOWN = 3  # names in a message
MOST_MISSING = 0.5  # of the weights below the head; a decoder's new cross-attention is under half of it


def renewed(model: Any, found: Mapping[str, Collection[Any]], new_head: bool, name: str) -> set[str]:
    """Looks at what came of loading a checkpoint.

    Args:
        model: As loaded.
        found: What transformers says of it: `missing_keys`, `mismatched_keys`, `unexpected_keys`.
        new_head: Whether a head may be of another shape than the checkpoint's.
        name: The model's, for the message.

    Returns:
        The names of the weights that start at random.

    Raises:
        ModelError: Most of what is below the head does not come from the checkpoint, some of it is of another shape,
            or a weight is no finite number.
    """
    head = head_names(model)
    below = [weight for weight, _ in model.named_parameters() if weight not in head]
    missing = set(found["missing_keys"])
    lost = [weight for weight in below if weight in missing]
    if len(lost) > MOST_MISSING * len(below):
        raise ModelError(
            f"model '{name}': of {len(below)} weights below the head {len(lost)} are not in the checkpoint, such as "
            f"{_first_of(lost)}. It has others: {_first_of(sorted(found['unexpected_keys'])) or 'none'}. Where only a "
            "prefix is too many, as torch.compile (_orig_mod.) and DataParallel (module.) leave it, take it off the "
            "names and save again; else the configuration is another model's. To start from random weights: "
            "model.from_scratch=true."
        )
    _require_shapes(found["mismatched_keys"], head, new_head, name)
    _require_numbers(model, name)
    return {*missing, *(entry[0] for entry in found["mismatched_keys"])}


def head_names(model: Any) -> set[str]:
    """The names of the weights that are no part of the base model.

    The base model is what the class says it is, or where it has no such part (CLIP's classifier), the largest one. A
    model of timm is in one part, and says itself which its head is.
    """
    names = list(model.state_dict())
    if hasattr(model, "timm_model"):
        of_head = {id(tensor) for tensor in model.timm_model.get_classifier().parameters()}
        return {name for name, tensor in model.named_parameters() if id(tensor) in of_head}
    sizes = {name: sum(weights.numel() for weights in part.parameters()) for name, part in model.named_children()}
    named = model.base_model_prefix
    base = named if named in sizes else max(sizes, key=lambda name: sizes[name])
    return {name for name in names if not name.startswith(f"{base}.")}


def _require_shapes(mismatched: Iterable[Any], head: Collection[str], new_head: bool, name: str) -> None:
    wrong = sorted(entry for entry in mismatched if not (new_head and entry[0] in head))
    if wrong:
        weight, there, wanted = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        cure = " Start a new head with model.new_head=true." if all(entry[0] in head for entry in wrong) else ""
        raise ModelError(
            f"model '{name}': {weight} has the shape {tuple(there)} in the checkpoint, and the configuration wants "
            f"{tuple(wanted)}{more}: the two files do not belong together.{cure}"
        )


def _require_numbers(model: Any, name: str) -> None:
    """Raises ModelError where a weight is no finite number. A buffer may hold an infinity: a mask's."""
    wrong = [key for key, tensor in model.named_parameters() if not torch.isfinite(tensor).all()]
    wrong += [key for key, tensor in model.named_buffers() if tensor.isnan().any()]
    if wrong:
        raise ModelError(
            f"model '{name}': {len(wrong)} of its weights hold numbers that are not finite (nan, inf): "
            f"{_first_of(wrong)}. It was saved after a run that broke; take an earlier checkpoint."
        )


def _first_of(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")

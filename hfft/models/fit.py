"""Whether weights, configuration and tokenizer belong together; new and missing weights."""

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


ENDING_AT_THE_LAST_PLACE = ("xlnet",)  # the head reads the last place of a batch, whatever stands there

FOR_PADDING = ("eos_token", "unk_token", "sep_token", "cls_token", "bos_token", "mask_token")


def ready(tokenizer: Any, config: Any, name: str) -> Any:
    """Lets a tokenizer pad on the right, in place, with a token that it has; it is saved so.

    Where padding stands in front, models with learnt positions (GPT-2, BART) count them from the padding: a text would
    be read otherwise in each batch. What has no token for padding, as GPT-like models, gets another: it is masked.

    Raises:
        ModelError: It has no special token that could pad.
    """
    if config.model_type not in ENDING_AT_THE_LAST_PLACE:
        tokenizer.padding_side = "right"
    if tokenizer.pad_token_id is None:
        found = [token for token in (getattr(tokenizer, kind, None) for kind in FOR_PADDING) if token is not None]
        if not found:
            raise ModelError(
                f"model '{name}': its tokenizer has no token to pad with, nor another special one that could. Name one "
                'in its tokenizer_config.json, such as "pad_token": "<|endoftext|>".'
            )
        tokenizer.pad_token = found[0]
    return tokenizer


def require_rows(tokenizer: Any, config: Any, name: str) -> None:
    """Raises ModelError where a tokenizer has tokens for which a model's table of words has no row."""
    rows = getattr(config.get_text_config(), "vocab_size", None)
    if not isinstance(rows, int):
        return  # a model of letters, or of two vocabularies
    beyond = {token: number for token, number in tokenizer.get_vocab().items() if number >= rows}
    if beyond:
        first = _first_of(sorted(beyond, key=lambda token: beyond[token]))
        raise ModelError(
            f"model '{name}': its tokenizer has {max(beyond.values()) + 1} tokens, but the table of words only {rows} "
            f"rows: {len(beyond)} token(s) have none: {first}. Give them rows "
            " and save the model again: model.resize_token_embeddings(len(tokenizer)); or copy the tokenizer "
            "that belongs to these weights."
        )

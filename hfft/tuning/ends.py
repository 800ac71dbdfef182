"""The two ends of a model: what feeds its blocks is the stem, what reads them is the head."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import nn

from hfft.tuning.stacks import Stack, common_path

FIRST_WORDS = {"emb", "rel", "relative", "pos", "position", "positions"}
LAST_WORDS = {"final", "last", "post", "out", "pool", "pooler"}
NORMS = {"norm", "ln", "layernorm", "layer_norm"}


def stem_names(model: nn.Module, stacks: Sequence[Stack], inside: Mapping[str, int]) -> set[str]:
    """The parameters of the stem, among those that are in no block; all others are the head's.

    Of the stem is what comes before the first stack, or before the stack of its own part of the model (a decoder's
    embeddings), what stands between the parts of a model that has several stacks (a projector of images into the
    space of words), and every embedding table with what belongs to it. What is no part of the base model is the
    head, wherever it stands.

    Args:
        model: The model.
        stacks: Its stacks.
        inside: The stack of each parameter that is in one, as a place in `stacks`.
    """
    place = {name: index for index, (name, _) in enumerate(model.named_parameters())}
    base = _base(model, stacks)
    in_base = [name for name in place if name.startswith(base)]
    starts = [min(place[name] for name, stack in inside.items() if stack == index) for index in range(len(stacks))]
    parts = _parts([stack.home for stack in stacks])
    stem = {name for name in in_base or place if place[name] < min(starts)}
    if len(stacks) > 1:
        joining = in_base or [name for name in place if place[name] < max(starts)]
        stem |= {name for name in joining if not any(part and name.startswith(part) for part in parts)}
    embedded = tables(model)
    for stack, part, start in zip(stacks, parts, starts, strict=True):
        in_front = {name for name in place if part and name.startswith(part) and place[name] < start}
        stem |= in_front
        for root in stack.roots:
            first, last = _out_of_order(place, root, embedded, inside, is_fed=part is None or bool(in_front))
            stem = (stem | first) - last
    return stem | embedded


def _base(model: nn.Module, stacks: Sequence[Stack]) -> str:
    """The prefix of the base model's parameters: the child that the model's class names so, or that holds all stacks.

    The latter must be a model by itself (Whisper's `encoder`, where it classifies sounds). BERT's `encoder` is none: a
    bare BERT has no base, and no parameter with this prefix.
    """
    own = getattr(model, "base_model_prefix", "")
    holder = common_path(stack.home for stack in stacks).partition(".")[0]
    children = dict(model.named_children())
    if own not in children and hasattr(children.get(holder), "base_model_prefix"):
        return f"{holder}."
    return f"{own}."


def _parts(homes: Sequence[str]) -> list[str | None]:
    """The widest part of the model that holds this stack and no other, as a prefix of names, if there is one.

    >>> _parts(["encoder.encoder.layer", "decoder.bert.encoder.layer"])
    ['encoder.', 'decoder.']
    """
    parts = []
    for index, home in enumerate(homes):
        words = home.split(".")
        prefixes = [".".join(words[:length]) + "." for length in range(1, len(words) + 1)]
        others = [f"{other}." for place, other in enumerate(homes) if place != index]
        alone = (part for part in prefixes if not any(other.startswith(part) for other in others))
        parts.append(next(alone, None))
    return parts


def tables(model: nn.Module) -> set[str]:
    """The names of the parameters of embedding tables."""
    return {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if isinstance(module, nn.Embedding)
        for name, _ in module.named_parameters(recurse=False)
    }


def _out_of_order(
    place: Mapping[str, int], root: str, embedded: set[str], inside: Mapping[str, int], *, is_fed: bool
) -> tuple[set[str], set[str]]:
    """What stands beside a list out of the order in which it runs: of the stem but behind, of the head but in front.

    Behind stand embedding tables, what follows them there (DeBERTa's norm of positions), what says that it is of that
    kind (BART's `layernorm_embedding`, LayoutLMv3's `rel_pos_bias`), and convolutions where nothing else feeds the
    list (Qwen3-ASR). In front stand final norms (OPT, T5Gemma) and poolers (GTE).
    """
    parent = root.rpartition(".")[0]
    prefix = f"{parent}." if parent else ""
    start = next((at for name, at in place.items() if name.startswith(f"{root}.")), len(place))  # none: all are shared
    beside = [name for name in place if name.startswith(prefix) and name not in inside]
    behind = [name for name in beside if place[name] > start]
    late = next((index for index, name in enumerate(behind) if name in embedded and parent), len(behind))
    first, last = set(behind[late:]), set()
    for name in beside:
        child = name.removeprefix(prefix).partition(".")[0].lower()
        words = set(re.split(r"[_\W]+", child))
        feeds = "embed" in name.removeprefix(prefix).lower() or (child.startswith("conv") and not is_fed)
        if feeds or words & FIRST_WORDS:
            first.add(name)
        elif words & LAST_WORDS or (place[name] < start and child in NORMS):
            last.add(name)
    return first, last

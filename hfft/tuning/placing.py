"""Every parameter to its block, to the stem below or the head above."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from hfft.tuning.stacks import Stack, common_path, shared_depth


@dataclass(frozen=True)
class Place:
    """A block: the index of its stack, and its own in the stack, both from 0."""

    stack: int
    block: int


def placed(
    names: Sequence[str], stacks: Sequence[Stack], tables: Collection[str]
) -> tuple[list[Stack], dict[str, Place]]:
    """The stacks without the blocks that have no parameter left, and the place of every parameter that is in one.

    A block has none left where all its weights are those of an earlier block too: the two are one.

    Args:
        names: Of the parameters that may be in a stack, in the model's order.
        stacks: The model's stacks.
        tables: Names of embedding tables, which stand in no stack but where a block's own module holds them.
    """
    inside = _in_blocks(names, stacks)
    filled = set(inside.values())
    kept = [
        replace(stack, cores=tuple(core for block, core in enumerate(stack.cores) if Place(index, block) in filled))
        for index, stack in enumerate(stacks)
    ]
    kept = [stack for stack in kept if stack.cores]
    inside = _in_blocks(names, kept)
    return kept, {**inside, **_beside_blocks(names, kept, inside, tables)}


def _in_blocks(names: Sequence[str], stacks: Sequence[Stack]) -> dict[str, Place]:
    owners = {
        path: Place(index, block)
        for index, stack in enumerate(stacks)
        for block, core in enumerate(stack.cores)
        for path in core
    }
    found = {}
    for name in names:
        path = name
        while path and path not in owners:
            path = path.rpartition(".")[0]
        if path:
            found[name] = owners[path]
    return found


def _beside_blocks(
    names: Sequence[str], stacks: Sequence[Stack], inside: Mapping[str, Place], tables: Collection[str]
) -> dict[str, Place]:
    """What stands between two blocks, or in their list behind the last: parts of stages, and between lists in a row.

    It goes with the block in front where it shares more of its path with that one (the patch merging behind Swin's
    stages), and else with the following one. What stands in front of the first block is not in the stack: it feeds it.
    """
    found: dict[str, Place] = {}
    for index, stack in enumerate(stacks):
        starts = _starts(names, index, inside, stack)
        span = common_path(stack.roots) if stack.roots else stack.home
        others = tuple(f"{root}." for other in stacks if other is not stack for root in other.roots)
        for at, name in enumerate(names):
            if name in inside or name in tables or name.startswith(others) or not _is_under(name, span):
                continue
            following = bisect(starts, at)  # what is in front of the first block is left out
            if following == len(starts) and any(_is_under(name, root) for root in stack.roots):
                found[name] = Place(index, len(starts) - 1)
            elif 0 < following < len(starts):
                before, behind = (shared_depth(name, stack.cores[block][0]) for block in (following - 1, following))
                found[name] = Place(index, following - 1 if before > behind else following)
    return found


def _is_under(name: str, path: str) -> bool:
    return not path or name.startswith(f"{path}.")


def _starts(names: Sequence[str], index: int, inside: Mapping[str, Place], stack: Stack) -> list[int]:
    """Where each block's first module has its first parameter; its parts in other lists stand elsewhere."""
    own: dict[int, int] = {}
    any_part: dict[int, int] = {}
    for at, name in enumerate(names):
        place = inside.get(name)
        if place and place.stack == index:
            any_part.setdefault(place.block, at)
            if _is_under(name, stack.cores[place.block][0]):
                own.setdefault(place.block, at)
    return sorted({**any_part, **own}.values())


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

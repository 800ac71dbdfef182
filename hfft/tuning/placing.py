"""Every parameter that stands in a stack, with its block: those of the block's modules, and those between blocks."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

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

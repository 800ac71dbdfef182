"""The blocks of a model, shallow to deep, found by structure and not by tables of names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from hfft.errors import ModelError

STEM, HEAD = "stem", "head"
STACK_WORDS = ("encoder", "decoder", "vision", "text")


@dataclass(frozen=True)
class Block:
    """A part of a model that stands at one depth.

    Attributes:
        stack: "stem", "head", or the stack's name, such as "encoder".
        depth: In a stack 1 for the lowest block; 0 for stem and head.
        name: The path of the block's module; the stack for stem and head.
        parameters: Names of its parameters, as in `named_parameters()`.
    """

    stack: str
    depth: int
    name: str
    parameters: tuple[str, ...]


def blocks(model: nn.Module) -> list[Block]:
    """Lists the blocks of a model: the stem, each stack from shallow to deep, the head.

    A stack is an outermost list of modules of one class that hold two weight matrices or more. What comes before the
    first stack, and every embedding table, is the stem; what comes behind is the head: poolers, final norms, and all
    that is not part of the base model. Every parameter is in exactly one block.

    Args:
        model: A transformers model, without adapters.

    Raises:
        ModelError: No stack can be found.
    """
    lists = list(_stacks(model))
    if not lists:
        raise ModelError(
            f"No stack of blocks can be found in {type(model).__name__}: it has no list of like modules. Freezing, "
            "layer decay and adapters need one."
        )
    names = [name for name, _ in model.named_parameters()]
    inside = {path: [name for name in names if name.startswith(f"{path}.")] for path, _ in lists}
    in_stacks = {name for members in inside.values() for name in members}
    first = min(names.index(members[0]) for members in inside.values())
    base = f"{getattr(model, 'base_model_prefix', '')}."
    has_base = any(name.startswith(base) for name in names)
    tables = {f"{path}.weight" for path, module in model.named_modules() if isinstance(module, nn.Embedding)}
    tables |= _behind_late_tables(names, tables, [path for path, _ in lists])
    outside = [(index, name) for index, name in enumerate(names) if name not in in_stacks]
    stem = [n for i, n in outside if n in tables or (i < first and (not has_base or n.startswith(base)))]
    head = [name for _, name in outside if name not in stem]
    found = [Block(STEM, 0, STEM, tuple(stem))] if stem else []
    for (path, stack), label in zip(lists, _labels([path for path, _ in lists]), strict=True):
        for depth, index in enumerate(range(len(stack)), start=1):
            here = f"{path}.{index}"
            members = tuple(name for name in inside[path] if name.startswith(f"{here}."))
            found.append(Block(label, depth, here, members))
    return [*found, Block(HEAD, 0, HEAD, tuple(head))] if head else found


def _behind_late_tables(names: Sequence[str], tables: set[str], stacks: Sequence[str]) -> set[str]:
    """What stands beside a stack behind an embedding table that stands behind it: DeBERTa's norm of positions."""
    found: set[str] = set()
    for stack in stacks:
        parent = stack.rpartition(".")[0]
        behind = names[max(i for i, name in enumerate(names) if name.startswith(f"{stack}.")) + 1 :]
        beside = [name for name in behind if parent and name.startswith(f"{parent}.")]
        late = next((i for i, name in enumerate(beside) if name in tables), len(beside))
        found.update(beside[late:])
    return found


def _stacks(model: nn.Module, path: str = "") -> Iterator[tuple[str, nn.ModuleList]]:
    for name, child in model.named_children():
        here = f"{path}.{name}" if path else name
        if isinstance(child, nn.ModuleList) and _is_stack(child):
            yield here, child
        else:
            yield from _stacks(child, here)


def _is_stack(modules: nn.ModuleList) -> bool:
    kinds = {type(module) for module in modules}
    matrices = [sum(p.ndim >= 2 for p in module.parameters()) for module in modules]
    return len(kinds) == 1 and min(matrices) >= 2


def _labels(paths: Sequence[str]) -> list[str]:
    """Names stacks by the word in their path that tells what they are; by the path itself where names would clash."""
    words = [next((w for w in STACK_WORDS if w in path.lower()), "encoder") for path in paths]
    return [word if words.count(word) == 1 else path for word, path in zip(words, paths, strict=True)]


def stack_sizes(found: Sequence[Block]) -> dict[str, int]:
    """The number of blocks of each stack."""
    sizes: dict[str, int] = {}
    for block in found:
        if block.stack not in (STEM, HEAD):
            sizes[block.stack] = max(sizes.get(block.stack, 0), block.depth)
    return sizes


class BlockMap:
    """Tells the block of any parameter, also of those that an adapter added to the model afterwards."""

    def __init__(self, found: Sequence[Block]):
        self.found = list(found)
        self._by_parameter = {name: block for block in found for name in block.parameters}
        self._by_module = {name.rpartition(".")[0]: block for block in found for name in block.parameters}

    def __getitem__(self, name: str) -> Block:
        """The block of a parameter.

        Args:
            name: As in `named_parameters()` of the model, with or without an adapter.
        """
        plain = plain_name(name)
        if plain in self._by_parameter:
            return self._by_parameter[plain]
        module = plain
        while module:
            module = module.rpartition(".")[0]
            if module in self._by_module:
                return self._by_module[module]
        raise AssertionError(f"{name} belongs to no block")


def plain_name(name: str) -> str:
    """A parameter's name without what PEFT wraps around it.

    >>> plain_name("base_model.model.classifier.modules_to_save.default.weight")
    'classifier.weight'
    """
    name = name.removeprefix("base_model.model.")
    return name.replace(".base_layer.", ".").replace(".modules_to_save.default.", ".")

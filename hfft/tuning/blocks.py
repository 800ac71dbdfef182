"""The blocks of a model, shallow to deep, found by structure and not by tables of names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    first stack, or before the stack of its own part of the model (a decoder's embeddings), every embedding table and
    what belongs to one is the stem; what comes behind is the head: poolers, final norms, and all that is not part of
    the base model. Every parameter is in exactly one block; there is one stem, which all stacks share, as an encoder
    and a decoder share their table of words in T5 and BART.

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
    stem_names = _stem(model, names, inside)
    stem = [name for name in names if name in stem_names and name not in in_stacks]
    head = [name for name in names if name not in stem_names and name not in in_stacks]
    found = [Block(STEM, 0, STEM, tuple(stem))] if stem else []
    for (path, stack), label in zip(lists, _labels([path for path, _ in lists]), strict=True):
        for depth, index in enumerate(range(len(stack)), start=1):
            here = f"{path}.{index}"
            members = tuple(name for name in inside[path] if name.startswith(f"{here}."))
            found.append(Block(label, depth, here, members))
    return [*found, Block(HEAD, 0, HEAD, tuple(head))] if head else found


def _stem(model: nn.Module, names: Sequence[str], inside: Mapping[str, Sequence[str]]) -> set[str]:
    """The parameters of the stem, among them perhaps some inside stacks, which are none.

    Args:
        model: The model.
        names: Of its parameters, in order.
        inside: The names in each stack, by the stack's path.
    """
    base = f"{getattr(model, 'base_model_prefix', '')}."
    has_base = any(name.startswith(base) for name in names)
    tables = {f"{path}.weight" for path, module in model.named_modules() if isinstance(module, nn.Embedding)}
    place = {name: index for index, name in enumerate(names)}
    starts = {path: place[members[0]] for path, members in inside.items()}
    first = min(starts.values())
    before = {name for name in names if place[name] < first}
    for path, part in _parts(list(inside)).items():
        before |= {name for name in names if name.startswith(part) and place[name] < starts[path]}
    outer = {name for name in before if not has_base or name.startswith(base)}
    return outer | tables | _of_late_tables(names, tables, list(inside))


def _parts(stacks: Sequence[str]) -> dict[str, str]:
    """The widest part of the model that holds this stack and no other, as a prefix of names, by the stack's path.

    >>> _parts(["encoder.encoder.layer", "decoder.bert.encoder.layer"])
    {'encoder.encoder.layer': 'encoder.', 'decoder.bert.encoder.layer': 'decoder.'}
    """
    parts = {}
    for stack in stacks:
        words = stack.split(".")
        prefixes = [".".join(words[:length]) + "." for length in range(1, len(words) + 1)]
        others = [f"{other}." for other in stacks if other != stack]
        parts[stack] = next(part for part in prefixes if not any(other.startswith(part) for other in others))
    return parts


def _of_late_tables(names: Sequence[str], tables: set[str], stacks: Sequence[str]) -> set[str]:
    """What belongs to embedding tables though it stands behind its stack, beside which it stands.

    That is what follows a table there (DeBERTa's norm of positions), and what says so (BART's `layernorm_embedding`).
    """
    found: set[str] = set()
    for stack in stacks:
        parent = stack.rpartition(".")[0]
        behind = names[max(i for i, name in enumerate(names) if name.startswith(f"{stack}.")) + 1 :]
        beside = [name for name in behind if parent and name.startswith(f"{parent}.")]
        late = next((i for i, name in enumerate(beside) if name in tables), len(beside))
        found.update(beside[late:])
        found.update(name for name in beside if "embed" in name.removeprefix(parent).lower())
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
    """Names stacks by the first word in their path that tells what they are; by the path where names would clash.

    >>> _labels(["encoder.encoder.layer", "decoder.bert.encoder.layer"])
    ['encoder', 'decoder']
    """
    words = [_label(path) for path in paths]
    return [word if words.count(word) == 1 else path for word, path in zip(words, paths, strict=True)]


def _label(path: str) -> str:
    told = (word for part in path.lower().split(".") for word in STACK_WORDS if word in part)
    return next(told, "encoder")


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

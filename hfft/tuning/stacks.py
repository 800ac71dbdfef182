"""The stacks of a model: lists of blocks that run one after the other, under a name that says what they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import takewhile

from torch import nn

from hfft.tuning.stages import Core, lists_of_blocks

WORDS: dict[str, tuple[str, ...]] = {
    "encoder": ("encoder",),
    "decoder": ("decoder",),
    "vision": ("vision", "visual", "image"),
    "text": ("text", "language"),
    "audio": ("audio", "speech"),
    "projector": ("projector", "qformer"),
}
"""The names of stacks, and the words in a module's path that tell them."""


@dataclass(frozen=True)
class Stack:
    """Blocks that run one after the other.

    Attributes:
        name: What it is, such as "encoder".
        cores: Its blocks, from shallow to deep.
        roots: The paths of the lists they stand in.
    """

    name: str
    cores: tuple[Core, ...]
    roots: tuple[str, ...]

    @property
    def home(self) -> str:
        """The path of the smallest module that holds all blocks and is none."""
        return common_path(path.rpartition(".")[0] for core in self.cores for path in core)


def find_stacks(model: nn.Module) -> list[Stack]:
    """The stacks of a model, found by structure, in the model's order; none where it has no list of blocks.

    Lists of one kind of stack are one stack that counts on, as CANINE's three encoders are, unless the later one has
    parts in front that feed it: then it runs beside the other.
    """
    base = f"{getattr(model, 'base_model_prefix', '')}."
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    kinds: list[str] = []
    found: list[list[Stack]] = []
    for layers in lists_of_blocks(model):
        told = _told(layers.paths[0].removeprefix(base))
        part = Stack(told[0], layers.cores, layers.paths)
        last = next((i for i in reversed(range(len(found))) if kinds[i] == part.name), None)
        if last is not None and not _is_fed(part.roots[0], found[last][-1].roots[0], names):
            found[last].append(part)
        else:
            kinds.append(part.name)
            found.append([part])
    labels = _labels([common_path(root for part in parts for root in part.roots) for parts in found], base)
    return [_joined(label, parts) for label, parts in zip(labels, found, strict=True)]


def _joined(name: str, parts: Sequence[Stack]) -> Stack:
    cores = tuple(core for part in parts for core in part.cores)
    return Stack(name, cores, tuple(root for part in parts for root in part.roots))


def _is_fed(path: str, earlier: str, names: Iterable[str]) -> bool:
    """Whether the part of the model that holds this list, and not the earlier one, has weights in front of the list."""
    part = ".".join(path.split(".")[: shared_depth(path, earlier) + 1])
    inside = (name for name in names if name.startswith(f"{part}."))
    return not next(inside).startswith(f"{path}.")


def shared_depth(one: str, other: str) -> int:
    """How many parts, from the top, two paths have in common.

    >>> shared_depth("swin.layers.0.blocks", "swin.layers.1")
    2
    """
    return len([*takewhile(lambda pair: pair[0] == pair[1], zip(one.split("."), other.split("."), strict=False))])


def common_path(paths: Iterable[str]) -> str:
    """The path of the smallest module that holds all of these, or is one of them.

    >>> common_path(["swin.layers.0.blocks", "swin.layers.1"])
    'swin.layers'
    """
    return reduce(lambda one, other: ".".join(one.split(".")[: shared_depth(one, other)]), paths)


def _labels(paths: Sequence[str], base: str = ".") -> list[str]:
    """Names stacks by the first word in their path that tells what they are; by the next, or by the path, on a clash.

    >>> _labels(["encoder.encoder.layer", "decoder.bert.encoder.layer"])
    ['encoder', 'decoder']
    >>> _labels(["encoder.text_model.layers", "encoder.vision_tower.encoder.layers", "decoder.layers"])
    ['text', 'vision', 'decoder']
    >>> _labels(["left.layers", "right.layers"])
    ['left.layers', 'right.layers']
    """
    told = [_told(path.removeprefix(base)) for path in paths]
    names = [words[0] for words in told]
    clash = [names.count(name) > 1 for name in names]
    second = [words[1] if clashes and len(words) > 1 else words[0] for words, clashes in zip(told, clash, strict=True)]
    return [name if second.count(name) == 1 else path for name, path in zip(second, paths, strict=True)]


def _told(path: str) -> list[str]:
    """What a path says of its stack, from the top: an encoder, where it says nothing."""
    parts = path.lower().split(".")
    told = [name for part in parts for name, words in WORDS.items() if any(word in part for word in words)]
    return list(dict.fromkeys(told)) or ["encoder"]

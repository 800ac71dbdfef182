"""The stacks of blocks in a model, found by their structure, and stages opened into blocks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import takewhile

from torch import nn

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


Core = tuple[str, ...]
"""The paths of the modules that make up one block; the first one gives it its name."""

WHOLE, BARE, SINGLE = 3, 2, 1  # how much of a block a module is


@dataclass(frozen=True)
class Layers:
    """A list of blocks.

    Attributes:
        paths: The list's path, and those of the lists beside it that run with it.
        cores: Its blocks, from shallow to deep.
    """

    paths: tuple[str, ...]
    cores: tuple[Core, ...]


def lists_of_blocks(model: nn.Module) -> list[Layers]:
    """The outermost lists of a model that hold blocks, in the model's order.

    A block holds two weight matrices or more and a norm. Blocks without a norm that has weights (OLMo's) count where
    their list is no smaller than any other: a detector's lists of heads are. Where there are none of either, layers of
    one matrix and a norm count (MobileNet's).
    """
    found = list(_outermost(model, "", BARE)) or list(_outermost(model, "", SINGLE))
    sizes = [sum(_size(model.get_submodule(path)) for path in layers.paths) for _, layers in found]
    least = max((size for size, (quality, _) in zip(sizes, found, strict=True) if quality == WHOLE), default=0)
    kept = zip(sizes, found, strict=True)
    return [layers for size, (quality, layers) in kept if quality == WHOLE or size >= least]


def _outermost(module: nn.Module, path: str, least: int) -> Iterator[tuple[int, Layers]]:
    """The outermost lists of modules that are that much of a block, and how much they are."""
    children = {f"{path}.{name}" if path else name: child for name, child in module.named_children()}
    groups = _side_by_side(_lists(children))
    firsts = {next(iter(group)): group for group in groups if _best(group) >= least}
    taken = {here for group in firsts.values() for here in group}
    for here, child in children.items():
        if here in firsts:
            yield _best(firsts[here]), _layers(firsts[here])
        elif here not in taken:
            yield from _outermost(child, here, least)


def _best(group: Mapping[str, nn.Module]) -> int:
    return max(_quality(modules) for modules in group.values())


def _lists(children: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Those that are lists: a ModuleList, or a Sequential of like blocks, as timm's models have them.

    A Sequential of a single block is one beside another of that kind alone: it may as well be a pooler or a projector.
    """
    rows = {here: type(next(child.children())) for here, child in children.items() if _is_row(child)}
    kinds = list(rows.values())
    return {
        here: child
        for here, child in children.items()
        if (here in rows and (len(list(child.children())) > 1 or kinds.count(rows[here]) > 1))
        or (isinstance(child, nn.ModuleList) and len(child))
    }


def _is_row(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential) and _kinds(module) == 1 and _quality(module) == WHOLE


def _kinds(modules: nn.Module) -> int:
    return len({type(module) for module in modules.children()})


def _quality(modules: nn.Module) -> int:
    """What at least half of the modules are; 0 for no part of a block that could be one by itself."""
    found = [_part(module) for module in modules.children()]
    return next((part for part in (WHOLE, BARE, SINGLE) if 2 * sum(p >= part for p in found) >= len(found)), 0)


def _part(module: nn.Module) -> int:
    matrices = sum(parameter.ndim >= 2 for parameter in module.parameters())
    weights = itertools.chain(module.named_parameters(), module.named_buffers())  # a frozen norm has buffers alone
    has_norm = any(tensor.ndim == 1 and name.endswith("weight") for name, tensor in weights)
    if matrices >= 2:
        return WHOLE if has_norm else BARE
    return SINGLE if matrices and has_norm else 0


def _side_by_side(lists: Mapping[str, nn.Module]) -> list[dict[str, nn.Module]]:
    """Puts lists beside each other together where each holds a part of the same blocks: of one length, of unlike parts.

    XLM has lists of attentions, of norms and of feed-forward layers; PVT one of patch embeddings and one of stages.
    """
    groups: list[dict[str, nn.Module]] = []
    for path, modules in lists.items():
        mates = [group for group in groups if _hold_the_same_blocks([*group.values(), modules])]
        if mates:
            mates[0][path] = modules
        else:
            groups.append({path: modules})
    return groups


def _hold_the_same_blocks(lists: Sequence[nn.Module]) -> bool:
    if len({len(list(modules.children())) for modules in lists}) > 1:
        return False
    if any(_quality(modules) == WHOLE for modules in lists) and not any(_is_nested(modules) for modules in lists):
        return False  # whole blocks need no parts: another list runs before or behind, or is a head for each block
    kinds = [{type(module) for module in modules.children()} for modules in lists if _quality(modules) >= BARE]
    return all(one.isdisjoint(other) for index, one in enumerate(kinds) for other in kinds[:index])


def _is_nested(modules: nn.Module) -> bool:
    return all(isinstance(module, (nn.ModuleList, nn.Sequential)) and _quality(module) for module in modules.children())


def _layers(group: Mapping[str, nn.Module]) -> Layers:
    """The blocks of a list, or of lists that hold parts of the same blocks; stages are opened into their blocks.

    What another list holds beside a stage belongs to the stage's first block where that list stands in front, and
    else to its last; but what stands in front of the first stage is left out: it feeds them all.
    """
    paths = tuple(group)
    main = next((path for path in paths if _is_nested(group[path])), max(paths, key=lambda path: _quality(group[path])))
    stages = _stages(group[main])
    names = [name for name, _ in group[main].named_children()]
    if stages is None and len(paths) == 1:
        return Layers(paths, tuple(_blocks(group[main], main)))
    if stages is None:
        others = [path for path in paths if path != main]
        return Layers(paths, tuple((f"{main}.{name}", *(f"{path}.{name}" for path in others)) for name in names))
    ahead, behind = paths[: paths.index(main)], paths[paths.index(main) + 1 :]
    cores: list[Core] = []
    for name, stage in zip(names, stages, strict=True):
        opened: list[Core] = [tuple(f"{main}.{name}.{inner}" for inner in core) for core in stage]
        if opened and cores:
            opened[0] += tuple(f"{path}.{name}" for path in ahead)
        if opened:
            opened[-1] += tuple(f"{path}.{name}" for path in behind)
        cores.extend(opened)
    return Layers(paths, tuple(cores))


def _stages(modules: nn.Module) -> list[list[Core]] | None:
    """The blocks in each module of a list of stages; None where the modules are blocks themselves.

    A stage is a list of blocks, or has weights in nothing but such a list, or has a list of blocks where the stages
    are not all of one shape. MobileBERT's blocks, which are of one shape, each have a list of feed-forward layers and
    stay blocks; so do T5's, whose lists hold one module of each kind and are all of one width, as SwiftFormer's stages
    are not. Stages of one width that each have one block of each kind cannot be told from blocks.
    """
    members = list(modules.children())
    whole = [module for module in members if _part(module) == WHOLE]
    inner = {module: path for module in whole if (path := _inner_list(module)) is not None}
    if not whole or len(inner) < len(whole):
        return None
    lists = {module: module.get_submodule(path) for module, path in inner.items()}
    alike = len({_shapes(module) for module in whole}) == 1
    if alike and any(_matrices(module) > _matrices(blocks) for module, blocks in lists.items()):
        return None
    one_of_each = all(_kinds(blocks) == len(list(blocks.children())) > 1 for blocks in lists.values())
    if one_of_each and len({_widths(blocks) for blocks in lists.values()}) == 1:
        return None
    return [_blocks(lists[module], inner[module]) if module in inner else [] for module in members]


def _blocks(modules: nn.Module, path: str) -> list[Core]:
    """The blocks of a list at this path: its modules, or pairs of them where each is half a block.

    LeViT's residual layers hold an attention and a feed-forward layer in turn; what stands between two pairs, such as
    the attention that shrinks the image, goes with the pair in front.
    """
    members = {f"{path}.{name}".lstrip("."): child for name, child in modules.named_children()}
    paths, wrapped = list(members), [_wrapped(child) for child in members.values()]
    kinds = [kind for kind in dict.fromkeys(wrapped) if kind]
    firsts = [at for at, kind in enumerate(wrapped) if kind and kind == kinds[0]]
    halves = len(kinds) == 2 and kinds[0][0] is kinds[1][0] and firsts[0] == 0
    if not halves or any(wrapped[at + 1 : at + 2] != kinds[1:] for at in firsts):
        return [(member,) for member in members]
    return [tuple(paths[start:end]) for start, end in zip(firsts, [*firsts[1:], len(paths)], strict=True)]


def _wrapped(module: nn.Module) -> tuple[type, type] | None:
    """The kinds of a module and of its only child, where it is no list and has no weights beside that."""
    children = list(module.children())
    is_list = isinstance(module, (nn.ModuleList, nn.Sequential))
    if is_list or len(children) != 1 or next(module.parameters(recurse=False), None) is not None:
        return None
    return type(module), type(children[0])


def _widths(module: nn.Module) -> frozenset[int]:
    return frozenset(len(parameter) for parameter in module.parameters() if parameter.ndim == 1)


def _inner_list(module: nn.Module, depth: int = 2) -> str | None:
    """The path of the largest list of whole blocks in a module, at most two modules down."""
    if isinstance(module, (nn.ModuleList, nn.Sequential)):
        return "" if _quality(module) == WHOLE else None
    found: dict[str, int] = {}
    for name, child in module.named_children() if depth else ():
        if (below := _inner_list(child, depth - 1)) is not None:
            path = f"{name}.{below}".rstrip(".")
            found[path] = _size(module.get_submodule(path))
    return max(found, key=lambda path: found[path], default=None)


def _shapes(module: nn.Module) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(parameter.shape) for parameter in module.parameters())


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _matrices(module: nn.Module) -> int:
    return sum(parameter.ndim >= 2 for parameter in module.parameters())

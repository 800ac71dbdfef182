"""Patterns of module paths and of parameter names: the first match decides, and each must match."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from torch import nn

from hfft.errors import RecipeError, near
from hfft.tuning.stacks import Stack, common_path

BlockPatterns = Mapping[str, str | Sequence[str]]


def stacks_of(model: nn.Module, patterns: BlockPatterns) -> list[Stack]:
    """The stacks that the patterns name, in the order given; each module that matches is a block.

    Raises:
        RecipeError: A pattern matches no module, or a module that is inside another one or that another name has.
    """
    paths = [path for path, _ in model.named_modules() if path]
    stacks = []
    for name, given in patterns.items():
        chosen = set(matching(model, name, given, paths))
        in_order = [path for path in paths if path in chosen]
        home = common_path(path.rpartition(".")[0] for path in in_order)
        is_list = isinstance(model.get_submodule(home), (nn.ModuleList, nn.Sequential))
        stacks.append(Stack(name, tuple((path,) for path in in_order), (home,) if is_list else ()))
    _check_apart([(stack.name, core[0]) for stack in stacks for core in stack.cores])
    return stacks


def matching(model: nn.Module, name: str, given: str | Sequence[str], paths: Sequence[str]) -> list[str]:
    """The paths that match what `tune.blocks` gives for a name. RecipeError: a pattern is wrong or matches none."""
    chosen: list[str] = []
    for pattern in [given] if isinstance(given, str) else given:
        expression = _compiled(name, pattern)
        matches = [path for path in paths if expression.fullmatch(path)]
        if not matches:
            raise RecipeError(
                f"tune.blocks.{name} has the pattern '{pattern}', which matches no module of this model."
                f"{near(pattern.replace('*', '0'), paths)} In a pattern * stands for anything but a dot, ** for "
                f"anything. Its lists of modules are {', '.join(lists_of_modules(model)) or 'none'}."
            )
        chosen.extend(matches)
    if not chosen:
        raise RecipeError(f"tune.blocks.{name} has no pattern: give one, such as 'model.layers.*', or leave it out.")
    return chosen


def _compiled(name: str, pattern: str) -> re.Pattern[str]:
    """A pattern, ready to match. Raises RecipeError where its brackets cannot be read as characters."""
    if several := re.search(r"\[[^\]]*(\d\d-|-\d\d)[^\]]*\]", pattern):
        wrong = f"{several[0]} is meant for a range of numbers, but brackets stand for one character"
    else:
        try:
            return re.compile(_expression(pattern))
        except re.error as error:
            wrong = error.msg
    raise RecipeError(
        f"tune.blocks.{name} has the pattern '{pattern}', which cannot be read: {wrong}. Brackets hold the characters "
        "that may stand there, lowest first in a range: layer.[0-9] and layer.1[0-2] are layers 0 to 12, as a list."
    )


def _expression(pattern: str) -> str:
    """A pattern as a regular expression.

    >>> _expression("model.layers.*"), _expression("**.layers.[01]")
    ('model\\\\.layers\\\\.[^.]*', '.*\\\\.layers\\\\.[01]')
    """
    wild = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    pieces = re.split(r"(\*\*|\*|\?|\[[^\]]+\])", pattern)
    return "".join(wild.get(p, p.replace("[!", "[^") if p.startswith("[") else re.escape(p)) for p in pieces)


def lists_of_modules(model: nn.Module) -> list[str]:
    """The first few lists of modules of a model as patterns, outer ones first."""
    lists = [path for path, module in model.named_modules() if isinstance(module, (nn.ModuleList, nn.Sequential))]
    numbered = dict.fromkeys(re.sub(r"(^|\.)\d+(?=\.|$)", r"\1*", f"{path}.0".lstrip(".")) for path in lists)
    return sorted(numbered, key=lambda path: path.count("."))[:8]


def _check_apart(chosen: Sequence[tuple[str, str]]) -> None:
    """Raises RecipeError where a module of one name is a module of another, or stands inside it.

    Args:
        chosen: Pairs of a name in `tune.blocks` and a path that it matches.
    """
    owners: dict[str, str] = {}
    for name, path in chosen:
        if path in owners:
            raise RecipeError(
                f"tune.blocks.{name} matches {path}, which is in tune.blocks.{owners[path]} too: give patterns that "
                "have no module in common."
            )
        owners[path] = name
    for name, path in chosen:
        above = path.rpartition(".")[0]
        while above:
            if above in owners:
                raise RecipeError(
                    f"tune.blocks.{name} matches {path}, which is inside {above} of tune.blocks.{owners[above]}: give "
                    "patterns of modules that stand beside each other."
                )
            above = above.rpartition(".")[0]


def ends_of(model: nn.Module, patterns: BlockPatterns) -> dict[str, str]:
    """The end, by its name in `patterns`, of every parameter that a pattern of modules or parameters puts there.

    Raises:
        RecipeError: A pattern matches nothing, or what another one matches too.
    """
    if not patterns:
        return {}
    names = [name for name, _ in model.named_parameters()]
    paths = list(dict.fromkeys([*(path for path, _ in model.named_modules() if path), *names]))
    found: dict[str, str] = {}
    for end, given in patterns.items():
        chosen = matching(model, end, given, paths)
        members = [name for name in names if any(name == path or name.startswith(f"{path}.") for path in chosen)]
        if not members:
            raise RecipeError(f"tune.blocks.{end} matches {chosen[0]}, which has no parameters: leave it out.")
        for name in members:
            if found.setdefault(name, end) != end:
                raise RecipeError(f"{name} is in tune.blocks.{found[name]} and in tune.blocks.{end}: name it in one.")
    return found


Said = TypeVar("Said")


def by_first_match(
    rules: Sequence[tuple[str, Said]], names: Sequence[str], where: str, what: str = "parameter"
) -> dict[str, Said]:
    """What the first rule that matches says of each name; names that no rule matches are not in it.

    A pattern has `*` and `?`, which match dots too, and is that of a whole name, or of its end behind a dot.

    >>> by_first_match([("*.bias", 0.5), ("head.*", 2.0)], ["head.weight", "head.bias", "stem.weight"], "tune.rates")
    {'head.bias': 0.5, 'head.weight': 2.0}

    Args:
        rules: Pairs of a pattern and what it says, in order.
        names: All names there are.
        where: The setting that has the rules, for messages.
        what: What the names are those of, for messages.

    Raises:
        RecipeError: A pattern matches no name, or none that those before it have left.
    """
    found: dict[str, Said] = {}
    for pattern, said in rules:
        matched = [name for name in names if matches(pattern, name)]
        if not matched:
            raise RecipeError(
                f"{where} has the pattern '{pattern}', which matches no {what} of this model."
                f"{near(pattern, endings(names))} There are: {', '.join(endings(names)[:6])}."
            )
        left = [name for name in matched if name not in found]
        if not left:
            raise RecipeError(
                f"{where} has the pattern '{pattern}', which has no effect: patterns before it match all that it "
                "matches. Put it first, or leave it out."
            )
        found |= dict.fromkeys(left, said)
    return found


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern is that of a name or of its end.

    >>> matches("LayerNorm.*", "bert.embeddings.LayerNorm.bias"), matches("Norm.*", "bert.embeddings.LayerNorm.bias")
    (True, False)
    """
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"*.{pattern}")


def endings(names: Sequence[str]) -> list[str]:
    """The names as they read inside a block, each once: what follows the block's number, in their order."""
    ends = []
    for name in names:
        parts = name.split(".")
        last = max((i for i, part in enumerate(parts) if part.isdigit()), default=-1)
        ends.append(".".join(parts[last + 1 :]))
    return list(dict.fromkeys(ends))

"""Rules by parameter names: an ordered list of patterns, of which the first that matches a name decides."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import TypeVar

from hfft.errors import RecipeError, near

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

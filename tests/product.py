"""Products of parameters, of which every run of the tests tries a part and `make laws` all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import Any

import pytest


def spread(*values: Sequence[Any], every: int = 0) -> list[Any]:
    """All combinations of the parameters' values, for `parametrize`; most are `wide`.

    Those of every run are as far apart as they can be: of two parameters each value stands in one of them, of three or
    more each pair of values does, if one of the others has two values or more.

    Args:
        values: Of each parameter.
        every: Every how many-th combination that is; by default the number of values of the parameter with the fewest.
    """
    every = every or min(map(len, values))
    return [
        pytest.param(
            *(given[place] for given, place in zip(values, places, strict=True)),
            marks=[] if sum(places) % every == 0 else pytest.mark.wide,
        )
        for places in product(*(range(len(given)) for given in values))
    ]


def first_of_all(values: Sequence[Any], here: Collection[Any], marks: Mapping[Any, Sequence[Any]] | None = None) -> Any:
    """All values, for `parametrize`, of which every run of the tests tries those that stand in `here`.

    Args:
        values: The values; a tuple has those of several parameters.
        here: Some of them, which between them meet all the code; the others are `wide`.
        marks: Further marks of some.
    """
    assert set(here) <= set(values)
    own = marks or {}
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            marks=[*own.get(value, ()), *([] if value in here else [pytest.mark.wide])],
        )
        for value in values
    ]

"""Products of parameters, of which every run of the tests tries a part and `make laws` all."""

from __future__ import annotations

from collections.abc import Sequence
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

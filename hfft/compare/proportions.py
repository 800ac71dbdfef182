"""How sure the difference is of two runs that are right or wrong on the same examples."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import binomtest

NEAR = 1e-9  # where no example tells them apart, the difference found has no spread itself


def mcnemar(first: np.ndarray, other: np.ndarray) -> float:
    """The p value of two runs being right equally often, from the examples that one of them alone has right.

    With both alike, each such example is as likely one's as the other's (McNemar 1947): exactly, by the binomial
    distribution, and not by its approximation.

    Args:
        first: Booleans, `(examples,)`, whether the first run is right.
        other: The other run.
    """
    only_first, only_other = _alone(first, other)
    both = only_first + only_other
    return float(binomtest(only_first, both).pvalue) if both else 1.0


def tango(first: np.ndarray, other: np.ndarray, confidence: float) -> tuple[float, float]:
    """The score interval of how much more often the other run is right (Tango 1998, equations 6 to 8).

    Not a number of a single example. Args as for `mcnemar`.
    """
    count = len(first)
    if count < 2:
        return math.nan, math.nan
    only_first, only_other = _alone(first, other)
    found, reach = (only_other - only_first) / count, float(ndtri((1 + confidence) / 2))

    def beyond(gain: float) -> float:
        """How far the score statistic of a true difference lies beyond `reach`."""
        middle = (2 * count - only_other + only_first) * gain - only_other - only_first
        root = math.sqrt(max(middle**2 + 8 * count * only_first * gain * (1 - gain), 0.0))
        variance = count * ((root - middle) / (2 * count) + gain * (1 - gain))  # under the difference
        return abs(only_other - only_first - count * gain) - reach * math.sqrt(max(variance, 0.0))

    def end(bound: float) -> float:
        near = found + math.copysign(NEAR, bound)
        return bound if beyond(bound) <= 0 else cast(float, brentq(beyond, near, bound))

    return end(-1.0), end(1.0)


def _alone(first: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """How many examples each run alone has right."""
    return int((first & ~other).sum()), int((~first & other).sum())

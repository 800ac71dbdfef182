"""Confidence intervals of scores over examples: by a method that holds what it says for the kind of score, or none.

`docs/coverage.md` is how often they hold the truth, measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtr, ndtri, stdtrit

from hfft.metrics.weighing import Bounds, Scores, Share, Weighted, groups_of, resamples, without_groups

FEWEST = 30  # examples: of fewer, only shares have an interval, and what lies at its bound

FEWEST_AT_BOUND = 10

FEW = 3  # examples, wrong or right, beside which Wilson's interval falls short

ROUNDED = 1e-9  # beside a value: what differs by less is an error of rounding

WILSON, JACKKNIFE, BCA = "wilson", "jackknife", "bca"

HOW = (
    "Wilson's for shares of examples, for other scores those of the jackknife, bounded as the score is, and for "
    "metrics of one's own the bootstrap's (BCa); none where too few examples stand behind it"
)

WHY_NONE = (
    f"A score without an interval is no share of the examples and of fewer than {FEWEST} of them, does not vary, or "
    "hangs on a single example: how far it may be off is not known."
)


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low: Its lower end; not a number where there is none.
        high: Its upper end.
        method: How it was computed: "wilson", "jackknife" or "bca"; None where there is none.
    """

    low: float = math.nan
    high: float = math.nan
    method: str | None = None


NONE = Interval()  # asked for by `is`: not a number is like nothing


def intervals(weighted: Weighted, confidence: float) -> dict[str, Interval]:
    """The interval of each score.

    Shares of the examples have Wilson's (see `wilson`). Other scores have that of `jackknife` where their bounds are
    known, and else that of `bca`; both want 30 examples, but `at_bound` only 10. Of one example there is none.
    """
    scores: Scores = weighted.scores
    found = {name: _of_share(weighted.shares[name], confidence) for name in scores if name in weighted.shares}
    others = {name: value for name, value in scores.items() if name not in found}
    if weighted.examples < 2 or not others:
        return {name: found.get(name, NONE) for name in scores}
    alone = weighted.over(without_groups(weighted.examples), others)
    unknown = [name for name in others if weighted.bounds_of(name) is None]
    shares = {name: _as_share(others[name], alone[name], weighted.examples) for name in unknown}
    found |= {name: _of_share(share, confidence) for name, share in shares.items() if share is not None}
    for name in set(others) - set(unknown):
        found[name] = at_bound(others[name], alone[name], weighted.bounds_of(name), weighted.examples, confidence)
    if weighted.examples >= FEWEST:
        left = [name for name in unknown if shares[name] is None]
        draws = (block.T for block in resamples(weighted.examples))
        drawn = weighted.over(draws, left) if left else {}
        for name, value in others.items():
            bounds = weighted.bounds_of(name)
            if bounds is not None and found[name] is NONE:
                found[name] = jackknife(value, alone[name], bounds, confidence)
            elif name in drawn:
                found[name] = bca(value, drawn[name], alone[name], confidence)
    return {name: found.get(name, NONE) for name in scores}


def wilson(right: float, of: float, confidence: float) -> Interval:
    """Wilson's score interval (1927) of `right` examples of `of`; none of less than two.

    Where one to three are wrong (or right), its near end is that of the Poisson distribution: Wilson's own leaves out
    shares so near the bound that such a count is no rarity (Brown, Cai and DasGupta 2001, section 4.1.1).

    >>> for right in (15, 14):
    ...     found = wilson(right, 15, 0.95)
    ...     print(f"{found.low:.4f} to {found.high:.4f}")
    0.7961 to 1.0000
    0.7018 to 0.9966
    """
    if of < 2:
        return NONE
    low, high = _score_interval(right / of, of, float(ndtri((1 + confidence) / 2)))
    if 1 <= right <= FEW:
        low = min(low, float(gammaincinv(right, 1 - confidence)) / of)
    if 1 <= of - right <= FEW:
        high = max(high, 1 - float(gammaincinv(of - right, 1 - confidence)) / of)
    return Interval(low, high, WILSON)


def jackknife(value: float, alone: np.ndarray, bounds: Bounds, confidence: float) -> Interval:
    """The interval of a score that lies between bounds, from its values without some examples each.

    The variance is that of the jackknife (Efron and Tibshirani 1993, section 11.5). Between two bounds the score is
    taken as a share of as many examples as would have this variance, and has Wilson's interval, as for shares in a
    survey of clusters (Korn and Graubard 1998). With one bound it is Student's interval of the logarithm of the
    distance to it. Degrees of freedom are those of the variance itself, by the kurtosis of what each example adds
    (Satterthwaite 1946): few where a few examples decide.

    None where the score is at a bound, does not vary, or is not defined without some of the examples.

    Args:
        value: The score.
        alone: Its values without a group of examples each, `(groups,)`.
        bounds: Its smallest and largest value; infinite where it has none.
        confidence: Of the interval.
    """
    error, freedom = spread(alone)
    low, high = bounds
    size = high - low if math.isfinite(high - low) else abs(value)
    if not error > ROUNDED * size or value - low <= ROUNDED * size or high - value <= ROUNDED * size:
        return NONE
    reach = float(stdtrit(freedom, (1 + confidence) / 2))
    if math.isfinite(high - low):
        width = high - low
        share = (value - low) / width
        ends = _score_interval(share, share * (1 - share) * (width / error) ** 2, reach)
        return Interval(low + width * ends[0], low + width * ends[1], JACKKNIFE)
    bound = low if math.isfinite(low) else high
    distance = value - bound
    ends = [bound + distance * math.exp(sign * reach * error / abs(distance)) for sign in (-1, 1)]
    return Interval(min(ends), max(ends), JACKKNIFE)


def at_bound(value: float, alone: np.ndarray, bounds: Bounds | None, examples: int, confidence: float) -> Interval:
    """The interval of a score at one of two bounds that no example moves, as of answers that are all right.

    It is Wilson's of half of the examples, all of them right (or none), on the score's scale: one wrong answer may cost
    more than its share, as in a mean over labels of which some are rare. None of fewer than 10 examples, and where the
    score lies elsewhere or has no two bounds.
    """
    if bounds is None or not math.isfinite(bounds[1] - bounds[0]) or examples < FEWEST_AT_BOUND:
        return NONE
    width = bounds[1] - bounds[0]
    if not (abs(alone - value) <= ROUNDED * width).all() or min(abs(value - end) for end in bounds) > ROUNDED * width:
        return NONE
    found = wilson(round((value - bounds[0]) / width) * examples / 2, examples / 2, confidence)
    return Interval(bounds[0] + width * found.low, bounds[0] + width * found.high, found.method)


def spread(alone: np.ndarray) -> tuple[float, float]:
    """The jackknife's standard error of a score, and the degrees of freedom of its square; NaN where it is unknown.

    Args:
        alone: The score without a group of examples each, `(groups,)`.
    """
    count = len(alone)
    if count < 2 or not np.isfinite(alone).all():
        return math.nan, math.nan
    squares = (alone - alone.mean()) ** 2
    total = float(squares.sum())
    if total == 0:
        return 0.0, count - 1.0
    kurtosis = count * float((squares**2).sum()) / total**2
    freedom = min(count - 1.0, 2 * count / max(kurtosis - 1, ROUNDED))
    return math.sqrt((count - 1) / count * total), freedom


def bca(value: float, drawn: np.ndarray, alone: np.ndarray, confidence: float) -> Interval:
    """The bias-corrected and accelerated bootstrap interval (Efron 1987; DiCiccio and Efron 1996, section 2).

    None where most resamples have no value, or all have the same.

    Args:
        value: The score.
        drawn: Its values on resamples; undefined ones are left out.
        alone: Its values without a group of examples each, from which comes the acceleration.
        confidence: Of the interval.
    """
    known = drawn[np.isfinite(drawn)]
    if 2 * len(known) <= len(drawn):
        return NONE
    size = ROUNDED * max(1.0, abs(value))
    below = float((known < value - size).mean() + (abs(known - value) <= size).mean() / 2)
    least = 1 / (len(known) + 1)
    bias = float(ndtri(min(max(below, least), 1 - least)))
    gains = np.nanmean(alone) - alone[np.isfinite(alone)]
    squares = float((gains**2).sum())
    acceleration = float((gains**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0
    normal = np.array([-1, 1]) * float(ndtri((1 + confidence) / 2)) + bias
    low, high = np.quantile(known, ndtr(bias + normal / (1 - acceleration * normal)))
    return Interval(float(low), float(high), BCA) if high - low > size else NONE


def percentiles(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """What holds the middle `confidence` of resampled values; undefined ones are left out."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _of_share(share: Share, confidence: float) -> Interval:
    found = wilson(share.right, share.of, confidence)
    if not share.is_f1 or found.method is None:
        return found
    low, high = (2 * end / (1 + end) for end in (found.low, found.high))
    return Interval(low, high, WILSON)


def _score_interval(share: float, count: float, reach: float) -> tuple[float, float]:
    """Wilson's bounds; of none or all they begin at 0 or end at 1, which rounding may miss by a hair."""
    middle = (share + reach**2 / (2 * count)) / (1 + reach**2 / count)
    half = reach / (1 + reach**2 / count) * math.sqrt(share * (1 - share) / count + reach**2 / (4 * count**2))
    return (middle - half if share > 0 else 0.0), (middle + half if share < 1 else 1.0)


def _as_share(value: float, alone: np.ndarray, examples: int) -> Share | None:
    """A score as a share of all examples, where it is one: each group left out takes a whole number of right ones.

    None where all or none are right, for then other scores look the same.
    """
    sizes = np.bincount(groups_of(examples))
    right = np.append(value * examples, value * examples - alone * (examples - sizes))
    whole = np.isfinite(right).all() and bool((abs(right - np.round(right)) < 1e-6).all())
    if not whole or not 0 < round(right[0]) < examples:
        return None
    fits = (np.round(right[1:]) >= 0).all() and (np.round(right[1:]) <= sizes).all()
    return Share(round(right[0]), examples) if fits else None

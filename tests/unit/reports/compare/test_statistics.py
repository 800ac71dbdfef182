"""Paired differences: hand-worked McNemar, Holm and Student values, and intervals that hold as often as they say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

from hfft.metrics.intervals import spread
from hfft.metrics.weighing import without_groups
from hfft.reports.compare.statistics import (
    APPROXIMATED,
    JACKKNIFED,
    PERMUTATION,
    STUDENT,
    SWAPS,
    Values,
    difference,
    holm,
    mcnemar,
    over_seeds,
    permutation_p,
    tango,
    ways,
)


def rights(both: int, first: int, other: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(1, 1)] * both + [(1, 0)] * first + [(0, 1)] * other + [(0, 0)] * neither
    mine, theirs = np.array(pairs, dtype=bool).reshape(-1, 2).T
    return mine, theirs


@pytest.mark.parametrize(
    ("first", "other", "p"),
    [
        (0, 0, 1),
        (3, 3, 1),
        (0, 5, 2 / 2**5),
        (1, 5, 2 * (1 + 6) / 2**6),
        (8, 2, 2 * (1 + 10 + 45) / 2**10),  # of ten, two or fewer, both sides
    ],
)
def test_mcnemar_by_hand(first, other, p):
    assert mcnemar(*rights(7, first, other, 4)) == pytest.approx(p)
    assert mcnemar(*rights(0, other, first, 0)) == pytest.approx(p)  # what both have right or wrong says nothing


@pytest.mark.parametrize(
    ("given", "corrected"),
    [
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 3 x 0.01; 2 x 0.03; 0.04, which may not lie below the one before
        ([0.9, 0.5], [1, 1]),
        ([math.nan, 0.02, 0.04], [math.nan, 0.04, 0.04]),
    ],
)
def test_holm_by_hand(given, corrected):
    assert holm(given) == pytest.approx(corrected, nan_ok=True)


@pytest.mark.parametrize("counts", [(7, 5, 1, 2), (1, 0, 3, 0), (30, 2, 9, 4)])
def test_tangos_interval_is_that_of_the_largest_likelihood(counts):
    _, only_first, only_other, _ = counts
    number = sum(counts)

    def statistic(gain):
        """With the share that the first alone has right at its most likely, were `gain` the true difference."""
        shares = np.linspace(max(0, -gain), (1 - gain) / 2, 200_001)[1:-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            likely = only_first * np.log(shares) + only_other * np.log(shares + gain)
            likely += (number - only_first - only_other) * np.log(1 - 2 * shares - gain)
        share = shares[np.nanargmax(likely)]
        return abs(only_other - only_first - number * gain) / (number * (2 * share + gain - gain**2)) ** 0.5

    for end in tango(*rights(*counts), 0.95):
        assert statistic(end) == pytest.approx(1.96, abs=0.01)


def test_the_exact_test_never_finds_what_tangos_interval_leaves_open():
    for only_first in range(9):
        for only_other in range(only_first, 30):
            pair = rights(3, only_first, only_other, 5)
            if mcnemar(*pair) <= 0.05:
                assert tango(*pair, 0.95)[0] > 0


def test_runs_that_are_alike_have_an_interval_around_no_difference():
    reach = 1.959964**2 / (40 + 1.959964**2)
    assert tango(*rights(30, 0, 0, 10), 0.95) == pytest.approx((-reach, reach), abs=1e-6)
    assert all(math.isnan(end) for end in tango(*rights(0, 1, 0, 0), 0.95))  # of one example


def test_answers_are_exchanged_in_all_ways_or_in_many():
    assert ways(3).T.astype(int).tolist() == [[a, b, c] for c in (0, 1) for b in (0, 1) for a in (0, 1)]
    assert ways(0).shape == (0, 1)
    drawn = ways(50)
    assert drawn.shape == (50, SWAPS)
    assert not drawn[:, 0].any()
    assert drawn[:, 1:].mean(1) == pytest.approx(np.full(50, 0.5), abs=5 * 0.5 / SWAPS**0.5)


def test_the_p_value_of_exchanged_answers_by_hand():
    assert permutation_p(np.array([2.0, 1, -2, 0, 3, 1, -1, 0])) == (3 / 8, PERMUTATION)  # 2, -2 and 3
    assert permutation_p(np.array([0.0])) == (1, PERMUTATION)  # no answer differs
    assert math.isnan(permutation_p(np.array([math.nan, 1]))[0])
    assert math.isnan(permutation_p(None)[0])


def test_beyond_the_drawn_ways_the_p_value_is_that_of_students_t():
    drawn = 0.01 * np.random.default_rng(0).standard_normal(SWAPS)
    drawn[0] = 0.06
    p, test = permutation_p(drawn)
    wanted = 2 * scipy.stats.t.sf(0.06 / np.mean(drawn[1:] ** 2) ** 0.5, SWAPS - 1)
    assert (p, test) == (pytest.approx(wanted), APPROXIMATED)
    assert 30 * p < 0.001 < 30 / SWAPS  # thirty runs, and confidence 0.999


def test_a_difference_that_does_not_vary_is_of_unknown_certainty():
    found = difference("bleu", seeds(0.1), seeds(0.3), False, 100, 0.95)
    assert all(math.isnan(value) for value in (found.low, found.high, found.p))
    found = difference("bleu", seeds(0.1, 0.1, 0.1), seeds(0.3, 0.3, 0.3), True, 100, 0.95)
    assert all(math.isnan(value) for value in (found.low, found.high, found.p))


def accuracy(right) -> Values:
    right = np.array(right, dtype=float)
    blocks = [right @ weights / weights.sum(0) for weights in without_groups(len(right))]
    return Values(right.mean(), np.concatenate(blocks))


def swaps(gains) -> np.ndarray:
    """The mean gain with the sign of some turned."""
    return (1 - 2 * ways(len(gains))).T @ np.array(gains) / len(gains)


def test_of_one_training_each_the_difference_is_that_of_the_examples():
    gains = np.array([0, 0, 1, 0, 1, -1] * 10)
    first = np.array([0, 1, 0, 0, 0, 1] * 10)
    found = difference("accuracy", [accuracy(first)], [accuracy(first + gains)], False, 60, 0.95, swaps(gains))
    wanted = scipy.stats.binomtest(20, 30)  # 20 gains and 10 losses
    error, freedom = spread(accuracy(gains).alone)
    reach = scipy.stats.t.ppf(0.975, freedom) * error
    assert error == pytest.approx(scipy.stats.sem(gains))
    assert (found.value, found.low, found.high) == pytest.approx((1 / 6, min(1 / 6 - reach, 0), 1 / 6 + reach))
    assert found.p == pytest.approx(wanted.pvalue, abs=0.03)
    assert found.test in (PERMUTATION, JACKKNIFED)


def test_of_few_examples_there_is_a_test_and_no_interval():
    gains = [1, 1, 1, 1, 1, 1, 0, 0]
    found = difference("f1", [accuracy([0] * 8)], [accuracy(gains)], False, 8, 0.95, swaps(gains))
    assert (found.p, found.test) == (2 / 2**6, PERMUTATION)
    assert math.isnan(found.low)


@pytest.mark.parametrize("seed", range(20))
def test_interval_and_test_never_disagree(seed):
    draw = np.random.default_rng(seed)
    gains = draw.choice([-1, 0, 1], p=[0.1, 0.6, 0.3], size=35)
    first = np.where(gains == 0, 1, gains < 0)
    found = difference("accuracy", [accuracy(first)], [accuracy(first + gains)], False, 35, 0.95, swaps(gains))
    assert (found.p <= 0.05) == (not found.low <= 0 <= found.high)


def test_pairs_are_told_apart_where_single_intervals_overlap():
    first, other = [1] * 120 + [0] * 80, [1] * 132 + [0] * 68
    mine, theirs = accuracy(first), accuracy(other)
    gains = np.subtract(other, first)
    assert mine.value + 2 * spread(mine.alone)[0] > theirs.value - 2 * spread(theirs.alone)[0]
    assert difference("accuracy", [mine], [theirs], False, 200, 0.95, swaps(gains)).low > 0


def test_where_examples_differ_by_chance_alone_few_of_them_are_called_different():
    draw, tries = np.random.default_rng(0), 400
    found = [permutation_p(swaps(draw.normal(size=8)))[0] for _ in range(tries)]
    assert np.mean(np.array(found) <= 0.05) <= 0.05 + 2 * (0.05 * 0.95 / tries) ** 0.5


def seeds(*values: float) -> list[Values]:
    return [Values(value, np.full(200, value)) for value in values]


def test_over_paired_seeds_without_examples_it_is_the_paired_t_test():
    first, other = seeds(0.80, 0.82, 0.79), seeds(0.83, 0.83, 0.84)
    found = difference("accuracy", first, other, True, 500, 0.95)
    wanted: Any = scipy.stats.ttest_rel([0.83, 0.83, 0.84], [0.80, 0.82, 0.79])
    low, high = wanted.confidence_interval(0.95)
    assert (found.p, found.low, found.high) == pytest.approx((wanted.pvalue, low, high))
    assert found.test == STUDENT


@pytest.mark.parametrize("other", [(0.83, 0.85), (0.81,)])
def test_over_other_seeds_without_examples_it_is_students_test_of_two_samples(other):
    found = difference("accuracy", seeds(0.80, 0.82, 0.79), seeds(*other), False, 500, 0.95)
    values, group = np.array([0.80, 0.82, 0.79, *other]), np.array([0.0] * 3 + [1.0] * len(other))
    wanted: Any = scipy.stats.linregress(group, values)  # of which the slope is the difference of the means
    assert (found.value, found.p) == pytest.approx((wanted.slope, wanted.pvalue))


def test_seeds_that_agree_leave_the_spread_over_examples():
    alone = 0.01 + 0.02 / 200**0.5 * np.random.default_rng(0).standard_normal(200)
    error, freedom = spread(alone)
    reach, p = over_seeds(0.01, (0.0, 2), alone, 10_000, 0.95)
    assert error == pytest.approx(0.02, rel=0.1)
    assert reach == pytest.approx(scipy.stats.t.ppf(0.975, freedom) * error)
    assert p == pytest.approx(2 * scipy.stats.t.sf(0.01 / error, freedom))


def test_seeds_and_examples_widen_the_interval_together():
    drawn = 0.02 / 200**0.5 * np.random.default_rng(0).standard_normal(200)
    each = [over_seeds(0.0, (0.0004, 4), np.zeros(200), 999, 0.95)[0], over_seeds(0.0, (0.0, 4), drawn, 999, 0.95)[0]]
    both, p = over_seeds(0.0, (0.0004, 4), drawn, 999, 0.95)
    assert max(each) < both < sum(each)
    assert p == 1


def test_where_nothing_varies_nothing_is_found():
    same = seeds(0.8, 0.8)
    found = difference("accuracy", same, same, True, 100, 0.95)
    assert (found.value, found.p) == (0, 1)
    assert math.isnan(found.low)  # it is not known how they might vary


def drawn_runs(draw, hardness, count, right, spread):
    """Trainings on the same examples, that are right as often as said on the average, each a little better or worse."""
    shares = np.clip(right + spread * draw.standard_normal(count), 0.02, 0.98)
    limits = scipy.stats.norm.ppf(shares) * 1.28  # 1 and 0.64 are the variances below
    own = 0.8 * draw.standard_normal((count, len(hardness)))
    return [accuracy(row) for row in (hardness + own < limits[:, None])]


def test_intervals_over_seeds_hold_the_true_difference_and_those_over_examples_do_not():
    draw, held, narrow, tries = np.random.default_rng(0), 0, 0, 200
    for _ in range(tries):
        hardness = draw.standard_normal(150)
        first, other = (drawn_runs(draw, hardness, 3, share, 0.04) for share in (0.75, 0.8))
        found = difference("accuracy", first, other, True, 150, 0.9)
        held += found.low <= 0.05 <= found.high
        error, _ = spread(np.mean([b.alone - a.alone for a, b in zip(first, other, strict=True)], 0))
        narrow += abs(found.value - 0.05) <= 1.645 * error
    assert held / tries > 0.86  # two standard errors of 200 tries are 0.04
    assert narrow < held
    assert narrow / tries < 0.86

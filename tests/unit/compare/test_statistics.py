"""Paired differences: hand-worked McNemar, Holm and Student values, and intervals that hold as often as they say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

from hfft.compare.statistics import (
    APPROXIMATED,
    BOOTSTRAP,
    BOUNDED,
    STUDENT,
    Values,
    bootstrap_p,
    difference,
    holm,
    mcnemar,
    over_seeds,
)
from hfft.metrics.intervals import percentiles, resamples


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


def test_the_p_value_of_resamples_by_hand():
    assert bootstrap_p(np.array([-1.0] * 3 + [1.0] * 96), 50) == (pytest.approx(2 * 4 / 100), BOOTSTRAP)
    assert bootstrap_p(np.zeros(1000), 50) == (1, BOOTSTRAP)
    assert bootstrap_p(np.array([math.nan, -1.0, 1.0]), 50) == (1, BOOTSTRAP)
    assert math.isnan(bootstrap_p(np.array([math.nan]), 50)[0])


def test_beyond_its_resamples_the_p_value_is_that_of_students_t():
    drawn = 0.05 + 0.01 * np.random.default_rng(0).standard_normal(1000)  # 5 times its spread away from 0
    p, test = bootstrap_p(drawn, 400)
    assert (p, test) == (pytest.approx(2 * scipy.stats.t.sf(drawn.mean() / drawn.std(), 399)), APPROXIMATED)
    assert p < 1e-5
    assert 30 * p < 0.001 < 2 / 1001  # thirty runs, and confidence 0.999
    far = 0.05 + 0.0005 * np.abs(drawn)
    assert bootstrap_p(far, 10**6)[0] < 1e-100


@pytest.mark.parametrize("examples", [1, 2, 5, 8])
def test_few_examples_show_no_more_than_the_sign_test(examples):
    drawn = 90 + np.random.default_rng(0).standard_normal(1000)
    assert bootstrap_p(drawn, examples) == (2 / 2**examples, BOUNDED)
    assert over_seeds(90.0, (0.01, 2), drawn, examples, 0.95)[1] >= 2 / 2**examples


def test_a_difference_that_does_not_vary_is_of_unknown_certainty():
    assert math.isnan(bootstrap_p(np.full(1000, 0.3), 50)[0])
    noise = 1e-17 * np.random.default_rng(0).standard_normal(1000)
    assert math.isnan(bootstrap_p(0.1 + noise, 1)[0])
    found = difference("bleu", seeds(0.1), seeds(0.3), False, 1, 0.95)
    assert all(math.isnan(value) for value in (found.low, found.high, found.p))
    found = difference("bleu", seeds(0.1, 0.1, 0.1), seeds(0.3, 0.3, 0.3), True, 100, 0.95)
    assert all(math.isnan(value) for value in (found.low, found.high, found.p))


def accuracy(right) -> Values:
    right = np.array(right, dtype=float)
    return Values(right.mean(), np.concatenate([counts @ right / len(right) for counts in resamples(len(right))]))


def test_of_one_training_each_the_difference_is_that_of_each_resample():
    first, other = [1, 1, 0, 0, 1, 0], [1, 1, 1, 0, 1, 0]
    found = difference("accuracy", [accuracy(first)], [accuracy(other)], False, 6, 0.9)
    gains = np.concatenate([counts @ [0, 0, 1, 0, 0, 0] / 6 for counts in resamples(6)])  # the one that changed
    assert (found.value, found.first, found.other) == pytest.approx((1 / 6, 3 / 6, 4 / 6))
    assert (found.low, found.high) == pytest.approx(percentiles(gains, 0.9))
    assert found.low == 0  # a third of the resamples have no such example
    assert found.p == pytest.approx(2 * (5 / 6) ** 6, abs=0.05)
    assert found.test == BOOTSTRAP


def test_pairs_are_told_apart_where_single_intervals_overlap():
    first = [1] * 120 + [0] * 80
    other = [1] * 132 + [0] * 68
    mine, theirs = accuracy(first), accuracy(other)
    assert percentiles(mine.resampled, 0.95)[1] > percentiles(theirs.resampled, 0.95)[0]
    assert difference("accuracy", [mine], [theirs], False, 200, 0.95).low > 0


def seeds(*values: float) -> list[Values]:
    return [Values(value, np.full(1000, value)) for value in values]


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
    draw = np.random.default_rng(0)
    drawn = 0.01 + 0.02 * draw.standard_normal(1000)
    reach, p = over_seeds(0.01, (0.0, 2), drawn, 10_000, 0.95)
    assert reach == pytest.approx(1.96 * drawn.std(), rel=0.01)
    assert p == pytest.approx(2 * scipy.stats.norm.sf(0.01 / drawn.std()), rel=0.01)


def test_seeds_and_examples_widen_the_interval_together():
    draw = np.random.default_rng(0)
    drawn = 0.02 * draw.standard_normal(1000)
    alone = [over_seeds(0.0, (0.0004, 4), np.zeros(1000), 999, 0.95)[0], over_seeds(0.0, (0.0, 4), drawn, 999, 0.95)[0]]
    both, p = over_seeds(0.0, (0.0004, 4), drawn, 999, 0.95)
    assert max(alone) < both < sum(alone)
    assert p == 1


def test_where_nothing_varies_nothing_is_found():
    same = seeds(0.8, 0.8)
    found = difference("accuracy", same, same, True, 100, 0.95)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def drawn_runs(draw, hardness, count, right, spread):
    """Trainings on the same examples, that are right as often as said on the average, each a little better or worse."""
    shares = np.clip(right + spread * draw.standard_normal(count), 0.02, 0.98)
    limits = scipy.stats.norm.ppf(shares) * 1.28  # 1 and 0.64 are the variances below
    own = 0.8 * draw.standard_normal((count, len(hardness)))
    return [accuracy_of(row) for row in (hardness + own < limits[:, None])]


(COUNTS,) = resamples(150)


def accuracy_of(right) -> Values:
    return Values(right.mean(), COUNTS @ right / len(right))


def test_intervals_over_seeds_hold_the_true_difference_and_those_over_examples_do_not():
    draw, held, narrow, tries = np.random.default_rng(0), 0, 0, 200
    for _ in range(tries):
        hardness = draw.standard_normal(150)
        first, other = (drawn_runs(draw, hardness, 3, share, 0.04) for share in (0.75, 0.8))
        found = difference("accuracy", first, other, True, 150, 0.9)
        held += found.low <= 0.05 <= found.high
        low, high = percentiles(np.mean([b.resampled - a.resampled for a, b in zip(first, other, strict=True)], 0), 0.9)
        narrow += low <= 0.05 <= high
    assert held / tries > 0.86  # two standard errors of 200 tries are 0.04
    assert narrow < held
    assert narrow / tries < 0.86

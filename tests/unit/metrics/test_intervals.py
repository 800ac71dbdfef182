"""Intervals: of the data and the answers alone, by reference values, and none where nothing is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from hfft.metrics import weighing
from hfft.metrics.intervals import FEWEST, NONE, bca, intervals, jackknife, percentiles, spread, wilson
from hfft.metrics.weighing import (
    GROUPS,
    RESAMPLES,
    Share,
    Weighted,
    adding,
    groups_of,
    repeated,
    resamples,
    without_groups,
)


@pytest.mark.parametrize("count", [1, 7, 20_000])  # of 20 000 examples, not all resamples are held at once
def test_a_resample_draws_as_many_examples_as_there_are(count):
    drawn = list(resamples(count))
    assert sum(len(counts) for counts in drawn) == RESAMPLES
    for counts in drawn:
        assert counts.shape[1] == count
        assert (counts.sum(1) == count).all()


def test_resamples_are_the_same_each_time_and_each_example_is_drawn_as_often():
    first, second = np.concatenate(list(resamples(50))), np.concatenate(list(resamples(50)))
    assert np.array_equal(first, second)
    assert first.mean(0) == pytest.approx(np.ones(50), abs=4 / RESAMPLES**0.5)  # each count has a variance near 1
    assert (first == 0).mean() == pytest.approx((1 - 1 / 50) ** 50, abs=0.01)


@pytest.mark.parametrize(
    ("values", "confidence", "interval"),
    [
        (range(101), 0.9, (5, 95)),
        (range(101), 0.5, (25, 75)),
        ([3.0], 0.95, (3, 3)),
        ([math.nan, *range(101), math.inf], 0.9, (5, 95)),
    ],
)
def test_an_interval_holds_the_middle_of_the_values_that_are_defined(values, confidence, interval):
    assert percentiles(np.array(list(values), dtype=float), confidence) == pytest.approx(interval)


def test_where_no_value_is_defined_there_is_no_interval():
    assert all(math.isnan(end) for end in percentiles(np.array([math.nan, math.nan]), 0.95))


def test_repeating_scores_answers_with_their_own_truths():
    def score(answers, truths):
        assert all(answer == truth * 10 for answer, truth in zip(answers, truths, strict=True))
        if 3 not in truths:
            raise ValueError  # as of a metric that needs both labels
        return {"mean": sum(truths) / len(truths)}

    weights = np.array([[1, 1, 1], [1, 0, 2], [1, 1, 0]]).T  # of the last, no 3
    found = repeated(score, [10, 20, 30], [1, 2, 3]).values(weights)
    assert found["mean"] == pytest.approx([2, 7 / 3, math.nan], nan_ok=True)


@pytest.mark.parametrize("count", [2, GROUPS, 3 * GROUPS + 1])
def test_each_example_is_left_out_once(count):
    left_out = ~np.concatenate(list(without_groups(count)), axis=1)
    assert left_out.shape == (count, min(count, GROUPS))
    assert (left_out.sum(1) == 1).all()
    assert left_out.sum(0).max() - left_out.sum(0).min() <= 1
    assert np.array_equal(left_out.argmax(1), groups_of(count))


def test_values_do_not_depend_on_how_many_columns_are_held_at_once(monkeypatch):
    numbers = np.arange(300.0) ** 2
    weighted = Weighted(300, lambda counts: {"mean": numbers @ counts / counts.sum(0)})
    whole = weighted.over(without_groups(300), ["mean"])["mean"]
    monkeypatch.setattr(weighing, "CELLS", 300 * 7)
    assert weighted.over(without_groups(300), ["mean"])["mean"] == pytest.approx(whole)


@pytest.mark.parametrize(("right", "of"), [(15, 15), (0, 8), (51, 55), (170, 180), (4, 8)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilsons_interval_is_that_of_scipy(right, of, confidence):
    wanted = scipy.stats.binomtest(right, of).proportion_ci(confidence, method="wilson")
    found = wilson(right, of, confidence)
    assert (found.low, found.high, found.method) == (pytest.approx(wanted.low), pytest.approx(wanted.high), "wilson")


@pytest.mark.parametrize("of", [100, 150, 7.5])
def test_wilsons_interval_of_none_or_all_ends_at_the_bound_itself(of):
    assert (wilson(0, of, 0.95).low, wilson(of, of, 0.95).high) == (0.0, 1.0)


@pytest.mark.parametrize(("wrong", "quantile"), [(1, 0.1026), (2, 0.7107), (3, 1.6354)])
def test_wilsons_interval_is_wider_beside_its_bounds(wrong, quantile):
    """The quantiles are those of chi squared with 2, 4 and 6 degrees of freedom at 0.05, from a table."""
    plain = scipy.stats.binomtest(55 - wrong, 55).proportion_ci(0.95, method="wilson")
    found, mirrored = wilson(55 - wrong, 55, 0.95), wilson(wrong, 55, 0.95)
    assert found.low == pytest.approx(plain.low)
    assert found.high == pytest.approx(1 - quantile / 2 / 55, abs=1e-5)
    assert found.high > plain.high
    assert (1 - found.high, 1 - found.low) == pytest.approx((mirrored.low, mirrored.high))


def test_of_one_example_there_is_no_interval_whatever_the_score():
    values = {"share": np.ones(1), "mean": np.full(1, 0.5), "own": np.full(1, 3.0)}
    weighted = Weighted(1, lambda counts: values, {"share": Share(1, 1)}, {"mean": (0, 1)})
    assert intervals(weighted, 0.95) == dict.fromkeys(values, NONE)


def mean(numbers, **bounds) -> Weighted:
    numbers = np.asarray(numbers)
    return Weighted(len(numbers), lambda counts: {"mean": numbers @ counts / counts.sum(0)}, bounds=bounds)


def test_the_spread_of_a_mean_is_the_standard_error():
    numbers = np.random.default_rng(0).normal(size=50)
    error, freedom = spread(mean(numbers).over(without_groups(50), ["mean"])["mean"])
    assert error == pytest.approx(scipy.stats.sem(numbers))
    kurtosis = scipy.stats.kurtosis(numbers, fisher=False)
    assert freedom == pytest.approx(min(49, 2 * 50 / (kurtosis - 1)))


def test_of_groups_the_spread_is_about_that_of_examples():
    numbers = np.random.default_rng(0).exponential(size=1000)
    error, _ = spread(mean(numbers).over(without_groups(1000), ["mean"])["mean"])
    assert error == pytest.approx(scipy.stats.sem(numbers), rel=0.15)  # a variance of 200 groups varies by a tenth


def test_with_one_bound_it_is_students_interval_of_the_logarithm():
    numbers = np.random.default_rng(0).exponential(size=60)
    alone = mean(numbers).over(without_groups(60), ["mean"])["mean"]
    found = jackknife(numbers.mean(), alone, (0, math.inf), 0.9)
    error, freedom = spread(alone)
    reach = scipy.stats.t.ppf(0.95, freedom) * error / numbers.mean()
    assert (found.low, found.high) == pytest.approx(
        (numbers.mean() * math.exp(-reach), numbers.mean() * math.exp(reach))
    )


def test_between_bounds_a_share_has_wilsons_interval_but_for_the_degrees_of_freedom():
    rows = np.array([1.0] * 700 + [0.0] * 300)  # a kurtosis of 1.76: many degrees of freedom
    alone = np.array([(700 - row) / 999 for row in rows])
    found, wanted = jackknife(0.7, alone, (0, 1), 0.95), wilson(700, 1000, 0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=2e-4)
    scaled = jackknife(70, 100 * alone, (0, 100), 0.95)
    assert (scaled.low, scaled.high) == pytest.approx((100 * found.low, 100 * found.high))


@pytest.mark.parametrize("numbers", [[1.0] * 9, [0.5] * 40, [0.5, 0.7] * 14])
def test_where_nothing_is_known_of_the_spread_there_is_no_interval(numbers):
    assert intervals(mean(numbers, mean=(0, 1)), 0.95) == {"mean": NONE}
    assert jackknife(0.5, np.array([0.4, math.nan, 0.6]), (0, 1), 0.95) is NONE  # hangs on the second alone


@pytest.mark.parametrize(("value", "bounds"), [(1.0, (-1, 1)), (0.0, (0, 100)), (100.0, (0, 100))])
def test_at_its_bound_a_score_has_wilsons_interval_of_half_as_many_examples(value, bounds):
    found = intervals(mean([value] * 12, mean=bounds), 0.95)["mean"]
    share = scipy.stats.binomtest(6, 6).proportion_ci(method="wilson").low  # 6 of 6, by hand 6 / (6 + 1.96**2)
    reach = (1 - share) * (bounds[1] - bounds[0])
    ends = (bounds[0], bounds[0] + reach) if value == bounds[0] else (bounds[1] - reach, bounds[1])
    assert (found.low, found.high) == pytest.approx(ends)
    assert intervals(mean([value] * 12, mean=(0, math.inf)), 0.95) == {"mean": NONE}


def test_a_metric_of_ones_own_that_is_a_share_has_wilsons_interval():
    def score(answers, truths):
        right = sum(answer == truth for answer, truth in zip(answers, truths, strict=True))
        return {"exact": right / len(truths), "percent": 100 * right / len(truths)}

    for count in (12, 500):
        found = intervals(repeated(score, [1] * count, [0] + [1] * (count - 1)), 0.95)
        assert found["exact"] == wilson(count - 1, count, 0.95)
        assert found["percent"].method == ("bca" if count >= FEWEST else None)


def test_the_bootstrap_interval_is_that_of_scipy():
    numbers = np.random.default_rng(3).exponential(size=40)
    weighted = mean(numbers)
    drawn = weighted.over((block.T for block in resamples(40)), ["mean"])["mean"]
    found = bca(numbers.mean(), drawn, weighted.over(without_groups(40), ["mean"])["mean"], 0.95)
    wanted = scipy.stats.bootstrap((numbers,), np.mean, n_resamples=9999, rng=np.random.default_rng(0))
    width = wanted.confidence_interval.high - wanted.confidence_interval.low
    assert found.low == pytest.approx(wanted.confidence_interval.low, abs=0.08 * width)
    assert found.high == pytest.approx(wanted.confidence_interval.high, abs=0.08 * width)
    assert intervals(weighted, 0.95) == {"mean": found}


def test_where_most_resamples_have_no_value_there_is_no_interval():
    drawn = np.full(RESAMPLES, math.nan)
    drawn[:300] = np.arange(300)
    assert bca(150, drawn, np.arange(40.0), 0.95) is NONE


def test_adding_sums_the_weights_of_each_group():
    weights = np.array([[1, 10], [2, 20], [3, 30], [4, 40]])
    assert (adding(np.array([2, 0, 2, 0]), 4) @ weights).tolist() == [[6, 60], [0, 0], [4, 40], [0, 0]]

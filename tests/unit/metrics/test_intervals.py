"""Bootstrap intervals: of the data and the answers alone, and right as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hfft.metrics.intervals import (
    RESAMPLES,
    adding,
    bootstrap,
    intervals_of,
    percentiles,
    resamples,
    weighted_resampled,
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


def test_bootstrap_scores_answers_with_their_own_truths():
    seen = []

    def score(answers, truths):
        seen.append(len(answers))
        assert all(answer == truth * 10 for answer, truth in zip(answers, truths, strict=True))
        return {"mean": sum(truths) / len(truths)}

    truths = [0, 1, 1, 0, 1, 0, 1, 1]
    found = bootstrap(score, [truth * 10 for truth in truths], truths)
    means = np.concatenate([counts @ truths / 8 for counts in resamples(8)])
    assert found == {"mean": pytest.approx(means)}
    assert intervals_of(found, 0.9) == {"mean": pytest.approx(percentiles(means, 0.9))}
    assert seen == [8] * RESAMPLES


def test_a_score_that_some_resamples_lack_is_taken_from_the_others():
    def score(answers, truths):
        return {"positives": float(sum(truths))} if any(truths) else {}

    low, high = intervals_of(bootstrap(score, [0, 0, 0], [1, 0, 0]), 0.9)["positives"]
    assert low == 1
    assert high <= 3


def test_a_resample_on_which_a_score_fails_has_no_value_and_where_most_fail_none_has():
    def score(answers, truths):
        if 0 not in truths:  # (2/3)^3 of all resamples
            raise ValueError
        return {"zeros": float(truths.count(0)), "all zero": 1.0} if set(truths) == {0} else {"zeros": 0.0}

    found = bootstrap(score, [0, 1, 2], [0, 1, 2])
    without = np.array([row[0] == 0 for counts in resamples(3) for row in counts])
    assert np.array_equal(np.isnan(found["zeros"]), without)
    assert np.isnan(found["all zero"]).all()  # of 1 in 27


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_intervals_hold_the_truth_about_as_often_as_they_say(share):
    draw, (counts,) = np.random.default_rng(0), resamples(200)
    intervals = [percentiles(counts @ (draw.random(200) < share) / 200, 0.9) for _ in range(500)]
    held = np.mean([low <= share <= high for low, high in intervals])
    assert 0.87 < held < 0.94  # two standard errors of 500 draws are 0.027; so many ties hold a little more


def test_a_weighted_score_has_the_values_that_bootstrap_gives():
    numbers = [3.0, 1.0, 4.0, 1.0, 5.0]

    def weighted(counts):
        return {"mean": numbers @ counts / counts.sum(0), "undefined": np.full(counts.shape[1], np.nan)}

    wanted = bootstrap(lambda _, truths: {"mean": sum(truths) / len(truths)}, numbers, numbers)
    assert weighted_resampled(weighted, len(numbers)) == {"mean": pytest.approx(wanted["mean"], abs=1e-12)}


def test_adding_sums_the_weights_of_each_group():
    weights = np.array([[1, 10], [2, 20], [3, 30], [4, 40]])
    assert (adding(np.array([2, 0, 2, 0]), 4) @ weights).tolist() == [[6, 60], [0, 0], [4, 40], [0, 0]]

"""Scores of numbers: as SciPy and scikit-learn define them, and by hand; their intervals: as plain resampling does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from sklearn import metrics as reference

from hfft.metrics.intervals import intervals
from hfft.metrics.regression import regression_weighted
from hfft.metrics.weighing import repeated
from tests.product import spread
from tests.unit.metrics.middles import middles

NAMES = ["grammar", "cohesion", "syntax"]


def example(count: int, outputs: int, seed: int, levels: int | None = None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Answers and truths that agree somewhat; `levels` a unit rounds them, so that there are ties."""
    draw = np.random.default_rng(seed)
    truths = draw.standard_normal((count, outputs)) * 3 + 1
    answers = truths + draw.standard_normal(truths.shape)
    if levels is not None:
        answers, truths = np.round(answers * levels) / levels, np.round(truths * levels) / levels
    return answers, truths, NAMES[:outputs]


def correlation(of: Any, answer: np.ndarray, truth: np.ndarray) -> float:
    return float(of(answer, truth)[0])


def by_references(answers, truths, names):
    scores = {}
    for index, name in enumerate(names):
        answer, truth = answers[:, index], truths[:, index]
        scores |= {
            f"pearson/{name}": correlation(scipy.stats.pearsonr, answer, truth),
            f"spearman/{name}": correlation(scipy.stats.spearmanr, answer, truth),
            f"mse/{name}": reference.mean_squared_error(truth, answer),
            f"rmse/{name}": reference.root_mean_squared_error(truth, answer),
            f"mae/{name}": reference.mean_absolute_error(truth, answer),
            f"r2/{name}": reference.r2_score(truth, answer),
        }
    if len(names) == 1:
        return {name.split("/")[0]: value for name, value in scores.items()}
    scores |= {
        "mse": reference.mean_squared_error(truths, answers),
        "rmse": reference.root_mean_squared_error(truths, answers),
        "mae": reference.mean_absolute_error(truths, answers),
        "r2": reference.r2_score(truths, answers),
    }
    for measure in ("pearson", "spearman"):
        scores[measure] = np.mean([scores[f"{measure}/{name}"] for name in names])
    return scores


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(("count", "levels"), [(2, None), (5, None), (12, 1), (300, None), (300, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_all_scores_are_those_of_scipy_and_scikit_learn(outputs, count, levels, seed):
    given = example(count, outputs, seed, levels)
    assert regression_weighted(*given).scores == pytest.approx(by_references(*given), abs=1e-12)


def test_scores_by_hand():
    answers, truths = np.array([[1.0], [2], [2], [5]]), np.array([[1.0], [3], [2], [4]])
    assert regression_weighted(answers, truths, ["score"]).scores == pytest.approx(
        {
            "pearson": 6 / (9 * 5) ** 0.5,  # deviations -1.5 -0.5 -0.5 2.5 and -1.5 0.5 -0.5 1.5
            "spearman": 4.5 / (4.5 * 5) ** 0.5,  # ranks 1 2.5 2.5 4 and 1 3 2 4
            "mse": 2 / 4,
            "rmse": 0.5**0.5,
            "mae": 2 / 4,
            "r2": 1 - 2 / 5,
        }
    )


def test_of_several_outputs_the_mean_has_the_plain_name():
    answers, truths, names = example(30, 3, seed=0)
    found = regression_weighted(answers, truths, names).scores
    for measure in ("pearson", "spearman", "mse", "rmse", "mae", "r2"):
        alone = [regression_weighted(answers[:, [n]], truths[:, [n]], ["score"]).scores[measure] for n in range(3)]
        assert [found[f"{measure}/{name}"] for name in names] == pytest.approx(alone)
        assert found[measure] == pytest.approx(np.mean(alone))


@pytest.mark.parametrize(
    ("constant", "left_out"), [("answers", {"pearson", "spearman"}), ("truths", {"pearson", "spearman", "r2"})]
)
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.1])  # the mean of ten times 0.1 is not quite 0.1
def test_what_is_not_defined_where_all_numbers_are_equal_is_left_out(constant, left_out, value):
    answers, truths, names = example(10, 2, seed=0)
    whole = regression_weighted(answers, truths, names).scores
    {"answers": answers, "truths": truths}[constant][:, 1] = value
    found = regression_weighted(answers, truths, names).scores
    assert whole.keys() - found.keys() == left_out | {f"{measure}/{names[1]}" for measure in left_out}


def test_of_one_example_only_the_errors_are_defined():
    assert regression_weighted(np.array([[3.0]]), np.array([[1.0]]), ["score"]).scores == {
        "mse": 4,
        "rmse": 2,
        "mae": 2,
    }


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_where_an_answer_is_not_finite_nothing_is_said(value):
    answers, truths, names = example(10, 1, seed=0)
    answers[3] = value
    assert regression_weighted(answers, truths, names).scores == {}


@pytest.mark.parametrize("offset", [1e6, -1e9])
def test_numbers_far_from_zero_keep_their_digits(offset):
    answers, truths, names = example(500, 1, seed=0)
    # Whole multiples of 2^-20 stand for themselves at any offset here: the scores are those without it.
    answers, truths = np.round(answers * 2**20) / 2**20, np.round(truths * 2**20) / 2**20
    given, shifted = (answers, truths, names), (answers + offset, truths + offset, names)
    assert regression_weighted(*shifted).scores == pytest.approx(regression_weighted(*given).scores, abs=1e-9)
    wanted = middles(regression_weighted(*given), 0.9)
    for name, interval in middles(regression_weighted(*shifted), 0.9).items():
        assert interval == pytest.approx(wanted[name], abs=1e-9), name


def resampled(answers, truths, names):
    """The scores of each resample as a data set of its own."""

    def score(answers, truths):
        return regression_weighted(np.array(answers), np.array(truths), names).scores

    return repeated(score, list(answers), list(truths))


# Of three examples, many resamples hold one alone.
@pytest.mark.parametrize(("shape", "levels"), spread([(60, 1), (40, 2), (3, 2)], [None, 1]))
def test_intervals_are_those_of_scoring_each_resample(shape, levels):
    count, outputs = shape
    given = example(count, outputs, 1, levels)
    found, wanted = (middles(made(*given), 0.95) for made in (regression_weighted, resampled))
    assert found.keys() == wanted.keys() == regression_weighted(*given).scores.keys()
    for name, interval in found.items():
        assert interval == pytest.approx(wanted[name], abs=1e-12), name


def test_intervals_of_correlations_are_those_of_scipy_on_each_resample():
    answers, truths, names = example(40, 1, seed=2, levels=1)

    def score(answers, truths):
        answer, truth = np.ravel(answers), np.ravel(truths)
        return {
            "pearson": correlation(scipy.stats.pearsonr, answer, truth),
            "spearman": correlation(scipy.stats.spearmanr, answer, truth),
            "r2": reference.r2_score(truth, answer),
        }

    found = middles(regression_weighted(answers, truths, names), 0.95)
    for name, interval in middles(repeated(score, list(answers), list(truths)), 0.95).items():
        assert found[name] == pytest.approx(interval, abs=1e-12), name


def test_intervals_hold_their_value_and_grow_with_confidence():
    weighted = regression_weighted(*example(120, 3, seed=4))
    narrow, wide = intervals(weighted, 0.9), intervals(weighted, 0.99)
    for name, value in weighted.scores.items():
        assert wide[name].low < narrow[name].low < value < narrow[name].high < wide[name].high, name
        assert narrow[name].method == "jackknife"
    assert all(wide[name].low > 0 for name in ("mse", "rmse", "mae"))
    assert all(wide[name].high < 1 for name in ("pearson", "spearman", "r2"))

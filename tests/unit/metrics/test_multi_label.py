"""Scores of sets of labels: as scikit-learn defines them, and by hand; their intervals: as plain resampling does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference

from hfft.metrics import weighing
from hfft.metrics.multi_label import best_threshold, multi_label_weighted
from hfft.metrics.weighing import repeated
from tests.product import spread
from tests.unit.metrics.middles import middles

ABC = ["a", "b", "c"]
ZERO: Any = 0  # scikit-learn takes it, its hints do not
Example = tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]


def example(count: int, shares: list[float], seed: int, levels: int | None = None) -> Example:
    """Labels true in `shares` of the examples, two times at least; `levels` rounds probabilities, so that some tie."""
    draw = np.random.default_rng(seed)
    truths = draw.random((count, len(shares))) < shares
    truths[:2], truths[2:4] = True, False
    probabilities = 0.7 * draw.random(truths.shape) + 0.3 * truths * draw.random(truths.shape)
    if levels is not None:
        probabilities = np.round(probabilities * levels) / levels
    return probabilities >= 0.4, truths, probabilities, [f"label {number}" for number in range(len(shares))]


def by_scikit_learn(answers, truths, probabilities, labels):
    scores = {
        "accuracy": reference.accuracy_score(truths, answers),
        "hamming_loss": reference.hamming_loss(truths, answers),
    }
    for average in ("macro", "micro", "weighted", "samples"):
        values = reference.precision_recall_fscore_support(truths, answers, average=average, zero_division=ZERO)
        end = "" if average == "macro" else f"_{average}"
        scores |= dict(zip((f"precision{end}", f"recall{end}", f"f1{end}"), map(float, values[:3]), strict=True))
    by_label = reference.precision_recall_fscore_support(truths, answers, zero_division=ZERO)
    for name, values in zip(("precision", "recall", "f1"), by_label[:3], strict=True):
        scores |= {f"{name}/{label}": value for label, value in zip(labels, np.asarray(values), strict=True)}
    if probabilities is not None:
        scores["roc_auc"] = float(reference.roc_auc_score(truths, probabilities))
        scores["average_precision"] = float(reference.average_precision_score(truths, probabilities))
    return scores


@pytest.mark.parametrize("shares", [[0.5, 0.1], [0.01] * 6, [0.9, 0.5, 0.2, 0.0, 0.02]])
@pytest.mark.parametrize("levels", [None, 4])
@pytest.mark.parametrize("seed", range(3))
def test_all_scores_are_those_of_scikit_learn(shares, levels, seed):
    given = example(200, shares, seed, levels)
    assert multi_label_weighted(*given).scores == pytest.approx(by_scikit_learn(*given), abs=1e-12)


@pytest.mark.parametrize(("answered", "true"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_label_that_is_always_or_never_there_counts_as_scikit_learn_has_it(answered, true):
    answers, truths, _, labels = example(60, [0.3, 0.5, 0.1], seed=0)
    answers[:, 2], truths[:, 2] = answered, true
    found = multi_label_weighted(answers, truths, None, labels).scores
    assert found == pytest.approx(by_scikit_learn(answers, truths, None, labels), abs=1e-12)


@pytest.mark.parametrize("answered", [0, 1])
def test_where_nothing_is_true_all_is_zero(answered):
    answers, truths = np.full((4, 3), answered, dtype=bool), np.zeros((4, 3), dtype=bool)
    found = multi_label_weighted(answers, truths, np.full((4, 3), 0.5), ABC).scores
    assert found == pytest.approx(by_scikit_learn(answers, truths, None, ABC), abs=1e-12)
    assert {found[name] for name in found if name.startswith(("f1", "recall", "precision"))} == {0}


def test_scores_by_hand():
    answers = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]], dtype=bool)
    truths = np.array([[1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 0]], dtype=bool)
    wanted = {
        "accuracy": 2 / 4,
        "hamming_loss": 2 / 12,
        "precision": (1 + 1 / 2 + 0) / 3,
        "recall": (1 + 1 + 0) / 3,
        "f1": (1 + 2 / 3 + 0) / 3,
        "f1_micro": 2 * 3 / (4 + 4),
        "f1_weighted": (2 * 1 + 1 * 2 / 3 + 1 * 0) / 4,
        "f1_samples": (2 / 3 + 2 / 3 + 0 + 1) / 4,  # the empty set in the third counts as 0
        "precision_samples": (1 / 2 + 1 + 0 + 1) / 4,
        "recall_samples": (1 + 1 / 2 + 0 + 1) / 4,
        "f1/a": 1,
        "f1/b": 2 / 3,
        "f1/c": 0,
    }
    found = multi_label_weighted(answers, truths, None, ABC).scores
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("scores", "precision"),
    [
        ([0.1, 0.4, 0.35, 0.8], 5 / 6),  # the example in scikit-learn's documentation
        ([0.4, 0.3, 0.2, 0.1], (1 / 3 + 2 / 4) / 2),
        ([0.5, 0.5, 0.5, 0.5], 1 / 2),
        ([0.2, 0.5, 0.5, 0.9], (1 + 2 / 3) / 2),
    ],
)
def test_average_precision_by_hand(scores, precision):
    truths, probabilities = np.array([[False], [False], [True], [True]]), np.array(scores)[:, None]
    found = multi_label_weighted(probabilities >= 0.5, truths, probabilities, ["a"]).scores
    assert found["average_precision"] == pytest.approx(precision)


@pytest.mark.parametrize(("true", "left_out"), [(False, {"roc_auc", "average_precision"}), (True, {"roc_auc"})])
def test_ranking_scores_are_left_out_where_a_label_gives_none(true, left_out):
    answers, truths, probabilities, labels = example(60, [0.3, 0.5], seed=0)
    whole = multi_label_weighted(answers, truths, probabilities, labels).scores
    truths[:, 1] = true
    found = multi_label_weighted(answers, truths, probabilities, labels).scores
    assert whole.keys() - found.keys() == left_out


def resampled(answers, truths, probabilities, labels):
    """The scores of each resample as a data set of its own; labels with one kind of truth are not ranked."""

    def score(drawn, truths):
        answers, probabilities = (np.array(rows) for rows in zip(*drawn, strict=True))
        truths = np.array(truths)
        scores = multi_label_weighted(answers, truths, None, labels).scores
        both = np.any(truths, axis=0) & ~np.all(truths, axis=0)
        some = [label for label, kept in zip(labels, both.tolist(), strict=True) if kept]
        rankings = multi_label_weighted(answers[:, both], truths[:, both], probabilities[:, both], some).scores
        return scores | {name: rankings[name] for name in ("roc_auc", "average_precision") if name in rankings}

    return repeated(score, list(zip(answers, probabilities, strict=True)), list(truths))


@pytest.mark.parametrize(("shares", "levels"), spread([[0.5, 0.2], [0.3, 0.0, 0.02]], [None, 4]))
def test_intervals_are_those_of_scoring_each_resample(shares, levels):
    given = example(70, shares, 1, levels)
    found, wanted = (middles(made(*given), 0.95) for made in (multi_label_weighted, resampled))
    assert found.keys() == wanted.keys() == multi_label_weighted(*given).scores.keys()
    for name, interval in found.items():
        assert interval == pytest.approx(wanted[name], abs=1e-12), name


def on_resamples(*given):
    weighted = multi_label_weighted(*given)
    return weighted.over((block.T for block in weighing.resamples(weighted.examples)), weighted.scores)


def test_resampled_values_do_not_depend_on_how_many_resamples_are_held_at_once(monkeypatch):
    given = example(70, [0.3, 0.0, 0.02], seed=1)
    found = on_resamples(*given)
    monkeypatch.setattr(weighing, "CELLS", 70 * 13)
    for name, values in on_resamples(*given).items():
        assert values == pytest.approx(found[name], abs=1e-12, nan_ok=True), name


def macro_f1(threshold, probabilities, truths):
    answers = probabilities >= threshold
    pairs = zip(truths.T, answers.T, strict=True)
    return float(np.mean([reference.f1_score(truth, answer, zero_division=ZERO) for truth, answer in pairs]))


@pytest.mark.parametrize(
    ("shares", "levels", "kind"), spread([[0.5], [0.3, 0.05, 0.1], [0.01] * 5], [None, 10], [np.float64, np.float32])
)
def test_no_threshold_is_better_than_the_best(shares, levels, kind):
    _, truths, probabilities, _ = example(30, shares, 3, levels)
    probabilities = probabilities.astype(kind)
    best = best_threshold(probabilities, truths)
    found = macro_f1(best, probabilities, truths)
    distinct = np.unique(np.append(probabilities, [0, 1]))
    cuts = (distinct[1:].astype(float) + distinct[:-1]) / 2
    wanted = [macro_f1(cut, probabilities, truths) for cut in cuts]
    assert 0 < best < 1
    assert found == pytest.approx(max(wanted), abs=1e-12)
    as_good = cuts[np.array(wanted) > max(wanted) - 1e-9]
    assert abs(best - 0.5) == pytest.approx(min(abs(as_good - 0.5)), abs=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "truths", "threshold"),
    [
        ([0.1, 0.2, 0.6, 0.9], [0, 0, 1, 1], 0.4),
        ([0.1, 0.2, 0.6, 0.9], [1, 1, 1, 1], 0.05),
        ([0.1, 0.2, 0.6, 0.9], [0, 0, 0, 1], 0.75),
        ([0.2, 0.3, 0.3, 0.4], [0, 0, 1, 1], 0.25),  # 4/5 below the tie, 2/3 above
        ([0.1, 0.2, 0.6, 0.9], [0, 0, 0, 0], 0.5),
        ([0.0, 0.0, 0.7, 0.9], [1, 1, 0, 0], 0.5),  # nothing is right at any threshold
        ([1.0, 1.0, 1.0, 1.0], [0, 1, 1, 1], 0.5),
        ([0.0, 0.0, 1.0, 1.0], [0, 0, 1, 1], 0.5),
    ],
)
def test_thresholds_by_hand(probabilities, truths, threshold):
    found = best_threshold(np.array(probabilities)[:, None], np.array(truths, dtype=bool)[:, None])
    assert found == pytest.approx(threshold)


def test_of_thresholds_as_good_the_one_nearest_to_a_half_is_taken():
    # 2/3 with the highest alone, and with all four.
    probabilities, truths = np.array([[0.9], [0.4], [0.3], [0.1]]), np.array([[True], [False], [False], [True]])
    assert best_threshold(probabilities, truths) == pytest.approx(0.65)
    assert best_threshold(1 - probabilities[::-1], truths) == pytest.approx(0.8)


def test_a_threshold_lies_between_neighbouring_numbers_or_on_the_upper_one():
    for low in map(np.float32, (0.25, 0.3, 0.7)):
        high = np.nextafter(low, np.float32(1))
        found = best_threshold(np.array([[low], [high]]), np.array([[False], [True]]))
        assert low < np.float32(found) <= high

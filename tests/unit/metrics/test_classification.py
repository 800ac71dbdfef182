"""Scores of labels: as scikit-learn defines them, and by hand; their intervals: as plain resampling gives them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.stats
from sklearn import metrics as reference

from hfft.metrics.classification import classification_weighted
from hfft.metrics.intervals import intervals, wilson
from hfft.metrics.weighing import repeated
from tests.product import spread
from tests.unit.metrics.middles import middles

ABC = ["a", "b", "c"]
ZERO: Any = 0  # scikit-learn takes it, its hints do not


def example(
    count: int, labels: list[str], seed: int, levels: int | None = None
) -> tuple[list[str], list[str], np.ndarray]:
    """Answers, truths and probabilities that agree with them; `levels` rounds these, so that there are ties."""
    draw = np.random.default_rng(seed)
    truths = draw.integers(len(labels), size=count)
    probabilities = draw.dirichlet(np.ones(len(labels)), size=count)
    probabilities[np.arange(count), truths] += 0.6 * draw.random(count)
    if levels is not None:
        probabilities = np.floor(probabilities * levels) + 1
    probabilities /= probabilities.sum(1, keepdims=True)
    if levels is not None:
        probabilities = probabilities.round(6)
    answers = probabilities.argmax(1)
    return [labels[n] for n in answers], [labels[n] for n in truths], probabilities


def by_scikit_learn(answers, truths, probabilities, labels):
    scores = {
        "accuracy": reference.accuracy_score(truths, answers),
        "mcc": reference.matthews_corrcoef(truths, answers),
    }
    for average in ("macro", "micro", "weighted"):
        values = reference.precision_recall_fscore_support(truths, answers, average=average, zero_division=ZERO)
        end = "" if average == "macro" else f"_{average}"
        scores |= dict(zip((f"precision{end}", f"recall{end}", f"f1{end}"), map(float, values[:3]), strict=True))
    occurring = sorted({*answers, *truths}, key=list(labels).index)
    by_label = reference.precision_recall_fscore_support(truths, answers, labels=occurring, zero_division=ZERO)
    for name, values in zip(("precision", "recall", "f1"), by_label[:3], strict=True):
        scores |= {f"{name}/{label}": value for label, value in zip(occurring, np.asarray(values), strict=True)}
    if probabilities is not None:
        numbers = [list(labels).index(truth) for truth in truths]
        areas = [
            reference.roc_auc_score(np.equal(numbers, label), probabilities[:, label])
            for label in ([1] if len(labels) == 2 else range(len(labels)))
        ]
        scores["roc_auc"] = float(np.mean(areas))
        if len(labels) > 5:
            scores["top5_accuracy"] = reference.top_k_accuracy_score(numbers, probabilities, k=5)
    return scores


@pytest.mark.parametrize("labels", [["no", "yes"], ABC, list("edcba"), list("abcdefgh")])
@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize("seed", range(3))
def test_all_scores_are_those_of_scikit_learn(labels, levels, seed):
    given = (*example(200, labels, seed, levels=levels), labels)
    assert classification_weighted(*given).scores == pytest.approx(by_scikit_learn(*given), abs=1e-12)


@pytest.mark.parametrize(
    ("answers", "truths"),
    [
        ("aab", "aab"),  # c occurs nowhere
        ("aaa", "aab"),  # b is never answered
        ("abc", "aab"),  # c is never true
        ("bbb", "aaa"),
        ("a", "b"),
    ],
)
def test_labels_that_are_absent_are_treated_as_scikit_learn_does(answers, truths):
    found = classification_weighted(list(answers), list(truths), None, ABC).scores
    assert found == pytest.approx(by_scikit_learn(list(answers), list(truths), None, ABC), abs=1e-12)


def test_where_there_is_one_label_only_nothing_is_correlated():
    found = classification_weighted(["a", "a"], ["a", "a"], None, ABC).scores
    assert (found["accuracy"], found["f1"], found["mcc"]) == (1, 1, 0)
    assert [name for name in found if "/" in name] == ["precision/a", "recall/a", "f1/a"]


def test_scores_by_hand():
    found = classification_weighted(list("abbbcc"), list("aabbbc"), None, ABC).scores
    right, answered, true = {"a": 1, "b": 2, "c": 1}, {"a": 1, "b": 3, "c": 2}, {"a": 2, "b": 3, "c": 1}
    for label in ABC:
        assert found[f"precision/{label}"] == pytest.approx(right[label] / answered[label])
        assert found[f"recall/{label}"] == pytest.approx(right[label] / true[label])
        assert found[f"f1/{label}"] == pytest.approx(2 / 3)
    wanted = {
        "accuracy": 4 / 6,
        "precision": (1 + 2 / 3 + 1 / 2) / 3,
        "recall": (1 / 2 + 2 / 3 + 1) / 3,
        "recall_weighted": 4 / 6,
        "f1": 2 / 3,
        "f1_micro": 4 / 6,
        "mcc": (4 * 6 - 13) / 22,  # sums of squares: answered 14, true 14, products 13
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("scores", "area"),
    [
        ([0.1, 0.4, 0.35, 0.8], 3 / 4),  # the example in scikit-learn's documentation
        ([0.1, 0.2, 0.3, 0.4], 1),
        ([0.4, 0.3, 0.2, 0.1], 0),
        ([0.5, 0.5, 0.5, 0.5], 1 / 2),
        ([0.2, 0.5, 0.5, 0.9], 7 / 8),
        ([0.5, 0.5, 0.5, 0.9], 3 / 4),
    ],
)
def test_roc_auc_counts_a_tie_as_a_half(scores, area):
    probabilities = np.stack([1 - np.array(scores), scores], axis=1)
    answers = ["yes" if score > 0.5 else "no" for score in scores]
    found = classification_weighted(answers, ["no", "no", "yes", "yes"], probabilities, ["no", "yes"]).scores
    assert found["roc_auc"] == pytest.approx(area)


@pytest.mark.parametrize(("truths", "labels"), [("aa", ["a", "b"]), ("ab", ABC)])
def test_roc_auc_is_left_out_where_a_label_has_no_example(truths, labels):
    probabilities = np.full((2, len(labels)), 1 / len(labels))
    found = classification_weighted(["a", "a"], list(truths), probabilities, labels).scores
    assert "roc_auc" not in found
    assert "accuracy" in found
    assert "roc_auc" not in classification_weighted(["a", "a"], ["a", "b"], None, labels).scores


def resampled(answers, truths, probabilities, labels):
    """The scores of each resample as a data set of its own."""

    def score(drawn, truths):
        answers, rows = zip(*drawn, strict=True)
        return classification_weighted(answers, truths, np.array(rows), labels).scores

    return repeated(score, list(zip(answers, probabilities, strict=True)), truths)


@pytest.mark.parametrize(("labels", "levels"), spread([["no", "yes"], ABC], [None, 3]))
def test_intervals_are_those_of_scoring_each_resample(labels, levels):
    given = (*example(70, labels, seed=1, levels=levels), labels)
    found, wanted = (middles(made(*given), 0.95) for made in (classification_weighted, resampled))
    assert found.keys() == wanted.keys() == classification_weighted(*given).scores.keys()
    for name, interval in found.items():
        assert interval == pytest.approx(wanted[name], abs=1e-12), name


def test_intervals_are_those_of_scoring_each_resample_where_a_label_is_rare():
    answers, truths, probabilities = list("abb" * 8 + "c"), list("aab" * 8 + "c"), np.full((25, 3), 1 / 3)
    given = answers, truths, probabilities, ABC
    found, wanted = (middles(made(*given), 0.95) for made in (classification_weighted, resampled))
    for name in ("f1/c", "recall/c", "f1", "precision", "recall"):
        assert found[name] == pytest.approx(wanted[name], abs=1e-12), name


def test_in_resamples_without_some_label_roc_auc_is_that_of_the_others():
    labels = list("abcdefgh")
    answers, truths, probabilities = example(40, labels, seed=3, levels=6)

    def area(scores, which):
        winners, losers = scores[which][:, None], scores[~which]
        return np.mean((winners > losers) + (winners == losers) / 2)

    def score(rows, truths):
        by_label = zip(labels, np.transpose(rows), strict=True)
        areas = [area(scores, np.equal(truths, label)) for label, scores in by_label if label in truths]
        return {"all": float(len(areas) == len(labels)), "roc_auc": float(np.mean(areas))}

    wanted = middles(repeated(score, list(probabilities), truths), 0.9)
    found = middles(classification_weighted(answers, truths, probabilities, labels), 0.9)
    assert wanted["all"] == (0, 1)
    assert found["roc_auc"] == pytest.approx(wanted["roc_auc"], abs=1e-12)


def test_intervals_hold_their_value_repeat_and_grow_with_confidence():
    weighted = classification_weighted(*example(120, ABC, seed=4), ABC)
    np.random.seed(1)
    first = intervals(weighted, 0.95)
    np.random.seed(2)
    assert intervals(weighted, 0.95) == first
    wider = intervals(weighted, 0.99)
    for name, value in weighted.scores.items():
        assert wider[name].low < first[name].low < value < first[name].high < wider[name].high, name


@pytest.mark.parametrize(("right", "of"), [(15, 15), (11, 15), (0, 8), (96, 100), (300, 400)])
def test_shares_of_the_examples_have_wilsons_interval(right, of):
    answers, truths = ["a"] * of + ["b"] * 9, ["a"] * right + ["b"] * (of - right + 9)
    found = intervals(classification_weighted(answers, truths, None, ["a", "b"]), 0.95)
    for name, k, n in [("accuracy", right + 9, of + 9), ("precision/a", right, of), ("recall/b", 9, 9 + of - right)]:
        wanted = scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
        assert (found[name].low, found[name].high) == pytest.approx((wanted.low, wanted.high)), name
    assert found["accuracy"] == found["f1_micro"]
    among = scipy.stats.binomtest(right, of).proportion_ci(method="wilson")  # all of "a" was answered "a"
    assert found["f1/a"].high == pytest.approx(2 * among.high / (1 + among.high))


def test_of_six_labels_the_five_likeliest_are_a_share_too():
    labels, truths = list("abcdef"), list("abcdef") * 5
    found = intervals(classification_weighted(truths, truths, np.eye(6)[[*range(6)] * 5], labels), 0.95)
    assert found["top5_accuracy"] == wilson(30, 30, 0.95)


def test_where_a_label_stands_once_it_has_no_interval():
    truths = list("ab" * 20 + "c")
    found = intervals(classification_weighted(truths, truths, None, ABC), 0.95)
    assert {name for name, interval in found.items() if interval.method is None} == {"f1/c", "recall/c", "precision/c"}


@pytest.mark.parametrize("count", [2, 3, 7, 1000])
def test_no_score_lies_above_its_bound(count):
    answers = [str(number % 7) for number in range(count)]
    labels = sorted(set(answers))
    found = classification_weighted(answers, answers, None, labels).scores
    assert max(found.values()) <= 1
    assert found["mcc"] == 1


def test_any_metric_goes_through_repeating_the_same_way():
    answers, truths, _ = example(50, ["no", "yes"], seed=2)
    weigh = partial(classification_weighted, probabilities=None, labels=["no", "yes"])
    plain, weighted = repeated(lambda *drawn: weigh(*drawn).scores, answers, truths), weigh(answers, truths)
    assert middles(plain, 0.9)["f1"] == pytest.approx(middles(weighted, 0.9)["f1"], abs=1e-12)

"""Scores of entities: as seqeval defines them; their intervals: as plain resampling gives them."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest
from seqeval import metrics as reference

from hfft.metrics.entities import entity_weighted
from hfft.metrics.weighing import repeated
from hfft.tasks.token_classification.schemes import entities_of
from tests.unit.metrics.middles import middles

ZERO: Any = 0  # seqeval takes it, its hints do not
BIO = ["O", "O", "B-a", "I-a", "B-b", "I-b", "I-c"]


def example(count: int, names: list[str], seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Tags at random, valid or not, and truths that often agree with them; some documents are empty."""
    draw = random.Random(seed)
    truths = [[draw.choice(names) for _ in range(draw.randint(0, 9))] for _ in range(count)]
    answers = [[tag if draw.random() < 0.8 else draw.choice(names) for tag in tags] for tags in truths]
    return answers, truths


def given(answers, truths):
    words = [
        (sum(a == b for a, b in zip(*tags, strict=True)), len(tags[0])) for tags in zip(answers, truths, strict=True)
    ]
    return [entities_of(tags) for tags in answers], [entities_of(tags) for tags in truths], np.array(words)


def by_seqeval(answers, truths):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = {"precision": "precision_score", "recall": "recall_score", "f1": "f1_score"}
        scores = {
            name: float(getattr(reference, function)(truths, answers, zero_division=0))
            for name, function in names.items()
        }
        report: Any = reference.classification_report(truths, answers, output_dict=True, zero_division=ZERO)
        scores["accuracy"] = float(reference.accuracy_score(truths, answers))
    scores["f1_macro"] = float(report.pop("macro avg")["f1-score"])
    for kind, row in report.items():
        if not kind.endswith(" avg"):
            for name, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
                scores[f"{name}/{kind}"] = float(row[theirs])
    return scores


@pytest.mark.parametrize("names", [BIO, ["O", "I-a", "I-b"]])
@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_seqeval(names, seed):
    answers, truths = example(40, names, seed)
    assert entity_weighted(*given(answers, truths)).scores == pytest.approx(by_seqeval(answers, truths), abs=1e-12)


def test_intervals_are_those_of_resampling_documents():
    answers, truths = example(30, BIO, 1)
    wanted = middles(repeated(lambda a, t: entity_weighted(*given(a, t)).scores, answers, truths), 0.9)
    found = middles(entity_weighted(*given(answers, truths)), 0.9)
    assert found.keys() == wanted.keys()
    for name, ends in wanted.items():
        assert found[name] == pytest.approx(ends, abs=1e-12), name


def test_nothing_found_and_nothing_there_counts_as_zero():
    scores = entity_weighted(*given([["O"], []], [["O"], []])).scores
    assert scores == {"precision": 0, "recall": 0, "f1": 0, "f1_macro": 0, "accuracy": 1}


def test_an_entity_of_another_type_or_end_is_wrong():
    scores = entity_weighted(*given([["B-a", "I-a", "B-b"]], [["B-a", "O", "B-a"]])).scores
    assert (scores["f1"], scores["accuracy"]) == (0, pytest.approx(1 / 3))

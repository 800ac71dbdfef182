"""Calibration: hand-worked bins, and the formula of Guo et al. written out, example by example."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hfft.reports.calibration import bins_of, calibration


def test_the_error_is_the_mean_gap_of_the_bins():
    # 0.95 is alone in bin 15 and wrong: gap 0.95. 0.7 and 0.72 share bin 11 with one right: gap 0.5 - 0.71.
    found = calibration(np.array([0.95, 0.7, 0.72]), np.array([False, True, False]), "a score", 0.95)
    assert found["ece"]["value"] == pytest.approx((1 * 0.95 + 2 * 0.21) / 3)
    assert found["bins"] == [
        {"low": 10 / 15, "high": 11 / 15, "confidence": pytest.approx(0.71), "accuracy": 0.5, "examples": 2},
        {"low": 14 / 15, "high": 1.0, "confidence": pytest.approx(0.95), "accuracy": 0.0, "examples": 1},
    ]
    assert found["kind"] == "a score"


def test_bins_are_open_below_and_closed_above():
    assert bins_of(np.array([0.0, 1e-9, 1 / 15, np.nextafter(1 / 15, 1), 14 / 15, 1.0])).tolist() == [
        0,
        0,
        0,
        1,
        13,
        14,
    ]


def test_the_error_is_that_of_the_paper_on_random_scores():
    draw = np.random.default_rng(3)
    scores, right = draw.random(400), draw.random(400) < 0.6
    expected = 0.0
    for number in range(15):
        inside = [i for i, score in enumerate(scores) if number / 15 < score <= (number + 1) / 15]
        if inside:
            accuracy = sum(right[i] for i in inside) / len(inside)
            confidence = sum(scores[i] for i in inside) / len(inside)
            expected += len(inside) / 400 * abs(accuracy - confidence)
    assert calibration(scores, right, "", 0.95)["ece"]["value"] == pytest.approx(expected)


def test_the_interval_holds_the_value_and_a_model_without_fault_may_have_no_error():
    draw = np.random.default_rng(0)
    scores = draw.random(500)
    entry = calibration(scores, draw.random(500) < scores, "", 0.95)["ece"]
    assert entry["low"] <= entry["value"] <= entry["high"]
    assert entry["low"] < 0.01
    sure = calibration(np.full(500, 0.9), np.zeros(500, dtype=bool), "", 0.95, selected=True)["ece"]
    assert sure == {
        "value": pytest.approx(0.9),
        "low": pytest.approx(0.9),
        "high": pytest.approx(0.9),
        "selected": True,
    }


def test_items_of_one_example_are_resampled_together():
    """Forty examples of 10 equal items each know as little as forty examples."""
    draw = np.random.default_rng(1)
    right = draw.random(40) < 0.5
    alone = calibration(np.full(40, 0.9), right, "", 0.95)["ece"]
    together = calibration(np.full(400, 0.9), np.repeat(right, 10), "", 0.95, np.repeat(np.arange(40), 10))["ece"]
    assert together["value"] == pytest.approx(alone["value"])
    assert (together["low"], together["high"]) == (pytest.approx(alone["low"]), pytest.approx(alone["high"]))
    assert together["high"] - together["low"] > 0.25
    single = calibration(np.full(400, 0.9), np.repeat(right, 10), "", 0.95)["ece"]
    assert single["high"] - single["low"] < 0.11


def test_examples_without_items_do_no_harm():
    items = np.full(30, 0.8), np.arange(30) % 4 > 0, "", 0.95
    entry = calibration(*items, 2 * np.arange(30))["ece"]
    assert all(math.isfinite(entry[name]) for name in ("value", "low", "high"))


def test_of_few_examples_the_error_has_no_interval():
    entry = calibration(np.full(9, 0.8), np.arange(9) % 4 > 0, "", 0.95)["ece"]
    assert (entry["low"], entry["high"]) == (None, None)

"""Curves: thinning, smoothing and the rate of each block, against values worked by hand and a real optimizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hfft.io.run_files import read_events
from hfft.reports.curves import block_names, curves, phases_of, rate_lines, smoothed, thinned, window
from hfft.training.optim import Ahead, make_schedule

RESULTS = {"best_step": 2, "steps": 4}


def parameter(stack: str, block: int, lr: float, from_step: int = 1, trainable: bool = True) -> dict[str, Any]:
    return {"stack": stack, "block": block, "lr": lr, "from_step": from_step, "trainable": trainable}


def test_the_smoothed_line_is_a_centred_mean():
    assert smoothed(np.array([0.0, 3, 6, 0, 3]), 3).tolist() == [0, 3, 3, 3, 3]
    assert smoothed(np.array([5.0, 1]), 1).tolist() == [5, 1]
    assert [window(count) for count in (4, 40, 100, 1000)] == [1, 3, 5, 51]


def test_many_points_are_thinned_by_means_of_neighbours():
    made = thinned({"step": np.arange(1.0, 8), "value": np.array([1.0, 3, 5, 7, 9, 11, 100])}, most=3)
    assert made == {"step": [2, 5, 7], "value": [3, 9, 100]}
    assert thinned({"step": np.arange(1.0, 4)}, most=3) == {"step": [1, 2, 3]}


def test_a_run_has_its_curves_and_says_what_is_not_drawn():
    events = [
        {"step": 1, "event": "train", "loss": 2.0, "lr": 0.1, "gradient_norm": 1.5},
        {"step": 2, "event": "train", "loss": None, "lr": 0.1, "gradient_norm": 1.0},
        {"step": 2, "epoch": 1.0, "event": "eval", "accuracy": 0.5, "f1": 0.4, "f1_micro": 0.5, "examples": 9},
        {"step": 3, "event": "skip", "lr": 0.05},
        {"step": 4, "event": "train", "loss": 1.0, "lr": 0.05, "gradient_norm": 0.5},
        {"step": 4, "event": "phase", "parameters": 12},
    ]
    found = curves(events, [parameter("head", 0, 0.1)], RESULTS)
    assert found == {
        "best_step": 2,
        "loss": {"step": [1, 4], "value": [2, 1]},  # too few for a smoothed line
        "gradient_norm": {"step": [1, 2, 4], "value": [1.5, 1, 0.5]},
        "lr": [{"name": "head", "step": [1, 2, 3, 4], "value": [0.1, 0.1, 0.05, 0.05]}],
        "scores": {"accuracy": {"step": [2], "value": [0.5]}, "f1": {"step": [2], "value": [0.4]}},
        "skips": [3],
        "notes": ["Not drawn: steps whose loss is not finite, 1 of 3."],
    }


def test_long_runs_have_a_thousand_points():
    events = [{"step": s, "event": "train", "loss": 1.0 / s, "lr": s * 1e-6} for s in range(1, 3001)]
    found = curves(events, [parameter("head", 0, 3e-3)], {"best_step": 3000, "steps": 3000})
    assert len(found["loss"]["step"]) == len(found["loss"]["smooth"]) == 1000
    assert found["loss"]["step"][:2] == [2, 5]
    assert found["loss"]["value"][0] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3, rel=1e-5)
    assert found["notes"] == [
        "The smooth line of the loss is the mean of 151 steps around each.",
        "Each point of the loss is the mean of 3 steps.",
    ]
    (line,) = found["lr"]
    assert len(line["step"]) <= 260
    assert (line["step"][-1], line["value"][-1]) == (3000, 3e-3)


def test_each_line_of_rates_is_what_the_optimizer_had():
    """A schedule in two parts, as of a probe: what metrics.jsonl has of it gives back the rates of all groups."""
    rows = [parameter("stem", 0, 1e-4, 5), parameter("encoder", 1, 2e-4, 5), parameter("head", 0, 1e-3)]
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in rows]
    optimizer = torch.optim.SGD([{"params": [w], "lr": row["lr"]} for w, row in zip(weights, rows, strict=True)])
    schedule = make_schedule("linear", optimizer, 0.1, 20, Ahead(4, 10.0))
    events, rates = [], []
    for step in range(1, 21):
        rates.append([group["lr"] for group in optimizer.param_groups])
        learning = [lr for lr, row in zip(rates[-1], rows, strict=True) if row["from_step"] <= step]
        events.append({"step": step, "event": "train", "lr": max(learning)})
        optimizer.step()
        schedule.step()
    lines, count = rate_lines(events, rows)
    assert (count, [line["name"] for line in lines]) == (3, ["stem", "encoder 1", "head"])
    for number, line in enumerate(lines):
        first = rows[number]["from_step"]
        assert line["step"] == list(range(first, 21))
        assert line["value"] == pytest.approx([each[number] for each in rates[first - 1 :]], rel=1e-5)


def test_blocks_of_one_rate_share_a_line_and_parts_of_a_block_are_told_apart():
    rows = [*(parameter("encoder", depth, 1e-4) for depth in (1, 2, 2)), parameter("encoder", 2, 2e-4)]
    rows += [parameter("head", 0, 1e-4), parameter("stem", 0, 0.0, 0, trainable=False)]
    lines, _ = rate_lines([{"step": 1, "event": "train", "lr": 1e-4}], rows)
    assert [(line["name"], line["value"]) for line in lines] == [
        ("encoder 1 to 2, head, those at 0.0001", [5e-5]),
        ("encoder 2, those at 0.0002", [1e-4]),
    ]
    lines, count = rate_lines(
        [{"step": 1, "event": "train", "lr": 24e-4}],
        [parameter("encoder", depth, depth * 1e-4) for depth in range(1, 25)],
    )
    assert (len(lines), count) == (8, 24)
    assert (lines[0]["name"], lines[-1]["name"]) == ("encoder 1", "encoder 24")


def test_phases_name_what_joins():
    rows = [parameter("stem", 0, 1, 9), parameter("encoder", 1, 1, 5), parameter("encoder", 2, 1, 5)]
    rows.append(parameter("head", 0, 1))
    assert phases_of(rows, 8) == [{"step": 1, "label": "head alone"}, {"step": 5, "label": "joined by encoder 1 to 2"}]
    assert phases_of([parameter("head", 0, 1)], 8) == []
    assert block_names([parameter("decoder", 2, 1), parameter("decoder", 1, 1)]) == "decoder 1 to 2"


def test_half_a_row_ends_the_events(tmp_path: Path):
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"step": 1, "event": "skip"}) + '\n{"step": 2, "ev')
    assert read_events(tmp_path / "metrics.jsonl") == ([{"step": 1, "event": "skip"}], [])
    assert read_events(tmp_path / "none.jsonl") == ([], [])

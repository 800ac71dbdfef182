"""Schedules: the learning rate of each step, by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from hfft.training.optim import SCHEDULES, Ahead, make_schedule, move_to, warmup_steps


def optimizer():
    peaks = (0.1, 0.02)
    return torch.optim.SGD([{"params": [nn.Parameter(torch.ones(1))], "lr": peak} for peak in peaks])


def rates(name, warmup, steps):
    """The learning rates of the first group in each step, and behind the last."""
    made = optimizer()
    schedule = make_schedule(name, made, warmup, steps)
    found = []
    for _ in range(steps + 1):
        found.append(made.param_groups[0]["lr"])
        assert made.param_groups[1]["lr"] == pytest.approx(found[-1] / 5)  # groups keep their proportion
        made.step()
        schedule.step()
    return found


UP = [0.05, 0.1]  # two steps of warm-up to a peak of 0.1: no step is wasted on a rate of 0


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("linear", [*UP, 0.08, 0.06, 0.04, 0.02, 0]),
        ("cosine", [*UP, *(0.05 * (1 + math.cos(math.pi * step / 5)) for step in range(1, 6))]),
        ("constant", [*UP, 0.1, 0.1, 0.1, 0.1, 0.1]),
    ],
)
@pytest.mark.parametrize("warmup", [2, 0.33, 1 / 3])
def test_the_rate_goes_up_and_then_as_the_name_says(name, wanted, warmup):
    assert rates(name, warmup, 6) == pytest.approx(wanted)


def slant(height):
    """The rate at a share of the way from the lowest to the peak."""
    return 0.1 * (1 + 31 * height) / 32


@pytest.mark.parametrize(
    ("warmup", "heights"),
    [(2, [1 / 2, 1, 3 / 4, 1 / 2, 1 / 4, 0, 0]), (0, [1, 4 / 5, 3 / 5, 2 / 5, 1 / 5, 0, 0])],
)
def test_a_slanted_triangle_rises_to_its_peak_and_falls_to_a_thirty_second_of_it(warmup, heights):
    assert rates("slanted_triangular", warmup, 6) == pytest.approx([slant(height) for height in heights])


@pytest.mark.parametrize("name", ["linear", "cosine", "constant"])
def test_a_part_ahead_has_a_schedule_of_its_own(name):
    whole, parts = optimizer(), [rates(name, 0.5, 4), rates(name, 0.5, 6)]
    schedule = make_schedule(name, whole, 0.5, 10, Ahead(4, 5.0))
    found = []
    for _ in range(10):
        found.append(whole.param_groups[0]["lr"])
        whole.step()
        schedule.step()
    assert found == pytest.approx([*(5 * rate for rate in parts[0][:4]), *parts[1][:6]])


@pytest.mark.parametrize("name", SCHEDULES)
def test_without_warm_up_the_first_step_has_the_peak(name):
    assert rates(name, 0, 4)[0] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("warmup", "steps", "wanted"),
    [
        (0, 100, 0),
        (0.06, 100, 6),
        (0.06, 101, 7),
        (0.001, 100, 1),
        (1, 100, 1),
        (500, 2000, 500),
        (0.29, 100, 29),
        (0.07, 100, 7),
    ],
)
def test_warm_up_is_a_share_of_the_steps_or_so_many(warmup, steps, wanted):
    assert warmup_steps(warmup, steps) == wanted


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("step", [0, 1, 2, 5])
def test_a_schedule_can_be_moved_to_where_stepping_would_have_brought_it(name, step):
    stepped, moved = optimizer(), optimizer()
    walked, jumped = make_schedule(name, stepped, 2, 6), make_schedule(name, moved, 2, 6)
    for _ in range(step):
        stepped.step()
        walked.step()
    move_to(jumped, step)
    for _ in range(2):
        assert [group["lr"] for group in moved.param_groups] == [group["lr"] for group in stepped.param_groups]
        for made, schedule in ((stepped, walked), (moved, jumped)):
            made.step()
            schedule.step()

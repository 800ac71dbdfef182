"""When something is due: every so many steps or every share of an epoch, and always at the very end."""

from __future__ import annotations

from fractions import Fraction

import pytest

from hfft.training.callbacks.cadence import Cadence


@pytest.mark.parametrize(
    ("every", "steps_per_epoch", "total_steps", "due"),
    [
        (None, 4, 10, [4, 8, 10]),
        (None, 4, 3, [3]),
        (3, 4, 10, [3, 6, 9, 10]),
        (1, 4, 3, [1, 2, 3]),
        (100, 4, 10, [10]),
        (0.5, 4, 8, [2, 4, 6, 8]),
        (0.5, 5, 10, [3, 5, 8, 10]),
        (0.25, 6, 12, [2, 3, 5, 6, 8, 9, 11, 12]),
        (0.1, 2, 4, [1, 2, 3, 4]),  # a share below one step: each step
    ],
)
def test_steps_that_are_due(every, steps_per_epoch, total_steps, due):
    cadence = Cadence(every, steps_per_epoch, total_steps)
    assert [step for step in range(1, total_steps + 1) if cadence.due(step)] == due


def due_exactly(every, steps_per_epoch, steps):
    """The first step at or behind each multiple of the share."""
    period = Fraction(every) * steps_per_epoch
    return [step for step in range(1, steps + 1) if step // period > (step - 1) // period]


@pytest.mark.parametrize("every", ["0.5", "0.25", "0.125"])
@pytest.mark.parametrize("steps_per_epoch", [1, 6, 7, 100])
def test_shares_are_due_at_their_multiples(every, steps_per_epoch):
    cadence, steps = Cadence(float(every), steps_per_epoch, 10**9), 10 * steps_per_epoch
    found = [step for step in range(1, steps + 1) if cadence.due(step)]
    assert found == due_exactly(every, steps_per_epoch, steps)


@pytest.mark.parametrize(("every", "steps_per_epoch"), [("0.2", 6), ("0.1", 12)])
def test_shares_that_are_no_binary_fractions_are_due_at_their_multiples(every, steps_per_epoch):
    test_shares_are_due_at_their_multiples(every, steps_per_epoch)

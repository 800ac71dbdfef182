"""Two runs whose answers are exchanged: how their scores would differ, were it chance which run gave which answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hfft.metrics.weighing import CELLS, SEED
from hfft.scoring import Scored

SWAPS = 1024  # ways to exchange answers: all there are of ten examples that differ, of more so many drawn ones
SAME = 1e-9  # beside a score


def swapped(first: Scored, other: Scored, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Scores of the other run less those of the first, `(ways,)`, with the answers to some examples exchanged.

    The answers as they are come first. A score that cannot be computed of answers of both is left out, such as one of
    probabilities where the runs know the labels in different orders.

    Args:
        first: The first run's answers.
        other: Those of the other run to the same examples.
        names: Of the scores.
    """
    count = len(first.ids)
    both = Scored(
        first.task, [*first.ids] * 2, [*first.answers, *other.answers], [*first.truths] * 2, extra=first.extra
    )
    pairs = zip(first.answers, other.answers, strict=True)
    differing = np.array([row for row, (mine, theirs) in enumerate(pairs) if mine != theirs], dtype=int)
    try:
        parts = both.weighted
        found: dict[str, np.ndarray] = {}
        for part in parts:
            sides = [part.over(_weights(count, differing, side), names) for side in (0, 1)]
            for name in names:
                mine, theirs = (side[name] for side in sides)
                if _is(mine[0], first.scores[name]) and _is(theirs[0], other.scores[name]):
                    found[name] = theirs - mine
    except (LookupError, TypeError, AttributeError, ValueError, AssertionError):
        return {}
    return found


def ways(count: int) -> np.ndarray:
    """Ways to exchange the answers to `count` examples: booleans, `(count, ways)`; the first exchanges none."""
    if 2**count <= SWAPS:
        return (np.arange(2**count) >> np.arange(count)[:, None]) % 2 == 1
    drawn = np.random.default_rng(SEED).integers(2, size=(count, SWAPS), dtype=np.int8) == 1
    drawn[:, 0] = False
    return drawn


def _weights(count: int, differing: np.ndarray, side: int) -> Iterator[np.ndarray]:
    """Weights of the first run's answers and then of the other's, `(2 count, ways)`, as one side has them.

    Args:
        count: How many examples there are.
        differing: The numbers of those whose answers differ.
        side: 0 for the first run, 1 for the other.
    """
    exchanged = ways(len(differing))
    columns = max(1, CELLS // max(2 * count, 1))
    for start in range(0, exchanged.shape[1], columns):
        some = exchanged[:, start : start + columns]
        from_other = np.full((count, some.shape[1]), side == 1)
        from_other[differing] ^= some
        yield np.concatenate([~from_other, from_other])


def _is(found: float, told: float) -> bool:
    return bool(abs(found - told) <= SAME * max(1.0, abs(told)))

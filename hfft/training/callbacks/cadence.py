"""When something is due: every so many steps, every share of an epoch, or at the end of each epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Cadence:
    """Attributes:
    every: Whole steps; below 1 a share of an epoch; None for each epoch.
    steps_per_epoch: Steps in an epoch.
    total_steps: The last step is always due.
    """

    every: float | None
    steps_per_epoch: int
    total_steps: int

    def due(self, step: int) -> bool:
        """Whether something is due after `step`, counted from 1.

        >>> [step for step in range(1, 11) if Cadence(0.5, 5, 10).due(step)]
        [3, 5, 8, 10]
        """
        return step == self.total_steps or self._periods(step) > self._periods(step - 1)

    def left(self, step: int) -> int:
        """How often something is due after a later step than `step`.

        >>> [Cadence(0.5, 5, 9).left(step) for step in (0, 3, 8, 9)]
        [4, 3, 1, 0]
        """
        if step >= self.total_steps:
            return 0
        before_last = self.total_steps - 1
        return min(self._periods(before_last) - self._periods(step), before_last - step) + 1

    def _periods(self, step: int) -> int:
        every = Fraction(str(self.every)) if self.every is not None else Fraction(1)  # 0.1 of 10 is 1, not a bit more
        period = every if self.every is not None and every >= 1 else every * self.steps_per_epoch
        return math.floor(step / period)

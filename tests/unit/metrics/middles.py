"""What holds the middle of a score's values on resamples, to compare weighted scores with those of whole data sets."""

from __future__ import annotations

from hfft.metrics.intervals import percentiles
from hfft.metrics.weighing import Weighted, resamples


def middles(weighted: Weighted, confidence: float) -> dict[str, tuple[float, float]]:
    draws = (block.T for block in resamples(weighted.examples))
    return {name: percentiles(values, confidence) for name, values in weighted.over(draws, weighted.scores).items()}

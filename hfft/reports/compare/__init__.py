"""Compares finished runs on the same examples, from their folders alone."""

from hfft.reports.compare.comparison import compare
from hfft.reports.compare.show import Comparison

__all__ = ["Comparison", "compare"]

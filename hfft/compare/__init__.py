"""Compares finished runs on the same examples, from their folders alone."""

from hfft.compare.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]

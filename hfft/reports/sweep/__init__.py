"""The page of a sweep, made of what `sweep.json` tells."""

from hfft.reports.sweep.show import page

__all__ = ["page"]

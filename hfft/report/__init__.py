"""The report of a finished run: what is read from its folder (`facts`), and the page made of it (`page`)."""

from hfft.report.facts import collect, write_own_report, write_report
from hfft.report.pictures import Pictures

__all__ = ["Pictures", "collect", "write_own_report", "write_report"]

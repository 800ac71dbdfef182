"""The report of a finished run: what is read from its folder (`facts`), and the page made of it (`page`)."""

from hfft.reports.facts import Pictures, collect, write_own_report, write_report

__all__ = ["Pictures", "collect", "write_own_report", "write_report"]

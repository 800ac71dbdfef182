"""Callbacks of a run: callables `(run, report) -> None`, called in their order after each step."""

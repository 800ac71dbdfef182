"""Company of the loop: callables `(run, report) -> None`, called after each step in the order of `run.hooks`."""

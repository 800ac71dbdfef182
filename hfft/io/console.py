"""What people see: lines, tables and one progress line, on standard output, from the main process only."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import rich.console
from rich.cells import cell_len
from rich.measure import Measurement
from rich.table import Table

from hfft.errors import visible


def quiet_libraries() -> None:
    """Turns off the progress bars of datasets and transformers: a run has one of its own."""
    import datasets  # which a report does without
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()


WIDEST = 10_000  # columns of a terminal

NAMES = 24  # columns of a terminal that the names of a table's rows keep, however narrow it is


class Console:
    """Prints, unless it is quiet.

    Args:
        quiet: Print nothing: another process speaks, or nobody wants to read.
        verbose: Print details too.
    """

    def __init__(self, quiet: bool = False, verbose: bool = False):
        self.verbose = verbose and not quiet
        width = None if os.environ.get("COLUMNS") or rich.console.Console().is_terminal else 120
        how: dict[str, Any] = {"quiet": quiet, "highlight": False, "width": width, "soft_wrap": width is None}
        self.rich = rich.console.Console(force_jupyter=False, **how)  # a notebook would have a box for each line

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches, rather than a file."""
        return self.rich.is_terminal and not self.rich.quiet

    def say(self, text: str = "") -> None:
        """Prints a line as it is, what cannot be seen written out: no markup, no wrapping."""
        self.rich.print(visible(text), markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Prints a warning; where the screen is quiet, on standard error. The main process alone calls it."""
        if self.rich.quiet:
            sys.stderr.write(f"warning: {visible(text)}\n")
        else:
            self.say(f"warning: {text}")

    def detail(self, text: str = "") -> None:
        """Prints a line, as `say`, where details are wanted."""
        if self.verbose:
            self.say(text)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Prints a table; the first column reads from the left, the others from the right.

        Where the columns have no room beside each other, the values of a row stand below its name, each with its own.
        """
        table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        names = max((len(row[0]) for row in rows), default=0)
        table.add_column(columns[0], overflow="fold", min_width=min(names, NAMES))
        for number, column in enumerate(columns[1:], start=1):
            widest = max(cell_len(visible(text)) for text in (column, *(row[number] for row in rows)))
            table.add_column(column, justify="right", no_wrap=True, min_width=widest)
        for row in rows:
            table.add_row(*map(visible, row))
        boundless = self.rich.options.update(max_width=WIDEST)
        if Measurement.get(self.rich, boundless, table).minimum <= self.rich.width:
            self.rich.print(table)
            return
        self.say(title)
        for name, *values in rows:
            self.say(f"  {name}")
            for column, value in zip(columns[1:], values, strict=True):
                if value:
                    self.say(f"    {column}: {value}" if column else f"    {value}")

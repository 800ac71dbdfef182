"""How far something is that may take long, and the time left: on standard error, for people alone.

A terminal and a notebook have a bar, which goes when the work is done; elsewhere there is a line now and then. Work
of a moment shows nothing.
"""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import rich.console
from rich.progress import BarColumn, Progress, TextColumn

BEGINNING = 1.0  # seconds before which nothing is shown

BETWEEN = 30.0  # seconds from one line to the next, where nobody watches

REFRESH = 0.1  # seconds from one look of a bar to the next

Tell = Callable[[int, int], None]

_wanted: ContextVar[bool] = ContextVar("wanted", default=False)


@contextmanager
def progress_shown(wanted: bool) -> Iterator[None]:
    """Whether `progress` shows anything while inside: not where all is quiet, nor in any but the main process."""
    before = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(before)


@contextmanager
def progress(what: str, unit: str = "rows") -> Iterator[Tell]:
    """Shows how far something is while inside.

    Args:
        what: Such as "Answering".
        unit: Of what is counted.

    Returns:
        To be called with how much is done, and how much there is.
    """
    shown = _Shown(what, unit)
    try:
        yield shown if _wanted.get() else lambda done, total: None
    finally:
        shown.end()


def is_notebook() -> bool:
    """Whether a notebook shows what this process says."""
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class NotebookBar:
    """A bar of a notebook, of HTML alone: rich's own needs ipywidgets."""

    def __init__(self) -> None:
        self.handle: Any = None
        self.shown_at = 0.0

    def show(self, done: int, total: int, text: str) -> None:
        """Moves the bar, a few times a second at most."""
        from IPython.display import HTML, display  # every notebook has it

        now = time.monotonic()
        if done < total and now - self.shown_at < REFRESH:
            return
        self.shown_at = now
        drawn = HTML(f'<progress value="{done}" max="{total}"></progress> <code>{html.escape(text)}</code>')
        if self.handle is None:
            self.handle = display(drawn, display_id=True)
        else:
            self.handle.update(drawn)

    def remove(self) -> None:
        """Takes the bar away."""
        from IPython.display import HTML

        if self.handle is not None:
            self.handle.update(HTML(""))


class _Shown:
    """One piece of work, from its beginning."""

    def __init__(self, what: str, unit: str):
        self.what, self.unit = what, unit
        self.began = self.said = time.monotonic()
        self.screen = rich.console.Console(stderr=True)
        self.bar: Progress | NotebookBar | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self.began < BEGINNING or not done or done >= total:
            return
        left = f"{timedelta(seconds=round((now - self.began) / done * (total - done)))} left"
        text = f"{self.what}: {done:,} of {total:,} {self.unit}, {left}"
        if is_notebook():
            self.bar = self.bar or NotebookBar()
            assert isinstance(self.bar, NotebookBar)
            self.bar.show(done, total, text)
        elif self.screen.is_terminal:
            self._move(done, total, text, now)
        elif now - self.said >= BETWEEN:
            self.screen.print(text, markup=False, highlight=False, soft_wrap=True)
            self.said = now

    def end(self) -> None:
        """Takes the bar away."""
        if isinstance(self.bar, NotebookBar):
            self.bar.remove()
        elif self.bar is not None:
            self.bar.stop()

    def _move(self, done: int, total: int, text: str, now: float) -> None:
        if self.bar is None:
            # No thread that refreshes it, for loaders may fork; what goes to standard output stays there.
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                console=self.screen,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
            )
            self.bar.add_task(text, completed=done, total=total)
            self.bar.start()
            self.said = 0.0
        assert isinstance(self.bar, Progress)
        if now - self.said >= REFRESH:
            self.bar.update(self.bar.task_ids[0], completed=done, description=text, refresh=True)
            self.said = now

"""Where a run stands, on the screen: one line that moves where a person watches, else a line once in a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from rich.progress import BarColumn, Progress, TextColumn

from hfft.screen import Screen

LINES = 50  # of progress in a run, where it goes to a file
PATIENCE = 600  # seconds after which there is a line in any case
SCORING_PATIENCE = 60  # the same while a split is scored
BAR = 24  # columns of a terminal


class ProgressLine:
    """Shows where a run stands.

    Args:
        screen: Where to. On a terminal the line is as wide as that has room for.
    """

    def __init__(self, screen: Screen):
        self.screen = screen
        self.bar: Progress | None = None
        self.next_line, self.said_at = 0, time.monotonic()
        self.shown: tuple[int, int, Sequence[tuple[str, int]]] = 0, 0, []

    def show(self, step: int, total: int, facts: Sequence[tuple[str, int]]) -> None:
        """Moves the line, or, where nobody watches, prints one: about fifty in a run, or all if verbose.

        Args:
            step: The steps made.
            total: All steps.
            facts: What there is to say, and how dear it is: where there is no room the cheapest goes first.
        """
        self.shown = step, total, facts
        if self.screen.is_terminal:
            self._move(step, total, facts)
            return
        now = time.monotonic()
        if self.screen.verbose or step == total or step >= self.next_line or now - self.said_at > PATIENCE:
            self.screen.say(f"step {step}/{total}  {_joined(facts)}")
            self.next_line, self.said_at = step + total // LINES, now

    def scoring(self, split: str) -> Callable[[int, int], None]:
        """Gives what shows how far the scoring of a split is: call it with the batches answered, and all of them.

        A terminal has it in the place of what is said of steps; elsewhere there is a line each minute.
        """
        began = said = time.monotonic()

        def tell(done: int, batches: int) -> None:
            nonlocal said
            now, (step, total, facts) = time.monotonic(), self.shown
            left = [(f"{timedelta(seconds=round((now - began) / done * (batches - done)))} left", 2)] if done else []
            told = [(f"scoring {split}: {done} of {batches} batches", 3), *left]
            if self.screen.is_terminal:
                self._move(step, total, told if done < batches else facts)
            elif now - said > SCORING_PATIENCE and done < batches:
                self.screen.say(f"step {step}/{total}  {_joined(told)}")
                said = now

        return tell

    def end(self) -> None:
        """Ends the line; the next `show` begins another."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _move(self, step: int, total: int, facts: Sequence[tuple[str, int]]) -> None:
        room = self.screen.console.width - len(f"step {total}/{total} ")
        while len(_joined(facts)) >= room and len(facts) > 1:
            cheapest = min(facts, key=lambda fact: fact[1])
            facts = [fact for fact in facts if fact is not cheapest]
        text = _joined(facts)
        if self.bar is None:
            with_bar = [BarColumn(bar_width=BAR)] if len(text) + BAR + 8 < room else []  # the text may grow a little
            columns = (TextColumn("step {task.completed}/{task.total}"), *with_bar, TextColumn("{task.description}"))
            self.bar = Progress(*columns, console=self.screen.console)
            self.bar.add_task("", total=total)
            self.bar.start()
        self.bar.update(self.bar.task_ids[0], completed=step, description=text)


def _joined(facts: Sequence[tuple[str, int]]) -> str:
    return "  ".join(text for text, _ in facts)

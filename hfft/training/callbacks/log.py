"""metrics.jsonl, the progress line, and trackers."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path, PurePath
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.tracking import filter_trackers
from rich.progress import BarColumn, Progress, TextColumn

from hfft.errors import SetupError
from hfft.io.console import Console
from hfft.io.progress import NotebookBar, is_notebook
from hfft.io.run_folder import left_out, write_text, writing
from hfft.training.callbacks.divergence import note_steps
from hfft.training.loop import Run, StepReport, over_processes
from hfft.training.processes import on_main

WINDOW = 20  # looks over which the speed is measured


class Log:
    """Writes a row for each step, and shows where the run stands, every `every` steps.

    Args:
        path: metrics.jsonl; None writes nothing (in processes that are not the main one).
        every: Steps between two writes.
        console: Where to show progress.
        track: Gets every row too.
    """

    def __init__(self, path: Path | None, every: int, console: Console, track: Track | None = None):
        self.path, self.every, self.console, self.track = path, every, console, track
        self.pending: list[StepReport] = []
        self.last_loss = math.nan
        self.line = ProgressLine(console)
        self.marks: deque[tuple[int, int, float]] = deque(maxlen=WINDOW)  # step, samples and seconds of the last looks
        self.seconds_ahead: Callable[[Run], float | None] = lambda run: 0.0  # that the evaluations to come will take

    def __call__(self, run: Run, report: StepReport) -> None:
        """Takes note of a step."""
        self.pending.append(report)
        if not self.marks:
            self.marks.append(_mark(run))
        if report.step % self.every == 0 or report.step == run.total_steps:
            self.flush(run)

    def flush(self, run: Run) -> None:
        """Writes the rows of all steps since the last time.

        Raises:
            TrainingError: As `hfft.training.callbacks.divergence.note_steps`.
        """
        if not self.pending:
            return
        losses = torch.stack([report.loss for report in self.pending])
        stayed = torch.stack([report.moved for report in self.pending]) == 0
        losses, stayed = over_processes(torch.stack([losses, stayed.to(losses.dtype)]), run.accelerator).unbind()
        norms = torch.stack([report.gradient_norm for report in self.pending]).tolist()
        moved = (stayed == 0).tolist()
        rows = [
            self._row(run, report, loss, norm) if did_move else self._skip(run, report)
            for report, loss, norm, did_move in zip(self.pending, losses.tolist(), norms, moved, strict=True)
        ]
        on_main(run.accelerator, lambda: self._write(rows))
        finite = [row["loss"] for row in rows if row.get("loss") is not None]
        self.last_loss = sum(finite) / len(finite) if finite else math.nan
        self._show(run, self.pending[-1], norms[-1])
        first = self.pending[0].step
        self.pending = []
        note_steps(run.progress, first, moved)

    def event(self, run: Run, event: str, values: dict[str, Any]) -> None:
        """Writes a row of its own, behind those of the steps so far. All processes call it."""
        self.flush(run)
        on_main(run.accelerator, lambda: self.event_of_main(run, event, values))

    def event_of_main(self, run: Run, event: str, values: dict[str, Any]) -> None:
        """The same for what concerns the main process alone, which calls it. No step is waiting for its row."""
        self._write([{**_place(run, run.progress.step), "event": event, **values}])

    def go_back(self, step: int, evaluated_step: int) -> list[str]:
        """Drops the rows behind `step`, and evaluations behind `evaluated_step`: a resumed run writes them again.

        Half a row at the end is dropped too.

        Returns:
            A warning where other rows were damaged, which are dropped as well.
        """
        if self.path is None or not self.path.exists():
            return []
        kept, broken = [], []
        for number, line in enumerate(self.path.read_bytes().splitlines(keepends=True), start=1):
            try:
                row = json.loads(line)
                wanted = row["step"] <= (evaluated_step if row["event"] == "eval" else step)
            except (ValueError, KeyError, TypeError):
                broken += [number] if line.endswith(b"\n") else []
                continue
            if wanted:
                kept.append(line.decode("utf-8").rstrip("\n"))
        write_text(self.path, "".join(f"{line}\n" for line in kept))
        return [left_out(self.path, broken)] if broken else []

    def end_progress(self) -> None:
        """Ends the progress line."""
        self.line.end()

    def close(self) -> None:
        """Ends the progress line and the trackers."""
        self.end_progress()
        if self.track is not None:
            self.track.close()

    def _row(self, run: Run, report: StepReport, loss: float, norm: float) -> dict[str, Any]:
        # A loss may be infinite while its gradient is not. JSON has no infinity.
        values = {"loss": loss if math.isfinite(loss) else None, "lr": report.lr, "gradient_norm": norm}
        return {**_place(run, report.step), "event": "train", **values}

    def _skip(self, run: Run, report: StepReport) -> dict[str, Any]:
        """The row of a step that was skipped: it has no loss worth the name."""
        self.console.say(f"step {report.step}: the gradient is not finite; the step is skipped")
        return {**_place(run, report.step), "event": "skip", "lr": report.lr}

    def _write(self, rows: list[dict[str, Any]]) -> None:
        if self.track is not None:
            for row in rows:
                self.track(row)
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with writing(self.path), open(self.path, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)

    def _show(self, run: Run, report: StepReport, norm: float) -> None:
        """Shows loss and speed since the last looks, the padding of the whole run, and the time to go."""
        progress, (step, samples, seconds) = run.progress, self.marks[0]
        if step == progress.step:  # nothing is known yet but of a part of the run before, or of its first step
            step, samples, seconds = 0, 0, 0.0
        took, ahead = max(progress.seconds - seconds, 1e-9), self.seconds_ahead(run)
        left = (run.total_steps - progress.step) * took / (progress.step - step) + (ahead or 0.0)
        self.marks.append(_mark(run))
        facts = [
            (f"loss {self.last_loss:.4f}", 5),
            (f"lr {report.lr:.2e}", 2),
            *([(f"gradient {norm:.3g}", 0)] if self.console.verbose else []),
            (f"{(progress.samples - samples) / took:.0f} samples/s", 3),
            *([(f"{1 - progress.tokens / progress.cells:.1%} padding", 1)] if progress.cells else []),
            (f"{timedelta(seconds=round(left))} left{', then scoring' if ahead is None else ''}", 4),
        ]
        self.line.show(progress.step, run.total_steps, facts)


def _mark(run: Run) -> tuple[int, int, float]:
    return run.progress.step, run.progress.samples, run.progress.seconds


def _place(run: Run, step: int) -> dict[str, Any]:
    return {"step": step, **({"epoch": round(step / run.steps_per_epoch, 4)} if run.counts_epochs else {})}


LINES = 50  # of progress in a run, where it goes to a file

PATIENCE = 600  # seconds after which there is a line in any case

SCORING_PATIENCE = 60  # the same while a split is scored

BAR = 24  # columns of a terminal


class ProgressLine:
    """Shows where a run stands.

    Args:
        console: Where to. On a terminal the line is as wide as that has room for; a notebook has a bar.
    """

    def __init__(self, console: Console):
        self.console = console
        self.bar: Progress | NotebookBar | None = None
        self.is_live = console.is_terminal or (is_notebook() and not console.rich.quiet)
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
        if self.is_live:
            self._move(step, total, facts)
            return
        now = time.monotonic()
        if self.console.verbose or step == total or step >= self.next_line or now - self.said_at > PATIENCE:
            self.console.say(f"step {step}/{total}  {_joined(facts)}")
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
            if self.is_live:
                self._move(step, total, told if done < batches else facts)
            elif now - said > SCORING_PATIENCE and done < batches:
                self.console.say(f"step {step}/{total}  {_joined(told)}")
                said = now

        return tell

    def end(self) -> None:
        """Ends the line; the next `show` begins another."""
        if isinstance(self.bar, Progress):
            self.bar.stop()
        elif self.bar is not None:
            self.bar.remove()
        self.bar = None

    def _move(self, step: int, total: int, facts: Sequence[tuple[str, int]]) -> None:
        if is_notebook():
            self.bar = self.bar or NotebookBar()
        if isinstance(self.bar, NotebookBar):
            self.bar.show(step, total, f"step {step}/{total}  {_joined(facts)}")
            return
        room = self.console.rich.width - len(f"step {total}/{total} ")
        while len(_joined(facts)) >= room and len(facts) > 1:
            cheapest = min(facts, key=lambda fact: fact[1])
            facts = [fact for fact in facts if fact is not cheapest]
        text = _joined(facts)
        if self.bar is None:
            with_bar = [BarColumn(bar_width=BAR)] if len(text) + BAR + 8 < room else []  # the text may grow a little
            columns = (TextColumn("step {task.completed}/{task.total}"), *with_bar, TextColumn("{task.description}"))
            self.bar = Progress(*columns, console=self.console.rich)
            self.bar.add_task("", total=total)
            self.bar.start()
        self.bar.update(self.bar.task_ids[0], completed=step, description=text)


def _joined(facts: Sequence[tuple[str, int]]) -> str:
    return "  ".join(text for text, _ in facts)


PLACE = ("step", "epoch", "event")  # where a row belongs; its other entries are values


class Track:
    """Passes rows on as they are written.

    Args:
        accelerator: Holds the trackers, and lets the main process alone speak to them.
        names: Trackers by the names Accelerate gives them.
        project: Under which name they file the run.
        folder: `track` of the run folder, for trackers that write files. The run is called as its run folder is.
        settings: The recipe, flat, logged once. Of a path of this machine only the last part is.

    Raises:
        SetupError: A tracker does not start: it knows no account, or its server is out of reach.
    """

    def __init__(
        self, accelerator: Accelerator, names: Sequence[str], project: str, folder: Path, settings: Mapping[str, Any]
    ):
        self.accelerator = accelerator
        accelerator.project_configuration.logging_dir = str(folder)
        accelerator.log_with = filter_trackers(list(names), str(folder))
        run = folder.absolute().parent.name
        more = {"wandb": {"name": run, "dir": str(folder)}, "trackio": {"name": run}, "mlflow": {"run_name": run}}
        if accelerator.is_main_process:
            folder.mkdir(parents=True, exist_ok=True)  # wandb goes elsewhere where there is none
        try:
            accelerator.init_trackers(project, {key: _plain(value) for key, value in settings.items()}, more)
        except Exception as error:
            reason = f"{type(error).__name__}: {str(error).rstrip('.')}"
            raise SetupError(
                f"track.to is {list(names)}, and one does not start: {reason}. Log in, see to its server, or leave it "
                "out; wandb does without with WANDB_MODE=offline."
            ) from error

    def __call__(self, row: Mapping[str, Any]) -> None:
        """Sends a row: each value under its event and name, such as `train/loss`."""
        values = {
            f"{row['event']}/{key}": value for key, value in row.items() if key not in PLACE and value is not None
        }
        self.accelerator.log(values, step=row["step"])

    def close(self) -> None:
        """Ends the trackers. The processes live on, which Accelerate's own `end_training` would not leave them."""
        for tracker in self.accelerator.trackers:
            tracker.finish()
        self.accelerator.trackers = []


def _plain(value: Any) -> int | float | str:
    value = [_without_place(item) for item in value] if isinstance(value, list) else _without_place(value)
    return value if isinstance(value, (int, float, str)) else str(value)


def _without_place(value: Any) -> Any:
    """An absolute path names its user and means nothing elsewhere: its last part stands for it."""
    return PurePath(value).name or value if isinstance(value, str) and PurePath(value).is_absolute() else value

"""metrics.jsonl and the progress line. Every step has its row; the device is asked for numbers once in a while."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from hfft.folder import left_out, write_text, writing
from hfft.hooks.divergence import note_steps
from hfft.hooks.progress_line import ProgressLine
from hfft.hooks.track import Track
from hfft.loop import Run, StepReport, over_processes
from hfft.screen import Screen
from hfft.waiting import on_main

WINDOW = 20  # looks over which the speed is measured


class Log:
    """Writes a row for each step, and shows where the run stands, every `every` steps.

    Args:
        path: metrics.jsonl; None writes nothing (in processes that are not the main one).
        every: Steps between two writes.
        screen: Where to show progress.
        track: Gets every row too.
    """

    def __init__(self, path: Path | None, every: int, screen: Screen, track: Track | None = None):
        self.path, self.every, self.screen, self.track = path, every, screen, track
        self.pending: list[StepReport] = []
        self.last_loss = math.nan
        self.line = ProgressLine(screen)
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
            TrainingError: As `hfft.hooks.divergence.note_steps`.
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
        """The row of a step that was called off: it has no loss worth the name."""
        self.screen.say(f"step {report.step}: the gradient is not finite; the step is skipped")
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
            *([(f"gradient {norm:.3g}", 0)] if self.screen.verbose else []),
            (f"{(progress.samples - samples) / took:.0f} samples/s", 3),
            *([(f"{1 - progress.tokens / progress.cells:.1%} padding", 1)] if progress.cells else []),
            (f"{timedelta(seconds=round(left))} left{', then scoring' if ahead is None else ''}", 4),
        ]
        self.line.show(progress.step, run.total_steps, facts)


def _mark(run: Run) -> tuple[int, int, float]:
    return run.progress.step, run.progress.samples, run.progress.seconds


def _place(run: Run, step: int) -> dict[str, Any]:
    return {"step": step, **({"epoch": round(step / run.steps_per_epoch, 4)} if run.counts_epochs else {})}

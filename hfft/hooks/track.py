"""Sends what metrics.jsonl holds to experiment trackers, through Accelerate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import filter_trackers

PLACE = ("step", "epoch", "event")  # where a row belongs; its other entries are values


class Track:
    """Passes rows on as they are written.

    Args:
        accelerator: Holds the trackers, and lets the main process alone speak to them.
        names: Trackers by the names Accelerate gives them.
        project: Under which name they file the run.
        folder: For trackers that write files.
        settings: The recipe, flat, logged once.
    """

    def __init__(
        self, accelerator: Accelerator, names: Sequence[str], project: str, folder: Path, settings: Mapping[str, Any]
    ):
        self.accelerator = accelerator
        accelerator.project_configuration.logging_dir = str(folder)
        accelerator.log_with = filter_trackers(list(names), str(folder))
        plain = {key: value if isinstance(value, (int, float, str)) else str(value) for key, value in settings.items()}
        accelerator.init_trackers(project, config=plain)

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

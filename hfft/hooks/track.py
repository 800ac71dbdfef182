"""Sends what metrics.jsonl holds to experiment trackers, through Accelerate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import filter_trackers

from hfft.errors import SetupError

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

"""How the laws run a recipe, and the strategies they run it with."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

import hfft
from hfft.tasks import TASKS
from tests.tiny import VARIANTS

STRATEGIES: dict[str, list[str]] = {
    "full": [],
    "freeze": ["tune.freeze.blocks=1"],
    "head": ["tune.freeze.blocks=all", "optim.lr=1e-2"],
    "decay": ["tune.layer_decay=0.7", "tune.head_scale=2"],
    "lora": ["tune.adapter={rank: 4, alpha: 8, dropout: 0.1}", "optim.lr=1e-2"],
    "freeze+decay": ["tune.freeze.blocks=1", "tune.layer_decay=0.7"],
    "freeze+lora": ["tune.freeze.blocks=1", "tune.adapter={targets: all-linear}"],
    "decay+lora": ["tune.layer_decay=0.7", "tune.adapter={rank: 4}", "optim.lr=1e-2"],
    "ema": ["train.ema=0.9"],
    "freeze+lora+ema": ["tune.freeze.blocks=1", "tune.adapter={rank: 4}", "optim.lr=1e-2", "train.ema=0.9"],
    "freeze+decay+lora": ["tune.freeze.blocks=1", "tune.layer_decay=0.7", "tune.adapter={rank: 4}"],
}
CASES = [
    *((task, strategy) for task in TASKS for strategy in STRATEGIES),
    *((variant, strategy) for variant in VARIANTS for strategy in ("full", "freeze+decay+lora")),
]
"""Every task with every strategy, and every variant with the plainest and with all of them together."""
NO_DROPOUT = ["model.dropout=0"]


def train(recipe: dict[str, Any], output: Path, *overrides: str, **arguments: Any) -> hfft.Result:
    """Trains in this process."""
    return hfft.train(hfft.Recipe.from_dict(recipe, *overrides), output=output, quiet=True, **arguments)


def launch(
    recipe: dict[str, Any], output: Path, *overrides: str, processes: int = 1, options: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """Starts a training in processes of its own, as a user would."""
    file = output.with_suffix(".yaml")
    file.write_text(yaml.safe_dump({"name": "tiny", **recipe}), encoding="utf-8")
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m"]
    if processes > 1:
        config = str(root / "accelerate_configs" / "cpu_2proc.yaml")
        command += ["accelerate.commands.launch", "--config_file", config, "--num_processes", str(processes)]
        command += ["--main_process_port", str(_free_port()), "-m"]
    command += ["hfft.run", str(file), *overrides, "--output", str(output), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, cwd=output.parent, **pipes)


def finished(process: subprocess.Popen[str], seconds: float = 240) -> str:
    """Waits for a launched training, checks that it went well, and returns what it printed."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, f"{out}\n{err}"
    return out


def events(output: Path, kind: str) -> list[dict[str, Any]]:
    """The rows of one kind in metrics.jsonl."""
    rows = map(json.loads, (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row["event"] == kind]


def losses(output: Path) -> list[float]:
    """The loss of each step."""
    return [row["loss"] for row in events(output, "train")]


def predictions(output: Path, split: str = "eval") -> list[dict[str, Any]]:
    """The rows of a predictions file."""
    return [json.loads(row) for row in (output / "predictions" / f"{split}.jsonl").read_text("utf-8").splitlines()]


def cut(output: Path, copy: Path, step: int) -> None:
    """Copies a run as a kill would have left it that came some steps after the checkpoint of `step`."""
    shutil.copytree(output, copy)
    (copy / "results.json").unlink()
    for name in ("model", "adapter", "predictions"):
        shutil.rmtree(copy / name, ignore_errors=True)
    for place in (copy / "checkpoints").iterdir():
        if int(place.name.rpartition("-")[2]) > step:
            shutil.rmtree(place)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

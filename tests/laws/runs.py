"""How the laws run a recipe, and the strategies they run it with."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

import hfft
from hfft import testing
from hfft.tasks import TASKS
from hfft.workflows.build import Setup
from tests.laws.forked import Forked
from tests.laws.kinds import kind_of
from tests.product import first_of_all
from tests.tiny import VARIANTS

ROOT = Path(__file__).resolve().parents[2]

STRATEGIES: dict[str, list[str]] = {
    "full": [],
    "freeze": ["tune.freeze.blocks=1"],
    "freeze half": ["tune.freeze.blocks=50%"],
    "head": ["tune.freeze.blocks=all", "optim.lr=1e-2"],
    "biases": ["tune.freeze={blocks: all, keep: biases}", "optim.lr=1e-2"],
    "patterns": [
        "tune.freeze.patterns=[{train: '*0*[nN]orm*'}, {freeze: '*[nN]orm*'}]",
        "tune.rates={'*[nN]orm*': 2}",
    ],
    "decay": ["tune.layer_decay=0.7", "tune.head_scale=2"],
    "decay and floor": ["tune.layer_decay=0.5", "tune.min_scale=0.2", "optim.schedule=slanted_triangular"],
    "decay and below": ["tune.layer_decay=0.5", "tune.freeze_below=0.2"],
    "unfreeze": ["tune.unfreeze={steps: 1, blocks: 2}"],
    "probe": ["tune.probe={steps: 4, lr: 1e-2}"],
    "reinit": ["tune.reinit.blocks=1"],
    "l2_sp": ["tune.l2_sp=0.1"],
    "soup": ["train.soup=3"],
    "checkpointing": ["train.gradient_checkpointing=true"],
    "attention": ["model.attention=eager"],
    "chosen": ["optim.lr=null", "tune.layer_decay=null", "train.batch_size=null", "train.group_by_length=null"],
    "lora": ["tune.adapter={rank: 4, alpha: 8, dropout: 0.1}", "optim.lr=1e-2"],
    "rslora, lora+": ["tune.adapter={rank: 4, rslora: true, lr_ratio: 4, blocks: 1}", "optim.lr=1e-2"],
    "dora": ["tune.adapter={rank: 4, dora: true}", "optim.lr=1e-2"],
    "pissa": ["tune.adapter={rank: 4, init: pissa}", "optim.lr=1e-3"],
    "ia3": ["tune.adapter={name: ia3}", "optim.lr=1e-2"],
    "loha": ["tune.adapter={name: loha, r: 4}", "optim.lr=1e-2"],
    "freeze+decay": ["tune.freeze.blocks=1", "tune.layer_decay=0.7"],
    "freeze+lora": ["tune.freeze.blocks=1", "tune.adapter={targets: all-linear}"],
    "decay+lora": ["tune.layer_decay=0.7", "tune.adapter={rank: 4}", "optim.lr=1e-2"],
    "unfreeze+decay": ["tune.unfreeze={steps: 2, blocks: 2}", "tune.layer_decay=0.7"],
    "freeze+decay+lora": ["tune.freeze.blocks=1", "tune.layer_decay=0.7", "tune.adapter={rank: 4}"],
}
ARCHITECTURES = {
    "text-classification": "BERT",
    "translation": "T5",
    "image-classification": "ViT",
    "conv": "ResNet",
}
"""The tasks and variants on which every strategy is tried."""
NOT_FOR = {"conv": ("pissa", "checkpointing", "attention")}
"""Where there are no linear layers to take apart, no attention, and transformers has no checkpointing."""
LAWFUL = [*TASKS, "outside"]
"""The tasks that the laws hold for: all that hfft knows, and one from outside, by its dotted path."""
NO_DROPOUT_RATE = ("conv",)  # nor has a ResNet any dropout
ENDS = ("full", "freeze+decay+lora")
OWN_BATCHES = ("streaming", "mixed-images", "long-documents", "windows", "conv")
"""Variants that make batches their own way, or whose model minds how they are cut."""
READ = [
    *((task, strategy) for task in LAWFUL for strategy in ENDS),
    *((variant, strategy) for variant in VARIANTS for strategy in ENDS),
]
"""Every task and variant with the plainest strategy and with all of them together."""
FEW_TASKS = first_of_all(LAWFUL, ("text-classification", "outside"))
"""All tasks, for what hangs on no task but should hold for each: one of ours and one from outside in every run."""
TRIED_ALWAYS = [
    *((task, ENDS[-1]) for task in LAWFUL),
    *((task, "full") for task in ("text-classification", "outside", *OWN_BATCHES)),
]
"""What of these every run of the tests tries: each task with all strategies together; with none a task of ours, one
from outside, and the variants whose batches are cut in another way. The others meet no code that these do not."""
CASES = first_of_all([case for case in READ if case[0] in (*LAWFUL, *OWN_BATCHES) or case[1] != "full"], TRIED_ALWAYS)
"""Tasks with both; variants with all strategies together, and those with batches of their own with none."""
STRATEGIC = [
    (task, strategy)
    for task in ARCHITECTURES
    for strategy in STRATEGIES
    if strategy != "full" and strategy not in NOT_FOR.get(task, ())
]
"""Every strategy on every architecture."""


def tuning(task: str, strategy: str) -> list[str]:
    """The overrides of a strategy, for a task or variant."""
    given = STRATEGIES[strategy]
    if task == "conv":  # which has no linear layers below its head
        given = [*given, *("tune.adapter.targets=[convolution]" for text in given if text.startswith("tune.adapter="))]
    return given


def keep_best(task: str, recipe: dict[str, Any]) -> str:
    """The override that keeps the weights which score best, for a task or variant and its recipe."""
    return f"train.keep_best={kind_of(task, recipe).metric}"


def resumable(task: str, recipe: dict[str, Any], strategy: str) -> list[str]:
    """The overrides of a run over two epochs that is cut after checkpoints, for a task or variant and its recipe."""
    length = ["train.epochs=null", "train.steps=16"] if task == "streaming" else ["train.epochs=2"]
    kept = ["train.checkpoint_every=2", "train.keep_checkpoints=99", "train.eval_every=6", "train.micro_batch_size=3"]
    return [*length, *kept, keep_best(task, recipe), *tuning(task, strategy)]


def unscored(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe without rows to score, where only what is learnt is looked at.

    But of a task with an option that would have no effect then, which hfft refuses.
    """
    if "references" in recipe["task"]:
        return recipe
    data = recipe["data"]
    left = {"files": {"train": data["files"]["train"]}} if "files" in data else {"eval": None, "test": None}
    return {**recipe, "data": {**data, **left}}


def no_dropout(task: str) -> list[str]:
    """The override that turns a model's dropout off, where it has such: hfft refuses to set what is not there."""
    return [] if task in NO_DROPOUT_RATE else ["model.dropout=0"]


def trusted(recipe: dict[str, Any]) -> bool:
    """Whether a recipe must be trusted: its task is no table's."""
    return ":" in recipe["task"]["name"]


def train(recipe: dict[str, Any], output: Path, *overrides: str, **arguments: Any) -> hfft.Result:
    """Trains in this process."""
    given = {"quiet": True, "trust": trusted(recipe), **arguments}
    return hfft.train(hfft.Recipe.from_dict(recipe, *overrides), output=output, **given)


def assembled(recipe: dict[str, Any], *overrides: str) -> Setup:
    """Puts a run together, and leaves it there."""
    return testing.assembled(hfft.Recipe.from_dict(recipe, *overrides), trusted(recipe))


def launch(
    recipe: dict[str, Any],
    output: Path,
    *overrides: str,
    processes: int = 1,
    options: tuple[str, ...] = (),
    command: str = "train",
) -> Forked:
    """Starts a training, or another command that takes a recipe, in processes of its own, as `torchrun` would."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    together = {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes), "ACCELERATE_USE_CPU": "true"}
    together |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    ranks = [{**together, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
    environments = [{**environment, **rank} for rank in ranks] if processes > 1 else [environment]
    return Forked(_arguments(recipe, output, overrides, options), environments, output.parent, command)


def launch_as_users_do(
    recipe: dict[str, Any], output: Path, *overrides: str, processes: int = 1, options: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """Starts a training with `accelerate launch`, or where it has one process alone with `python -m`."""
    command = [sys.executable, "-m"]
    if processes > 1:
        config = str(ROOT / "accelerate_configs" / "cpu_2proc.yaml")
        command += ["accelerate.commands.launch", "--config_file", config, "--num_processes", str(processes)]
        command += ["--main_process_port", str(_free_port()), "-m"]
    command += ["hfft.run", *_arguments(recipe, output, overrides, options)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, cwd=output.parent, **pipes)


def _arguments(recipe: dict[str, Any], output: Path, overrides: tuple[str, ...], options: tuple[str, ...]) -> list[str]:
    """Those of `python -m hfft.run`, for a recipe that is written beside the output."""
    file = output.with_suffix(".yaml")
    file.write_text(yaml.safe_dump({"name": "tiny", **recipe}), encoding="utf-8")
    trust = ["--trust"] if trusted(recipe) and "--trust" not in options else []
    return [str(file), *overrides, "--output", str(output), *options, *trust]


def finished(process: subprocess.Popen[str] | Forked, seconds: float = 240) -> str:
    """Waits for a launched training, checks that it went well, and returns what it printed."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, f"{out}\n{err}"
    return out


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

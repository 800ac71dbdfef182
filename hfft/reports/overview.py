"""What a run was, in a few lines: model, data, strategy, where it ran, and how to repeat it."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hfft.recipe import Recipe
from hfft.recipe.files import described


def strategy_of(recipe: Recipe, parameters: Sequence[Mapping[str, Any]]) -> str:
    """What learnt, in a few words: `adapter lora`, `full`, `head only`, or how much of it; and in how many phases."""
    phases = len({row.get("from_step", 1) for row in parameters if row["trainable"]})
    return _what_learnt(recipe, parameters) + (f", in {phases} phases" if phases > 1 else "")


def _what_learnt(recipe: Recipe, parameters: Sequence[Mapping[str, Any]]) -> str:
    if recipe.tune.adapter is not None:
        return f"adapter {recipe.tune.adapter.name}"
    learning = [row for row in parameters if row["trainable"]]
    if len(learning) == len(parameters):
        return "full"
    if all(row["stack"] == "head" for row in learning):
        return "head only"
    return f"{weight_count(learning) / max(weight_count(parameters), 1):.1%} of the weights"


def summary_of(recipe: Recipe, results: Mapping[str, Any], data: Mapping[str, Any], strategy: str) -> str:
    """One sentence: what was trained on what."""
    train = data.get("splits", {}).get("train", {})
    rows = "a stream of rows" if train.get("stream") else f"{train['rows']:,} rows" if "rows" in train else "rows"
    started = "started from random weights" if recipe.model.from_scratch else "was fine-tuned"
    return (
        f"{model_name(recipe)} {started} for {recipe.task.name} on {rows} of {data_name(recipe)}: "
        f"{results['steps']:,} steps of {recipe.train.batch_size} samples ({strategy})."
    )


def model_name(recipe: Recipe) -> str:
    """The pretrained model, for people: of a local folder its name, not where it lies."""
    names = (recipe.model.name, recipe.model.encoder, recipe.model.decoder)
    return " + ".join(_bare(name) for name in names if name is not None)


def _bare(name: str) -> str:
    return Path(name).name if Path(name).is_absolute() else name


def data_name(recipe: Recipe) -> str:
    """The data, for people: the Hub's name and configuration, the training files, or a table in memory."""
    if recipe.data.hub is not None:
        name = _bare(recipe.data.hub)
        return f"{name} ({recipe.data.config})" if recipe.data.config else name
    if recipe.data.memory is not None:
        return described({"train": recipe.data.memory["train"]})
    files = (recipe.data.files or {}).get("train", [])
    names = [Path(name).name for name in ([files] if isinstance(files, str) else files)]
    return ", ".join(names) or "local files"


def facts_of(
    recipe: Recipe,
    results: Mapping[str, Any],
    data: Mapping[str, Any],
    parameters: Sequence[Mapping[str, Any]],
    environment: Mapping[str, Any],
) -> list[list[str]]:
    """Names and values of what people ask about a run, in order."""
    train, optim, total = recipe.train, recipe.optim, weight_count(parameters)
    length = "" if train.steps is None else f"{train.steps:,} steps"
    if train.epochs is not None:
        length = f"{train.epochs:g} epoch{'' if train.epochs == 1 else 's'}"
    learning = weight_count([row for row in parameters if row["trainable"]])
    facts = [
        ("Task", recipe.task.name),
        ("Model", model_name(recipe) + (f" at {recipe.model.revision}" if recipe.model.revision else "")),
        ("Weights", _weights(total, learning)),
        ("Data", data_name(recipe)),
        *((f"Rows of {split}", _rows(told)) for split, told in data.get("splits", {}).items()),
        ("Length", f"{length}, {results['steps']:,} steps made" if "steps" in results else length),
        ("Samples a step", f"{train.batch_size:,}" if train.batch_size is not None else ""),
        ("Optimizer", f"{optim.name}, {optim.schedule} schedule, warm-up {optim.warmup:g}"),
        ("Peak learning rate", f"{optim.lr:g}" if optim.lr is not None else ""),
        ("Weight decay", f"{optim.weight_decay:g}"),
        ("Chosen by default", ", ".join(recipe.defaults.chosen)),
        ("Best by", f"eval {train.best_metric}" if train.best_metric else ""),
        ("Seed", ", ".join(map(str, train.seeds)) if train.seeds else str(train.seed)),
        *((name.capitalize(), str(value)) for name, value in results.get("settled", {}).items()),
        *_machine(environment),
    ]
    return [[name, text] for name, text in facts if text]


def _weights(total: int, learning: int) -> str:
    if learning == total:
        return f"{total:,}, all of which learn" if total else ""
    return f"{total:,}, of which {learning:,} learn ({learning / total:.1%})"


def _rows(told: Mapping[str, Any]) -> str:
    rows = f"{told['rows']:,}" if "rows" in told else "unknown"
    return f"a stream, of which the first {rows} were looked at" if told.get("stream") else rows


def _machine(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not environment:
        return []
    settings = environment.get("accelerate", {})
    devices = environment.get("devices") or []
    kind = settings.get("device", "")
    device = ", ".join(dict.fromkeys(devices)) if devices and kind != "cpu" else environment.get("processor", "")
    precision = settings.get("mixed_precision", "no")
    versions = environment.get("versions", {})
    return [
        ("Processes", str(environment.get("processes", ""))),
        ("Device", f"{kind}: {device}" if device else kind),
        ("Mixed precision", "" if precision == "no" else precision),
        ("Versions", ", ".join(f"{name} {versions[name]}" for name in versions)),
    ]


def command_of(folder: Path, recipe: Recipe, environment: Mapping[str, Any]) -> list[str]:
    """The lines that repeat a run, as a shell has them, into a new folder.

    Args:
        folder: The run folder.
        recipe: The run's.
        environment: As in environment.json; empty where it is not known.
    """
    below = _below(folder)
    place = below or f"PATH/TO/{folder.resolve().name}"
    rest = f"{shlex.quote(f'{place}/recipe.yaml')} --output {shlex.quote(f'{place}-again')}"
    rest += " --trust" if environment.get("trust") or _needs_trust(recipe) else ""
    settings, processes = environment.get("accelerate", {}), environment.get("processes", 1)
    precision, on_cpu = settings.get("mixed_precision", "no"), settings.get("device", "cpu") == "cpu"
    start = [] if precision == "no" else [f"ACCELERATE_MIXED_PRECISION={precision}"]
    start += ["ACCELERATE_USE_CPU=true"] if on_cpu and processes > 1 else []
    if processes == 1:
        door = "hfft train"
    elif on_cpu:  # accelerate launch --cpu starts processes that know nothing of each other
        door = f"torchrun --nproc_per_node {processes} -m hfft.run"
    else:
        door = f"accelerate launch --multi_gpu --num_processes {processes} -m hfft.run"
    told = [] if below else ["# PATH/TO is the folder in which the run folder lies."]
    return [*_where(recipe), *told, " ".join([*start, door, rest])]


def _below(folder: Path) -> str | None:
    """A folder as seen from the current one; None where it is not below that, or all folders are."""
    if Path.cwd() == Path(Path.cwd().anchor):
        return None
    for place in (os.path.relpath(folder), os.path.relpath(folder.resolve())):
        if Path(place).parts[:1] not in ((), ("..",)):
            return place
    return None


def _where(recipe: Recipe) -> list[str]:
    """Where to start it, in words, where file names of the recipe depend on that."""
    if recipe.data.files is None or Path(recipe.data.root).is_absolute():
        return []
    return [f"# In the folder in which the run was started: data.root is {recipe.data.root!r}, as seen from there."]


def _needs_trust(recipe: Recipe) -> bool:
    return any(":" in name for name in (recipe.task.name, recipe.optim.name, *recipe.eval.metrics))


def weight_count(parameters: Iterable[Mapping[str, Any]]) -> int:
    """How many numbers the parameters of some rows of parameters.json hold."""
    return sum(math.prod(row["shape"]) for row in parameters)

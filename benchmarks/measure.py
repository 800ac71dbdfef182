"""hfft and transformers.Trainer on the same recipe: trainings measured one by one, and what they say together.

Every training is a process of its own that leaves a run folder. `hfft evaluate` then scores each of them by the same
lines, in float32 on the CPU, and `hfft compare` says whether the scores differ.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import transformers
import yaml
from accelerate import Accelerator
from transformers import AutoModel, AutoProcessor, PrinterCallback, Trainer, TrainingArguments, set_seed

import hfft
from hfft.io.console import quiet_libraries
from hfft.io.run_folder import RunFolder, read_json, write_json
from hfft.models.pretrained import PretrainedSource
from hfft.recipe import Recipe
from hfft.tasks.scores import headline_metric
from hfft.workflows.build import resolve
from hfft.workflows.environment import describe
from hfft.workflows.splits import read_splits

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Times:
    """What one training took.

    Attributes:
        seconds: From reading the data to the end of the last step: tokenizing and loading the model included,
            evaluating and saving left out.
        train_seconds: Of the steps alone, by the tool's own clock.
        whole_seconds: All that the tool's call took. hfft has then saved a checkpoint and the model, Trainer nothing.
    """

    seconds: float
    train_seconds: float
    whole_seconds: float


@dataclass(frozen=True)
class Tool:
    """A way to train a recipe.

    Attributes:
        name: For people, and of its folder.
        train: Trains and leaves a run folder.
        settings: Of `Accelerator` for hfft, of `TrainingArguments` for Trainer.
    """

    name: str
    train: Callable[[Recipe, RunFolder, dict[str, Any]], Times]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """One training, measured and scored. A score is that of `metric`, answers are in the order of the test file."""

    tool: str
    seed: int
    steps: int
    samples: int
    times: Times
    resident_bytes: int  # the process at its largest, up to the end of training
    device_bytes: int | None  # torch.cuda.max_memory_allocated; None on the CPU
    environment: dict[str, Any]
    metric: str
    score: float
    answers: list[Any]

    @property
    def samples_per_second(self) -> float:
        """Samples by `times.seconds`."""
        return self.samples / self.times.seconds


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a fresh process and returns what it returns."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def accelerate_settings(name: str) -> dict[str, Any]:
    """What a file of accelerate_configs/ says, in the words of `Accelerator`."""
    config = yaml.safe_load((ROOT / "accelerate_configs" / name).read_text(encoding="utf-8"))
    return {"mixed_precision": config["mixed_precision"], "cpu": config["use_cpu"]}


def backbone_of(recipe: Recipe) -> PretrainedSource:
    """The model that a recipe starts from."""
    return PretrainedSource(**recipe.model.model_dump(exclude={"encoder", "decoder"}))


def rows_of(recipe: Recipe) -> dict[str, Any]:
    """The rows of a recipe's splits, as hfft reads them."""
    return read_splits(recipe, resolve(recipe, trust=False).task).splits


def with_head(auto_class: Any, recipe: Recipe, labels: Sequence[str]) -> Any:
    """The model of a recipe with a head for these labels, as plain transformers loads it."""
    return auto_class.from_pretrained(
        backbone_of(recipe).place,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        ignore_mismatched_sizes=True,
        dtype=torch.float32,
    )


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The same recipe with another seed."""
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": seed})})


def train_hfft(recipe: Recipe, folder: RunFolder, settings: dict[str, Any]) -> Times:
    """Trains with hfft, as `accelerate launch` with a config file of these settings would."""
    began, began_at = time.perf_counter(), time.time()
    hfft.train(recipe, output=folder.path, accelerator=Accelerator(**settings), quiet=True)
    whole_seconds = time.perf_counter() - began
    train_seconds = read_json(folder.results)["train_seconds"]
    prepared = folder.data.stat().st_mtime - began_at  # data.json is written last before the first step
    return Times(prepared + train_seconds, train_seconds, whole_seconds)


def train_trainer(
    trainer_for: Callable[[Recipe, TrainingArguments], Trainer],
    recipe: Recipe,
    folder: RunFolder,
    settings: dict[str, Any],
) -> Times:
    """Trains with transformers.Trainer, at its defaults where neither recipe nor settings say anything.

    Evaluations count neither in `seconds` nor in `train_seconds`, as hfft's do not.
    """
    began = time.perf_counter()
    set_seed(recipe.train.seed)  # a new head's weights
    trainer = trainer_for(recipe, trainer_arguments(recipe, folder, settings))
    if trainer.args.train_batch_size != recipe.train.batch_size:
        raise SystemExit("Trainer would spread each batch over several devices: let it see one only.")
    trainer.remove_callback(PrinterCallback)
    runtime = trainer.train().metrics["train_runtime"]
    whole_seconds = time.perf_counter() - began
    evaluating = sum(entry.get("eval_runtime", 0.0) for entry in trainer.state.log_history)
    trainer.save_model(str(folder.model))
    resolve(recipe, trust=False).recipe.save(folder.recipe)
    write_json(folder.environment, describe(trainer.accelerator, recipe.train.seed, {}))
    samples = len(trainer.train_dataset) * int(recipe.train.epochs or 0)  # type: ignore[arg-type]
    write_json(folder.results, {"task": recipe.task.name, "steps": trainer.state.global_step, "samples": samples})
    return Times(whole_seconds - evaluating, runtime - evaluating, whole_seconds)


def trainer_arguments(recipe: Recipe, folder: RunFolder, settings: dict[str, Any]) -> TrainingArguments:
    """Says the recipe in Trainer's words. Its weight decay spares biases and norms without being told."""
    optim, train = recipe.optim, recipe.train
    said = {
        "output_dir": str(folder.path / "trainer"),
        "per_device_train_batch_size": train.batch_size,
        "num_train_epochs": train.epochs or 0,
        "learning_rate": optim.lr or 0,
        "weight_decay": optim.weight_decay,
        "lr_scheduler_type": optim.schedule,
        "warmup_steps": optim.warmup,  # below 1 a share, rounded up, as in a recipe
        "max_grad_norm": optim.clip or 0,
        "seed": train.seed,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    return TrainingArguments(**{**said, **settings})


def measured(tool: Tool, recipe: Recipe, folder: RunFolder) -> tuple[Times, int, int | None]:
    """Trains in this process, which should be fresh; returns the times, and the peaks of memory."""
    quiet_libraries()
    transformers.logging.set_verbosity_error()
    place = backbone_of(recipe).place
    AutoModel.from_pretrained(place)  # once, so that no clock sees transformers import it or the disk be slow
    AutoProcessor.from_pretrained(place)
    folder.create()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HFFT_CACHE"] = cache  # no tokens of an earlier run
        times = tool.train(recipe, folder, tool.settings)
    on_cuda = read_json(folder.environment)["accelerate"]["device"] == "cuda"
    return times, resident_bytes(), torch.cuda.max_memory_allocated() if on_cuda else None


def resident_bytes() -> int:
    """This process at its largest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def train_all(
    tools: Sequence[Tool], recipe_of: Callable[[Tool, int], Recipe], seeds: Sequence[int], runs: Path, test: str
) -> list[Outcome]:
    """Trains with each tool and seed, in turn, and checks that the tools did the same amount of the same work.

    Args:
        tools: The one that begins moves on from seed to seed.
        recipe_of: What a tool is to learn; the seed is set here.
        seeds: A round for each.
        runs: Gets a run folder for each tool.
        test: The file in `data.root` that the models are scored on.
    """
    outcomes: list[Outcome] = []
    for place, seed in enumerate(seeds):
        first = place % len(tools)
        for tool in (*tools[first:], *tools[:first]):
            recipe, folder = with_seed(recipe_of(tool, seed), seed), RunFolder(runs / tool.name).seed(seed)
            outcomes.append(scored(tool, recipe, folder, test, apart(measured, tool, recipe, folder)))
            say_and_check(outcomes[-1], outcomes[0])
    for tool in tools:
        gather(RunFolder(runs / tool.name), seeds)
    return outcomes


def scored(tool: Tool, recipe: Recipe, folder: RunFolder, test: str, took: tuple[Times, int, int | None]) -> Outcome:
    """Scores a trained model, and writes its answers into the run folder."""
    found = hfft.evaluate(folder.path, Path(recipe.data.root, test), accelerator=Accelerator(cpu=True))
    found.save(str(folder.predictions("test")))
    results = {**read_json(folder.results), "test": found.scores, "test_examples": found.examples}
    write_json(folder.results, results)
    metric = headline_metric(found.scores, recipe.train.best_metric) or ""
    return Outcome(
        tool.name,
        recipe.train.seed,
        results["steps"],
        results["samples"],
        *took,
        environment=read_json(folder.environment),
        metric=metric,
        score=found.scores[metric]["value"],
        answers=[row["answer"] for row in found.rows],
    )


def say_and_check(outcome: Outcome, wanted: Outcome) -> None:
    """Prints a line of one training; one of other steps or samples than `wanted` ends everything."""
    print(
        f"seed {outcome.seed}, {outcome.tool}: {outcome.times.seconds:.1f} s, "
        f"{outcome.samples_per_second:.0f} samples/s, {outcome.metric} {outcome.score:.4f}",
        flush=True,
    )
    if (outcome.steps, outcome.samples) != (wanted.steps, wanted.samples):
        raise SystemExit(
            f"{outcome.tool} took {outcome.steps} steps over {outcome.samples} samples, {wanted.tool} "
            f"{wanted.steps} over {wanted.samples}: they cannot be compared."
        )


def gather(folder: RunFolder, seeds: Sequence[int]) -> None:
    """Makes the trainings of several seeds one run, as `train.seeds` does, for `hfft compare`."""
    first = folder.seed(seeds[0])
    shutil.copytree(first.model, folder.model)
    shutil.copy(first.recipe, folder.recipe)
    write_json(folder.results, {**read_json(first.results), "seeds": list(seeds)})

"""One training run by one tool, measured inside a process of its own. What is alike for all tools stands here.

The heavy imports are inside the functions: they are made before a clock starts, and only in the process that trains.
"""

from __future__ import annotations

import csv
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hfft.io.run_folder import RunFolder, read_json
from hfft.recipe import Recipe

SCORING_BATCH = 64


@dataclass(frozen=True)
class Trained:
    """What training with one tool gave.

    Attributes:
        model: A folder that plain transformers loads.
        steps: Optimizer steps.
        samples: Rows the model has seen, over all epochs.
        seconds: From reading the csv file to the end of the last step: tokenizing and loading the model included,
            saving left out.
        train_seconds: Of the steps alone, by the tool's own clock.
        whole_seconds: All that the tool's call took. hfft has then saved a checkpoint and the model, Trainer nothing.
        environment: Versions, processor, threads, and Accelerate's settings in effect.
    """

    model: Path
    steps: int
    samples: int
    seconds: float
    train_seconds: float
    whole_seconds: float
    environment: dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """A way to train a recipe: a function of this module and its settings.

    `settings` go to `Accelerator` for hfft and to `TrainingArguments` for Trainer.
    """

    name: str
    train: Callable[[Recipe, Path, dict[str, Any]], Trained]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Scored:
    """A score that is a sum over test examples by another one, each in the order of the test file.

    Attributes:
        metric: Its name.
        correct: The upper sum's part of each example. Of an accuracy 1 where it is right; of an F1 of entities twice
            those that are right.
        out_of: The lower sum's part. Of an accuracy 1; of an F1 the entities answered and those that are there.
    """

    metric: str
    correct: list[int]
    out_of: list[int]

    @property
    def value(self) -> float:
        """The score of all examples."""
        return sum(self.correct) / max(sum(self.out_of), 1)


@dataclass(frozen=True)
class Kind:
    """What a task's comparison has of its own.

    Attributes:
        head: The class of transformers that loads a model with its head.
        reader: What makes the model's inputs: "tokenizer" or "image_processor", a method of
            `hfft.models.pretrained.Backbone`.
        scored: Scores a saved model on the test file, by the same lines for every tool.
    """

    head: str
    reader: str
    scored: Callable[[Path, Recipe], Scored]


@dataclass(frozen=True)
class Outcome:
    """One run, measured and scored. Times are as in `Trained`."""

    tool: str
    seed: int
    steps: int
    samples: int
    seconds: float
    train_seconds: float
    whole_seconds: float
    resident_bytes: int  # the process at its largest, up to the end of training
    device_bytes: int | None  # torch.cuda.max_memory_allocated; None on the CPU
    scored: Scored
    environment: dict[str, Any]

    @property
    def samples_per_second(self) -> float:
        """Samples by `seconds`."""
        return self.samples / self.seconds


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a fresh process and returns what it returns."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measured(tool: Tool, recipe: Recipe) -> list[Outcome]:
    """Trains on texts in this process, which should be fresh, and scores the saved model on test.csv in `data.root`."""
    with tempfile.TemporaryDirectory() as folder:
        return [measured_in(Path(folder), tool, recipe, TEXTS)[0]]


def measured_in(folder: Path, tool: Tool, recipe: Recipe, kind: Kind) -> tuple[Outcome, Path]:
    """Trains in this process and an empty folder, and scores the saved model; returns where that is, too."""
    os.environ["HFFT_CACHE"] = str(folder / "cache")  # no tokens of an earlier run
    warm_up(recipe, kind)
    trained = tool.train(recipe, folder, tool.settings)
    resident_bytes, device_bytes = peak_memory(trained.environment["accelerate"]["device"])
    outcome = Outcome(
        tool=tool.name,
        seed=recipe.train.seed,
        steps=trained.steps,
        samples=trained.samples,
        seconds=trained.seconds,
        train_seconds=trained.train_seconds,
        whole_seconds=trained.whole_seconds,
        resident_bytes=resident_bytes,
        device_bytes=device_bytes,
        scored=kind.scored(trained.model, recipe),
        environment=trained.environment,
    )
    return outcome, trained.model


def warm_up(recipe: Recipe, kind: Kind) -> None:
    """Loads the model and its reader once, so that no clock sees transformers import them or the disk be slow."""
    import transformers

    from hfft.io.console import quiet_libraries

    quiet_libraries()
    transformers.logging.set_verbosity_error()
    pretrained = backbone_of(recipe)
    getattr(pretrained, kind.reader)()
    pretrained.load(getattr(transformers, kind.head))


def backbone_of(recipe: Recipe) -> Any:
    """The model that a recipe starts from."""
    from hfft.models.pretrained import PretrainedSource

    return PretrainedSource(**recipe.model.model_dump(exclude={"encoder", "decoder"}))


def train_hfft(recipe: Recipe, folder: Path, settings: dict[str, Any]) -> Trained:
    """Trains with hfft, as `accelerate launch` with a config file of these settings would."""
    from accelerate import Accelerator

    from hfft import train
    from hfft.workflows.environment import describe

    began, began_at = time.perf_counter(), time.time()
    accelerator = Accelerator(**settings)
    run = RunFolder(train(recipe, output=folder / "run", accelerator=accelerator, quiet=True).folder)
    whole_seconds = time.perf_counter() - began
    results = read_json(run.results)
    prepared_at = run.data.stat().st_mtime  # written last before the first step
    return Trained(
        model=run.model,
        steps=results["steps"],
        samples=results["samples"],
        seconds=prepared_at - began_at + results["train_seconds"],
        train_seconds=results["train_seconds"],
        whole_seconds=whole_seconds,
        environment=describe(accelerator, recipe.train.seed, {}),
    )


def train_trainer(recipe: Recipe, folder: Path, settings: dict[str, Any]) -> Trained:
    """Trains with transformers.Trainer, at its defaults where neither recipe nor settings say anything."""
    import torch
    from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding, Trainer, set_seed

    began = time.perf_counter()
    set_seed(recipe.train.seed)  # a new head's weights
    pretrained = backbone_of(recipe)
    tokenizer, labels = pretrained.tokenizer(), recipe.task.options["labels"]
    rows = tokenized(recipe, tokenizer)
    model = AutoModelForSequenceClassification.from_pretrained(
        pretrained.place, num_labels=len(labels), dtype=torch.float32
    )
    arguments = trainer_arguments(recipe, folder, settings)
    trainer = Trainer(model, arguments, DataCollatorWithPadding(tokenizer), rows)
    return fitted(trainer, tokenizer, recipe, folder, began)


def fitted(trainer: Any, reader: Any, recipe: Recipe, folder: Path, began: float) -> Trained:
    """Lets a Trainer train, and saves its model with the tokenizer or image processor beside it.

    Evaluations do not count in `seconds` and `train_seconds`, as hfft's do not.

    Args:
        trainer: As made for the recipe.
        reader: The tokenizer or image processor.
        recipe: What to learn.
        folder: Where `model/` will be.
        began: `time.perf_counter()` at the beginning of all.
    """
    from transformers import PrinterCallback

    from hfft.workflows.environment import describe

    if trainer.args.train_batch_size != recipe.train.batch_size:
        raise SystemExit("Trainer would spread each batch over several devices: let it see one only.")
    trainer.remove_callback(PrinterCallback)
    train_seconds = trainer.train().metrics["train_runtime"]
    whole_seconds = time.perf_counter() - began
    evaluating = sum(entry.get("eval_runtime", 0.0) for entry in trainer.state.log_history)
    trainer.save_model(str(folder / "model"))
    reader.save_pretrained(folder / "model")
    return Trained(
        model=folder / "model",
        steps=trainer.state.global_step,
        samples=len(trainer.train_dataset) * int(recipe.train.epochs or 0),
        seconds=whole_seconds - evaluating,
        train_seconds=train_seconds - evaluating,
        whole_seconds=whole_seconds,
        environment=describe(trainer.accelerator, recipe.train.seed, {}),
    )


def tokenized(recipe: Recipe, tokenizer: Any) -> Any:
    """The rows `data.train` names, as token ids and labels: read and tokenized at once, in memory."""
    from datasets import Dataset

    rows = read_rows(recipe, "train.csv")[: train_rows(recipe)]
    texts = [row[recipe.task.options["text"]] for row in rows]
    encoded = tokenizer(texts, truncation=True, max_length=recipe.task.options["max_length"])
    return Dataset.from_dict({**encoded, "labels": [int(row[recipe.task.options["label"]]) for row in rows]})


def train_rows(recipe: Recipe) -> int:
    """How many rows `data.train` takes, which is of the form `train[:N]`."""
    return int(recipe.data.train.removeprefix("train[:").removesuffix("]"))


def read_rows(recipe: Recipe, name: str) -> list[dict[str, str]]:
    """Reads a csv file of `data.root`, a row a dictionary."""
    with open(Path(recipe.data.root, name), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def trainer_arguments(recipe: Recipe, folder: Path, settings: dict[str, Any]) -> Any:
    """Says the recipe in Trainer's words. Its weight decay spares biases and norms without being told."""
    from transformers import TrainingArguments

    optim, train = recipe.optim, recipe.train
    said = {
        "output_dir": str(folder),
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


def peak_memory(device: str) -> tuple[int, int | None]:
    """Bytes of this process at its largest, and on CUDA the bytes of tensors at their most."""
    import torch

    unit = 1 if sys.platform == "darwin" else 1024
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return resident, torch.cuda.max_memory_allocated() if device == "cuda" else None


def scored(model: Path, recipe: Recipe) -> Scored:
    """Which rows of test.csv the saved model gets right: plain transformers, in float32 on the CPU, for every tool."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    options = recipe.task.options
    rows = read_rows(recipe, "test.csv")
    loaded = AutoModelForSequenceClassification.from_pretrained(model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(model)
    order = sorted(range(len(rows)), key=lambda row: len(rows[row][options["text"]]))
    correct = [0] * len(rows)
    for start in range(0, len(rows), SCORING_BATCH):
        part = order[start : start + SCORING_BATCH]
        texts = [rows[row][options["text"]] for row in part]
        batch = tokenizer(
            texts, truncation=True, max_length=options["max_length"], padding="longest", return_tensors="pt"
        )
        with torch.inference_mode():
            answers = loaded(**batch).logits.argmax(-1).tolist()
        for row, answer in zip(part, answers, strict=True):
            correct[row] = int(answer == int(rows[row][options["label"]]))
    return Scored("accuracy", correct, [1] * len(rows))


TEXTS = Kind("AutoModelForSequenceClassification", "tokenizer", scored)

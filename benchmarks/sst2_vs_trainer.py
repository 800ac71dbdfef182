"""hfft beside transformers.Trainer: the same recipe, rows, hyperparameters and seeds, compared example by example.

    python benchmarks/sst2_vs_trainer.py --data path/to/sst2

The folder holds train.csv, validation.csv and test.csv with the columns sentence,label (label 0 or 1), as
recipes/minilm_sst2.yaml wants them. The tools take turns (hfft seed 0, Trainer seed 0, hfft seed 1, ...), each run in
a fresh process. Both take every hyperparameter from the recipe; what differs is what each tool does by itself: the
random numbers a seed stands for; batching (hfft puts texts of like length together; Trainer, by default, does not); and
one step of the schedule (hfft's warm-up starts above 0, Trainer's first step has a learning rate of 0).

Seconds are those of training, without loading, tokenizing, evaluating and saving. The interval comes of the test
examples alone, with the seeds as they are: it says nothing of other seeds. For one process on one device.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from hfft.recipe import Recipe

RECIPE = Path(__file__).parents[1] / "recipes" / "minilm_sst2.yaml"
TOOLS = ("hfft", "Trainer")
RESAMPLES = 10_000


@dataclass(frozen=True)
class Outcome:
    """One training run: how fast it was, and which test examples it got right, in the order of the file."""

    tool: str
    seed: int
    steps: int
    seconds: float
    samples_per_second: float
    truths: list[int]
    correct: list[bool]

    @property
    def accuracy(self) -> float:
        """The share of test examples answered right."""
        return statistics.fmean(self.correct)


def train_hfft(recipe: Recipe, folder: Path) -> Outcome:
    """Trains with hfft and reads what the run folder says."""
    import hfft

    run = hfft.train(recipe, output=folder / "run", quiet=True).folder
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    with open(run / "predictions" / "test.jsonl", encoding="utf-8") as file:
        answers = [json.loads(line) for line in file]
    labels = recipe.task.options["labels"]
    return Outcome(
        tool="hfft",
        seed=recipe.train.seed,
        steps=results["steps"],
        seconds=results["train_seconds"],
        samples_per_second=results["samples_per_second"],
        truths=[labels.index(row["truth"]) for row in answers],
        correct=[row["answer"] == row["truth"] for row in answers],
    )


def train_trainer(recipe: Recipe, folder: Path, rows: int) -> Outcome:
    """Trains on the first `rows` rows with transformers.Trainer, at its defaults where the recipe says nothing."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        DataCollatorWithPadding,
        PrinterCallback,
        Trainer,
        set_seed,
    )

    from hfft.backbone import Backbone

    set_seed(recipe.train.seed)  # a new head's weights
    backbone = Backbone(recipe.model.name)
    tokenizer, length = backbone.tokenizer(), recipe.task.options["max_length"]
    train = tokenized(Path(recipe.data.root, "train.csv"), tokenizer, length, rows)
    test = tokenized(Path(recipe.data.root, "test.csv"), tokenizer, length)
    model = AutoModelForSequenceClassification.from_pretrained(backbone.place, num_labels=2, dtype=torch.float32)
    arguments = trainer_arguments(recipe, folder)
    trainer = Trainer(model, arguments, DataCollatorWithPadding(tokenizer), train)
    if arguments.train_batch_size != recipe.train.batch_size:
        raise SystemExit("Trainer would spread each batch over several devices: let it see one only.")
    trainer.remove_callback(PrinterCallback)
    seconds = trainer.train().metrics["train_runtime"]
    truths = np.array(test["labels"])
    answers = np.asarray(trainer.predict(test).predictions).argmax(-1)  # type: ignore[arg-type]
    return Outcome(
        tool="Trainer",
        seed=recipe.train.seed,
        steps=trainer.state.global_step,
        seconds=seconds,
        samples_per_second=len(train) * (recipe.train.epochs or 0) / seconds,
        truths=truths.tolist(),
        correct=(answers == truths).tolist(),
    )


def tokenized(path: Path, tokenizer: Any, length: int, rows: int | None = None) -> Any:
    """Reads the first rows of a csv file, all by default, as a data set of token ids and labels."""
    from datasets import Dataset

    with open(path, encoding="utf-8", newline="") as file:
        taken = list(csv.DictReader(file))[:rows]
    encoded = tokenizer([row["sentence"] for row in taken], truncation=True, max_length=length)
    return Dataset.from_dict({**encoded, "labels": [int(row["label"]) for row in taken]})


def trainer_arguments(recipe: Recipe, folder: Path) -> Any:
    """Says the recipe in Trainer's words. Its weight decay spares biases and norms without being told."""
    import torch
    from transformers import TrainingArguments

    optim, train = recipe.optim, recipe.train
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=train.batch_size,
        per_device_eval_batch_size=train.batch_size,
        num_train_epochs=train.epochs or 0,
        learning_rate=optim.lr or 0,
        weight_decay=optim.weight_decay,
        lr_scheduler_type=optim.schedule,
        warmup_steps=optim.warmup,  # below 1 a share, rounded up, as in a recipe
        max_grad_norm=optim.clip or 0,
        seed=train.seed,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def apart(train: Callable[[Recipe, Path], Outcome], recipe: Recipe) -> Outcome:
    """Trains in a fresh process and a folder that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool,
    ):
        return pool.submit(train, recipe, Path(folder)).result()


def train_all(data: Path, seeds: list[int], rows: int, epochs: float) -> list[Outcome]:
    """Trains with both tools in turn, seed by seed, and checks that they did the same amount of the same work."""
    outcomes: list[Outcome] = []
    for seed in seeds:
        recipe = Recipe.load(RECIPE, f"train.seed={seed}", f"train.epochs={epochs:g}", f"data.train=train[:{rows}]")
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"root": str(data)})})
        for train in (train_hfft, partial(train_trainer, rows=rows)):
            outcome = apart(train, recipe)
            outcomes.append(outcome)
            print(f"{outcome.tool} seed {seed}: {outcome.accuracy:.4f} in {outcome.seconds:.0f} s", flush=True)
            if (outcome.steps, outcome.truths) != (outcomes[0].steps, outcomes[0].truths):
                raise SystemExit("The tools took different numbers of steps, or read different test examples.")
    return outcomes


def paired_difference(outcomes: list[Outcome]) -> tuple[float, float, float]:
    """Mean accuracy of hfft less that of Trainer, with the ends of its 95 % interval (bootstrap over test examples)."""
    hfft, trainer = (np.mean([o.correct for o in outcomes if o.tool == tool], axis=0) for tool in TOOLS)
    differences = hfft - trainer
    drawn = np.random.default_rng(0).integers(len(differences), size=(RESAMPLES, len(differences)))
    low, high = np.quantile(differences[drawn].mean(axis=1), [0.025, 0.975])
    return float(differences.mean()), float(low), float(high)


def show(outcomes: list[Outcome], seeds: list[int], difference: tuple[float, float, float]) -> None:
    """Prints the table and the closing line."""
    print()
    print("test accuracy".ljust(14), *(f"seed {seed}".rjust(8) for seed in seeds), end="")
    print("    mean      sd       seconds    samples/s")
    for tool in TOOLS:
        runs = [outcome for outcome in outcomes if outcome.tool == tool]
        values = [run.accuracy for run in runs]
        spread = f"{statistics.stdev(values):.4f}" if len(values) > 1 else "-"
        seconds, speed = (
            f"{statistics.fmean(found):.0f} ({min(found):.0f}-{max(found):.0f})".rjust(14)
            for found in ([run.seconds for run in runs], [run.samples_per_second for run in runs])
        )
        print(tool.ljust(14), *(f"{value:8.4f}" for value in [*values, statistics.fmean(values)]), end="")
        print(spread.rjust(8), seconds, speed)
    value, low, high = (100 * number for number in difference)
    print(
        f"\nhfft less Trainer, paired over {len(outcomes[0].truths)} test examples, mean of {len(seeds)} seed(s): "
        f"{value:+.2f} points of accuracy, 95 % interval {low:+.2f} to {high:+.2f}."
    )


def main() -> None:
    """Reads the options, trains, compares."""
    parser = argparse.ArgumentParser(description="Trains recipes/minilm_sst2.yaml with hfft and transformers.Trainer.")
    parser.add_argument("--data", type=Path, required=True, help="folder with train.csv, validation.csv, test.csv")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=8000, help="training rows, the first of the file")
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--output", type=Path, help="a JSON file for everything, each example of each run included")
    options = parser.parse_args()
    outcomes = train_all(options.data, options.seeds, options.rows, options.epochs)
    difference = paired_difference(outcomes)
    show(outcomes, options.seeds, difference)
    if options.output is not None:
        named = dict(zip(("value", "low", "high"), difference, strict=True))
        runs = [{"accuracy": outcome.accuracy, **asdict(outcome)} for outcome in outcomes]
        found = {"rows": options.rows, "epochs": options.epochs, "difference": named, "runs": runs}
        options.output.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""hfft beside transformers.Trainer on the CPU: the same model, rows, hyperparameters, batch size and seeds, in one run.

    python benchmarks/vs_trainer.py --data path/to/sst2 --output vs_trainer.json --plot vs_trainer.png

The folder holds train.csv and test.csv with the columns sentence,label (label 0 or 1), as recipes/minilm_sst2.yaml
wants them. Each round trains once with every tool and one seed, each in a fresh process:

    hfft fp32, hfft bf16  with the settings of accelerate_configs/cpu.yaml and cpu_bf16.yaml
    Trainer defaults      float32; all that the recipe does not say is left as Trainer has it
    Trainer best          bf16, and train_sampling_strategy="group_by_length": texts of like length together

Speed is reckoned by the seconds from after all imports and a first look at the model to the last step: reading the csv
file, tokenizing (from nothing: hfft gets an empty cache), loading the model and making the optimizer count. Scoring
does not. What differs, and whom it helps:

- Saving. hfft leaves a run folder with a checkpoint and the model; `seconds` leaves that out, `whole_seconds` has it.
  Trainer is told not to save.
- Logging. Within its clock hfft writes loss and gradient norm of every step, checks that the gradient is finite, and
  checks and fingerprints the data. Trainer is told to log nothing.
- Batches. Trainer's defaults mix texts of all lengths. Its grouped batches go from long to short within each large
  pool; hfft's are shuffled again. transformers 5.23 drops a column of lengths before its sampler looks for it; counting
  them anew takes it 0.1 s for 4,000 rows.
- A seed stands for other random numbers: for the new head, the order of the rows, dropout.
- One step of the schedule: hfft's warm-up starts above 0, Trainer's first step has a learning rate of 0.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import shared
from datasets import Dataset
from shared import Comparison, Tool, accelerate_settings, train_hfft
from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments

from hfft.recipe import Recipe

FILES = ("train.csv", "test.csv")
PAIRS = (("hfft bf16", "Trainer defaults"), ("hfft bf16", "Trainer best"), ("hfft fp32", "Trainer defaults"))


def tokenized(recipe: Recipe, tokenizer: Any) -> Dataset:
    """The rows `data.train` names, as token ids and labels: read and tokenized at once, in memory."""
    options, rows = recipe.task.options, shared.rows_of(recipe)["train"]
    encoded = tokenizer(rows[options["text"]][:], truncation=True, max_length=options.get("max_length"))
    names = labels_of(recipe)
    return Dataset.from_dict({**encoded, "labels": [names.index(str(label)) for label in rows[options["label"]]]})


def labels_of(recipe: Recipe) -> list[str]:
    """The labels as they stand in the file, in order."""
    return sorted({str(label) for label in shared.rows_of(recipe)["train"][recipe.task.options["label"]]})


def text_trainer(recipe: Recipe, arguments: TrainingArguments) -> Trainer:
    tokenizer = shared.backbone_of(recipe).tokenizer()
    rows = tokenized(recipe, tokenizer)
    names = recipe.task.options.get("labels") or labels_of(recipe)
    model = shared.with_head(AutoModelForSequenceClassification, recipe, names)
    return Trainer(shared.as_tuned(model, recipe), arguments, train_dataset=rows, processing_class=tokenizer)


train_texts = partial(shared.train_trainer, text_trainer)
GROUPED_BF16 = {"bf16": True, "train_sampling_strategy": "group_by_length", "optim": "adamw_torch_fused"}
TOOLS = (
    Tool("hfft fp32", train_hfft, accelerate_settings("fp32")),
    Tool("hfft bf16", train_hfft, accelerate_settings("bf16")),
    Tool("Trainer defaults", train_texts, {"use_cpu": True}),
    Tool("Trainer best", train_texts, {"use_cpu": True, **GROUPED_BF16}),
)


def recipe_for(data: Path, options: argparse.Namespace, *overrides: str) -> Recipe:
    """recipes/minilm_sst2.yaml on rows of another folder, with nothing to score: the benchmark does that itself."""
    rows = ("data.files={train: train.csv}", f"data.train='train[:{options.rows}]'", "data.eval=null")
    length = (f"train.epochs={options.epochs}", f"train.batch_size={options.batch_size}")
    return shared.recipe_from("minilm_sst2.yaml", data, *rows, *length, *overrides)


def main() -> None:
    parser = shared.parser_of("hfft beside transformers.Trainer, on the CPU.", FILES, rows=4000, epochs=1)
    parser.add_argument("--batch-size", type=int, default=32, help="rows of one step")
    parser.set_defaults(seeds=[0, 1, 2, 3, 4])
    options = shared.parsed(parser, FILES)
    recipe = recipe_for(options.data, options)
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(TOOLS, PAIRS, "test.csv", options, Path(folder))
        outcomes = comparison.train(lambda *_: recipe)
        title = f"all-MiniLM-L6-v2 on {outcomes[0].samples:,} samples of SST-2, batch {options.batch_size}"
        comparison.report(outcomes, title)


if __name__ == "__main__":
    main()

"""hfft beside transformers.Trainer on tags of words, on the CPU: entity F1 as seqeval counts entities.

    python benchmarks/tags_vs_trainer.py --data path/to/wnut17 --output out.json

The folder holds train.jsonl, validation.jsonl and test.jsonl with the columns tokens and ner_tags, as
recipes/minilm_wnut17.yaml wants them. With every seed each tool trains once, in a fresh process:

    hfft     recipes/minilm_wnut17.yaml
    Trainer  as transformers' example run_ner.py: words cut into pieces, the first piece of a word learnt, texts cut off
             at the recipe's length; the same epochs, batch size, learning rate, warm-up, schedule, weight decay and
             precision; as in the recipe the weights of the epoch with the best F1 on validation.jsonl are kept

`hfft evaluate` scores the saved models of both tools, and reads long texts in windows. What differs, and whom it helps,
beyond what vs_trainer.py says of logging and seeds:

- Batches. hfft puts texts of like length together, Trainer mixes them.
- Long texts. hfft learns from them in windows, Trainer cuts them off, while training and to choose the best epoch.
- Clocks. Evaluations are in neither `seconds`; in Trainer's are the weights that it saves after each epoch.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import shared
from datasets import Dataset
from seqeval.metrics import f1_score
from shared import Comparison, Tool
from transformers import AutoModelForTokenClassification, DataCollatorForTokenClassification, Trainer, TrainingArguments

from hfft.recipe import Recipe

FILES = ("train.jsonl", "validation.jsonl", "test.jsonl")
IGNORED = -100
KEEP_BEST = {
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "save_only_model": True,
    "save_total_limit": 1,
    "load_best_model_at_end": True,
    "metric_for_best_model": "f1",
}


def recipe_for(options: argparse.Namespace) -> Recipe:
    """recipes/minilm_wnut17.yaml on another folder, without test, and what the options change of it."""
    changes = {
        "data.train": options.rows and f"'train[:{options.rows}]'",
        "train.epochs": options.epochs,
        "model": options.model and json.dumps(options.model),
    }
    given = (f"{name}={value}" for name, value in changes.items() if value is not None)
    files = "data.files={train: train.jsonl, eval: validation.jsonl}"
    return shared.recipe_from("minilm_wnut17.yaml", options.data, files, *given)


def tag_trainer(recipe: Recipe, arguments: TrainingArguments) -> Trainer:
    """A Trainer for tags of words, as run_ner.py makes it."""
    tokenizer, rows = shared.backbone_of(recipe).tokenizer(), shared.rows_of(recipe)
    names = sorted({tag for part in rows.values() for tags in part[recipe.task.options["tags"]] for tag in tags})
    pieces = {split: in_pieces(recipe, tokenizer, rows[split], names) for split in ("train", "eval")}
    return Trainer(
        shared.with_head(AutoModelForTokenClassification, recipe, names),
        arguments,
        DataCollatorForTokenClassification(tokenizer),
        train_dataset=pieces["train"],
        eval_dataset=pieces["eval"],
        processing_class=tokenizer,
        compute_metrics=lambda made: {"f1": f1_of(made.predictions, made.label_ids, names)},
    )


def in_pieces(recipe: Recipe, tokenizer: Any, rows: Any, names: list[str]) -> Dataset:
    """Token ids, with the number of a word's tag at its first piece and IGNORED elsewhere, as run_ner.py has them."""
    options = recipe.task.options
    words, tags = ([row[options[column]] for row in rows] for column in ("tokens", "tags"))
    encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=options.get("max_length"))
    labels = []
    for index, told in enumerate(tags):
        places = encoded.word_ids(index)
        first = [word is not None and word != before for word, before in zip(places, [None, *places], strict=False)]
        labels.append([names.index(told[word]) if at else IGNORED for word, at in zip(places, first, strict=True)])
    return Dataset.from_dict({**encoded, "labels": labels})


def f1_of(logits: Any, labels: Any, names: list[str]) -> float:
    """Entity F1 over the words that were not cut off, by seqeval."""
    answers, truths = (
        [[names[tag] for tag in row[known]] for row, known in zip(numbers, labels != IGNORED, strict=True)]
        for numbers in (logits.argmax(-1), labels)
    )
    return f1_score(truths, answers)  # type: ignore[return-value]  # of one average it is a number


def main() -> None:
    about = "hfft beside transformers.Trainer on tags of words, on the CPU."
    parser = shared.parser_of(about, FILES, rows=None, epochs=None)
    parser.add_argument("--model", help="another model than the recipe's")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16", help="of training")
    options = shared.parsed(parser, FILES)
    recipe, settings = recipe_for(options), {"use_cpu": True, "bf16": options.precision == "bf16", **KEEP_BEST}
    tools = (
        Tool("hfft", shared.train_hfft, shared.accelerate_settings(options.precision)),
        Tool("Trainer", partial(shared.train_trainer, tag_trainer), settings),
    )
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(tools, (("hfft", "Trainer"),), "test.jsonl", options, Path(folder))
        outcomes = comparison.train(lambda *_: recipe)
        comparison.report(outcomes, f"{recipe.model.shown} on {options.data.absolute().name}, {options.precision}")


if __name__ == "__main__":
    main()

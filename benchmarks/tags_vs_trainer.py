"""hfft beside transformers.Trainer on tags of words, on the CPU: entity F1 as seqeval counts entities.

    python benchmarks/tags_vs_trainer.py --data path/to/wnut17 --output out.json

The folder holds train.jsonl, validation.jsonl and test.jsonl with the columns tokens and ner_tags, as
recipes/minilm_wnut17.yaml wants them. With every seed each tool trains once, in a fresh process:

    hfft     recipes/minilm_wnut17.yaml
    Trainer  as transformers' example run_ner.py: words cut into pieces, the first piece of a word learnt, texts cut off
             at the recipe's length; the same epochs, batch size, learning rate, warm-up, schedule, weight decay and
             precision; as in the recipe the weights of the epoch with the best F1 on validation.jsonl are kept

What is scored are each tool's own answers to test.jsonl, in the precision of training: hfft's file of predictions, and
those of `Trainer.predict`, with O for words that were cut off. Entities are counted by seqeval in its default mode;
intervals draw documents.

What differs, and whom it helps, beyond what vs_trainer.py says of logging and seeds:

- Batches. hfft puts texts of like length together, Trainer mixes them.
- Long texts. hfft reads them in windows and joins the answers, Trainer cuts them off.
- Clocks. Evaluations are in neither `seconds`; in Trainer's are the weights that it saves after each epoch.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measure import Kind, Outcome, Scored, Tool, Trained, backbone_of, fitted, measured_in, trainer_arguments
from seeded import report_seeded, seeded_options, seeded_parser, tools_for
from vs_trainer import ROOT, train_all

from hfft.io.run_folder import RunFolder
from hfft.recipe import Recipe

FILES = ("train.jsonl", "validation.jsonl", "test.jsonl")
PAIRS = (("hfft", "Trainer"),)
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
    """recipes/minilm_wnut17.yaml on another folder, and what the options change of it."""
    changes = {"data.train": options.rows and f"'train[:{options.rows}]'", "train.epochs": options.epochs}
    model = {"model": options.model and json.dumps(options.model)}
    return Recipe.load(
        ROOT / "recipes" / "minilm_wnut17.yaml",
        f"data.root={json.dumps(str(options.data.absolute()))}",
        *(f"{name}={value}" for name, value in {**changes, **model}.items() if value is not None),
    )


def measured(tool: Tool, recipe: Recipe) -> list[Outcome]:
    """Trains in this process, which should be fresh, and scores the answers to test.jsonl."""
    with tempfile.TemporaryDirectory() as folder:
        return [measured_in(Path(folder), tool, recipe, TAGS)[0]]


def train_trainer(recipe: Recipe, folder: Path, settings: dict[str, Any]) -> Trained:
    """Trains with transformers.Trainer, and writes its answers to test.jsonl where hfft writes its own."""
    import torch
    from transformers import AutoModelForTokenClassification, DataCollatorForTokenClassification, Trainer, set_seed

    began = time.perf_counter()
    set_seed(recipe.train.seed)  # a new head's weights
    pretrained, column = backbone_of(recipe), recipe.task.options["tags"]
    tokenizer, rows = pretrained.tokenizer(), {name: read_rows(recipe, name) for name in FILES}
    names = sorted({tag for part in rows.values() for row in part for tag in row[column]})
    pieces = {name: in_pieces(recipe, tokenizer, rows[name], names) for name in FILES}
    model = AutoModelForTokenClassification.from_pretrained(
        pretrained.place,
        num_labels=len(names),
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
        dtype=torch.float32,
    )
    trainer = Trainer(
        model,
        trainer_arguments(recipe, folder, {**settings, **KEEP_BEST}),
        DataCollatorForTokenClassification(tokenizer),
        train_dataset=pieces["train.jsonl"],
        eval_dataset=pieces["validation.jsonl"],
        compute_metrics=lambda made: {"f1": f1_of(made.predictions, made.label_ids, names)},
    )
    trained = fitted(trainer, tokenizer, recipe, folder, began)
    answered = trainer.predict(pieces["test.jsonl"])  # type: ignore[arg-type]
    answers = tags_of(answered.predictions, answered.label_ids, names)
    places, truths = pieces["test.jsonl"]["words"], [row[column] for row in rows["test.jsonl"]]
    write_answers(RunFolder(folder).predictions("test"), answers, places, truths)
    return trained


def read_rows(recipe: Recipe, name: str) -> list[dict[str, list[str]]]:
    """Reads a file of `data.root`; of train.jsonl what `data.train` names."""
    lines = Path(recipe.data.root, name).read_text(encoding="utf-8").splitlines()
    count = recipe.data.train.removeprefix("train").strip("[:]") if name == "train.jsonl" else ""
    return [json.loads(line) for line in lines[: int(count) if count else None]]


def in_pieces(recipe: Recipe, tokenizer: Any, rows: Sequence[dict[str, list[str]]], names: list[str]) -> Any:
    """Token ids, with the number of a word's tag at its first piece and IGNORED elsewhere, as run_ner.py has them.

    The column `words` has the numbers of the words that have a first piece, where answers are put: Trainer drops it.
    """
    from datasets import Dataset

    options = recipe.task.options
    number = {name: index for index, name in enumerate(names)}
    words = [row[options["tokens"]] for row in rows]
    encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=options["max_length"])
    labels, seen = [], []
    for index, row in enumerate(rows):
        places, tags = encoded.word_ids(index), row[options["tags"]]
        first = [word is not None and word != before for word, before in zip(places, [None, *places], strict=False)]
        labels.append([number[tags[word]] if at else IGNORED for word, at in zip(places, first, strict=True)])
        seen.append([word for word, at in zip(places, first, strict=True) if at])
    return Dataset.from_dict({**encoded, "labels": labels, "words": seen})


def tags_of(logits: Any, labels: Any, names: list[str]) -> list[list[str]]:
    """The tags answered at first pieces, those that `labels` does not ignore."""
    best = logits.argmax(-1)
    return [[names[tag] for tag in row[known]] for row, known in zip(best, labels != IGNORED, strict=True)]


def f1_of(logits: Any, labels: Any, names: list[str]) -> float:
    """Entity F1 over the words that were not cut off."""
    truths = [[names[tag] for tag in row[row != IGNORED]] for row in labels]
    return entity_f1(tags_of(logits, labels, names), truths).value


def entity_f1(answers: Sequence[list[str]], truths: Sequence[list[str]]) -> Scored:
    """Counts entities document by document; 2 x right / (answered + there are) of all is seqeval's micro F1."""
    from seqeval.metrics.sequence_labeling import get_entities

    found = [(set(get_entities(tags)), set(get_entities(truth))) for tags, truth in zip(answers, truths, strict=True)]
    return Scored("entity F1", [2 * len(a & b) for a, b in found], [len(a) + len(b) for a, b in found])


def write_answers(
    file: Path, answers: Sequence[list[str]], places: Sequence[list[int]], truths: Sequence[list[str]]
) -> None:
    """Writes answers as hfft does: `places` are the words they are of; O for words cut off or without a token."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", encoding="utf-8") as opened:
        for tags, words, truth in zip(answers, places, truths, strict=True):
            answer = dict(zip(words, tags, strict=True))
            row = {"answer": [answer.get(word, "O") for word in range(len(truth))], "truth": truth}
            opened.write(f"{json.dumps(row)}\n")


def scored(model: Path, recipe: Recipe) -> Scored:
    """Scores the answers to test.jsonl that lie beside the saved model."""
    lines = RunFolder(model.parent).predictions("test").read_text(encoding="utf-8").splitlines()
    truths = [row[recipe.task.options["tags"]] for row in read_rows(recipe, "test.jsonl")]
    return entity_f1([json.loads(line)["answer"] for line in lines], truths)


TAGS = Kind("AutoModelForTokenClassification", "tokenizer", scored)


def main() -> None:
    """Reads the options, trains, compares."""
    parser = seeded_parser("hfft beside transformers.Trainer on tags of words, on the CPU.", FILES)
    parser.add_argument("--model", help="another model than the recipe's")
    parser.add_argument("--rows", type=int, help="training rows, the first of the file; default: all")
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    options = seeded_options(parser, FILES)
    recipe = recipe_for(options)
    outcomes = train_all(tools_for(options.precision, train_trainer), recipe, options.seeds, measured)
    title = f"{recipe.model.shown} on {options.data.absolute().name}, {options.precision}"
    setup = {"rows": options.rows, "epochs": recipe.train.epochs, "batch_size": recipe.train.batch_size}
    report_seeded(outcomes, PAIRS, title, setup, options)


if __name__ == "__main__":
    main()

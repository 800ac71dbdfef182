"""hfft beside transformers.Trainer on images: a new head first, then all of the model, on the CPU.

    python benchmarks/images_vs_trainer.py --data path/to/fashion_mnist --model path/to/mobilenet_v2 --output out.json

The folder holds train.parquet and test.parquet with the columns image and label, as recipes/mobilenet_local.yaml wants
them. With every seed each tool trains a new head; then each goes on from the model that it saved and trains all of it,
in another fresh process:

    hfft            recipes/mobilenet_local.yaml, with the overrides that its header gives for the head
    Trainer         the same rows, epochs, batch size, precision, warm-up, schedule, weight decay, peak learning rates
                    and views (by hfft's own function); for the head with `requires_grad_(False)` on the rest
    Trainer mended  the same with the momentum of BatchNorm that hfft sets (`hfft.tuning.train_mode.slow_down`).
                    transformers' MobileNetV2 has one that keeps the statistics of the last batch alone.

What differs, and whom it helps, beyond what vs_trainer.py says of saving, logging and seeds:

- All of the model: hfft's recipe lets lower blocks learn slower (`tune.layer_decay`), which Trainer cannot.
- The head alone: the rest's BatchNorm statistics stay as they are in hfft; in Trainer they move.
- Weight decay spares all biases and norms in hfft. Trainer goes by names, which miss MobileNetV2's BatchNorm.
- hfft lays a batch's pixels out channels last, which is faster on the CPU.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shared
from datasets import ClassLabel, Image
from shared import Comparison, Tool
from transformers import AutoModelForImageClassification, Trainer, TrainingArguments

from hfft.io.run_folder import RunFolder
from hfft.models.image_size import seen_size, set_size
from hfft.recipe import Recipe
from hfft.recipe.sections import ModelSection
from hfft.tasks.image_classification.views import AugmentOptions, training_view
from hfft.tuning.train_mode import slow_down

HEAD_ONLY = ("model.new_head=true", "tune.freeze.blocks=all", "tune.layer_decay=1", "optim.lr=3e-3")
FILES = ("train.parquet", "test.parquet")
PHASES = ("head only", "full")
PAIRS = tuple((f"hfft {phase}", f"{other} {phase}") for phase in PHASES for other in ("Trainer", "Trainer mended"))


def recipe_for(options: argparse.Namespace, epochs: int, *overrides: str) -> Recipe:
    """recipes/mobilenet_local.yaml on other rows and from another model, with nothing to score."""
    rows = ("data.files={train: train.parquet}", f"data.train='train[:{options.rows}]'", f"train.epochs={epochs}")
    model = f"model={json.dumps(str(options.model.absolute()))}"
    return shared.recipe_from("mobilenet_local.yaml", options.data, *rows, model, *overrides)


def image_trainer(recipe: Recipe, arguments: TrainingArguments, mended: bool = False) -> Trainer:
    """A Trainer for images; what the recipe freezes is all but the head. `mended`: BatchNorm's momentum."""
    processor = shared.backbone_of(recipe).image_processor()
    set_size(processor, recipe.task.options["image_size"])
    rows, label = shared.rows_of(recipe)["train"], recipe.task.options["label"]
    kind = rows.features[label]
    shown = [str(kind.int2str(value)) if isinstance(kind, ClassLabel) else str(value) for value in rows[label]]
    names = sorted(set(shown))
    model = shared.with_head(AutoModelForImageClassification, recipe, names)
    if mended:
        slow_down(model)
    rows = rows.cast_column(recipe.task.options["image"], Image(mode="RGB"))
    rows = rows.remove_columns(label).add_column("labels", [names.index(name) for name in shown])
    rows.set_transform(partial(views, recipe=recipe, processor=processor))
    return Trainer(shared.as_tuned(model, recipe), arguments, train_dataset=rows, processing_class=processor)


def views(rows: dict[str, list[Any]], recipe: Recipe, processor: Any) -> dict[str, Any]:
    """Training views of some rows, cropped and flipped as numpy's global state, which Trainer seeds, decides."""
    options, images = recipe.task.options, rows[recipe.task.options["image"]]
    if options["augment"] is None:
        return {**processor(images, return_tensors="pt"), "labels": rows["labels"]}
    augment, size = AugmentOptions(**options["augment"]), seen_size(processor)
    generator = np.random.default_rng(np.random.randint(2**31))
    seen = [training_view(image, size, augment, processor.resample, generator) for image in images]
    pixels = processor(seen, do_resize=False, do_center_crop=False, return_tensors="pt")["pixel_values"]
    return {"pixel_values": pixels, "labels": rows["labels"]}


def tools_for(precision: str) -> list[Tool]:
    settings = {"use_cpu": True, "bf16": precision == "bf16", "remove_unused_columns": False}
    trainers = {"Trainer": image_trainer, "Trainer mended": partial(image_trainer, mended=True)}
    return [
        Tool("hfft", shared.train_hfft, shared.accelerate_settings(precision)),
        *(Tool(name, partial(shared.train_trainer, made), settings) for name, made in trainers.items()),
    ]


def main() -> None:
    parser = shared.parser_of("hfft beside transformers.Trainer on images, on the CPU.", FILES, rows=6000, epochs=8)
    parser.add_argument("--model", type=Path, required=True, help="folder of a pretrained image encoder")
    parser.add_argument("--head-epochs", type=int, default=3, help="epochs of the head alone, before --epochs of all")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16", help="of training")
    options = shared.parsed(parser, FILES)
    head, full = recipe_for(options, options.head_epochs, *HEAD_ONLY), recipe_for(options, options.epochs)
    tools = tools_for(options.precision)
    with tempfile.TemporaryDirectory() as folder:
        heads, fulls = (
            Comparison([replace(tool, name=f"{tool.name} {phase}") for tool in tools], PAIRS, FILES[1], options, runs)
            for phase in PHASES
            for runs in [Path(folder)]
        )

        def going_on(tool: Tool, seed: int) -> Recipe:
            trained = RunFolder(Path(folder, tool.name.replace("full", "head only"))).seed(seed).model
            return full.model_copy(update={"model": ModelSection(name=str(trained))})

        outcomes = [*heads.train(lambda *_: head), *fulls.train(going_on)]
        rows = f"{options.rows:,} images of {options.data.absolute().name}"
        fulls.report(outcomes, f"{options.model.name} on {rows}, {options.precision}")


if __name__ == "__main__":
    main()

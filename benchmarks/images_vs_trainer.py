"""hfft beside transformers.Trainer on images: a new head first, then all of the model, on the CPU.

    python benchmarks/images_vs_trainer.py --data path/to/fashion_mnist --model path/to/mobilenet_v2 --output out.json

The folder holds train.parquet and test.parquet with the columns image and label, as recipes/mobilenet_local.yaml wants
them; of train the first --rows rows are used. With every seed each tool trains a new head, then goes on from the saved
model and trains all of it, both in one fresh process:

    hfft            recipes/mobilenet_local.yaml, with the overrides that its header gives for the head
    Trainer         the same rows, epochs, batch size, precision, warm-up, schedule, weight decay, peak learning rates
                    and size of images; for the head with `requires_grad_(False)` on the rest
    Trainer mended  the same with the momentum of BatchNorm that hfft sets (`hfft.tuning.train_mode.slow_down`).
                    transformers' MobileNetV2 has one that keeps the statistics of the last batch alone.

Trainer's training images come from hfft's own function for views, by `set_transform`, so the crops and flips are of
the same kind. Afterwards plain transformers scores each saved model on test.parquet, in float32, by the same lines.

What differs, and whom it helps, beyond what vs_trainer.py says of saving, logging and seeds:

- All of the model: hfft's recipe lets lower blocks learn slower (`tune.layer_decay`), which Trainer cannot.
- The head alone: the rest's BatchNorm statistics stay as they are in hfft; Trainer has the whole model in training
  mode, so they move.
- Weight decay spares all biases and norms in hfft. Trainer goes by names, which miss MobileNetV2's BatchNorm.
- hfft lays a batch's pixels out channels last, which is faster on the CPU.
- Learning rate of the first step: 0 in Trainer.
- The peak of memory is that of the process, so that of the whole model's run has the head's and its scoring in it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from measure import (
    SCORING_BATCH,
    Kind,
    Outcome,
    Scored,
    Tool,
    Trained,
    backbone_of,
    fitted,
    measured_in,
    train_rows,
    trainer_arguments,
)
from seeded import report_seeded, seeded_options, seeded_parser, tools_for
from vs_trainer import ROOT, train_all, with_seed

from hfft.recipe import Recipe
from hfft.recipe.sections import ModelSection

HEAD_ONLY = ("model.new_head=true", "tune.freeze.blocks=all", "tune.layer_decay=1", "optim.lr=3e-3")
FILES = ("train.parquet", "test.parquet")
PHASES = ("head only", "full")
PAIRS = tuple((f"hfft {phase}", f"{other} {phase}") for phase in PHASES for other in ("Trainer", "Trainer mended"))


def recipe_for(options: argparse.Namespace, epochs: int, *overrides: str) -> Recipe:
    """recipes/mobilenet_local.yaml on other rows and from another model, with nothing to score."""
    return Recipe.load(
        ROOT / "recipes" / "mobilenet_local.yaml",
        f"data.root={json.dumps(str(options.data.absolute()))}",
        "data.files={train: train.parquet}",
        f"data.train='train[:{options.rows}]'",
        f"model={json.dumps(str(options.model.absolute()))}",
        f"train.epochs={epochs}",
        *overrides,
    )


def head_then_all(head: Recipe, tool: Tool, recipe: Recipe) -> list[Outcome]:
    """Trains a new head, then all of the model that came of it, with the seed of `recipe`."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, name) for name in ("head", "full")]
        for place in places:
            place.mkdir()
        first, model = measured_in(places[0], tool, with_seed(head, recipe.train.seed), IMAGES)
        going_on = recipe.model_copy(update={"model": ModelSection(name=str(model))})
        second, _ = measured_in(places[1], tool, going_on, IMAGES)
    return [replace(first, tool=f"{tool.name} head only"), replace(second, tool=f"{tool.name} full")]


def train_trainer(recipe: Recipe, folder: Path, settings: dict[str, Any], mended: bool = False) -> Trained:
    """Trains with transformers.Trainer; what the recipe freezes is all but the head. `mended`: BatchNorm's momentum."""
    import torch
    from transformers import AutoModelForImageClassification, Trainer, set_seed

    from hfft.models.image_size import set_size
    from hfft.tuning.train_mode import slow_down

    began = time.perf_counter()
    set_seed(recipe.train.seed)  # a new head's weights
    pretrained = backbone_of(recipe)
    processor = pretrained.image_processor()
    set_size(processor, recipe.task.options["image_size"])
    rows = read_rows(recipe, "train.parquet", folder, train_rows(recipe))
    names = sorted(set(rows[recipe.task.options["label"]]))
    model = AutoModelForImageClassification.from_pretrained(
        pretrained.place,
        num_labels=len(names),
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
        ignore_mismatched_sizes=True,
        dtype=torch.float32,
    )
    if mended:
        slow_down(model)
    if recipe.tune.freeze is not None:
        model.base_model.requires_grad_(False)
    rows.set_transform(partial(shown, recipe=recipe, processor=processor, label2id=model.config.label2id))
    arguments = trainer_arguments(recipe, folder, {**settings, "remove_unused_columns": False})
    return fitted(Trainer(model, arguments, train_dataset=rows), processor, recipe, folder, began)


def shown(rows: dict[str, list[Any]], recipe: Recipe, processor: Any, label2id: dict[str, int]) -> dict[str, Any]:
    """Training views of some rows, cropped and flipped as numpy's global state, which Trainer seeds, decides."""
    import numpy as np

    from hfft.models.image_size import seen_size
    from hfft.tasks.image_classification.views import AugmentOptions, training_view

    options = recipe.task.options
    augment, size = AugmentOptions(**options["augment"]), seen_size(processor)
    generator = np.random.default_rng(np.random.randint(2**31))
    views = [training_view(image, size, augment, processor.resample, generator) for image in rows[options["image"]]]
    pixels = processor(views, do_resize=False, do_center_crop=False, return_tensors="pt")["pixel_values"]
    return {"pixel_values": pixels, "labels": [label2id[name] for name in rows[options["label"]]]}


def read_rows(recipe: Recipe, name: str, folder: Path, count: int | None = None) -> Any:
    """Reads a parquet file of `data.root`, or its first rows, by way of a cache in `folder`.

    Images are in colour, labels are told by name.
    """
    from datasets import ClassLabel, Dataset, Image

    image, label = recipe.task.options["image"], recipe.task.options["label"]
    rows = Dataset.from_parquet(str(Path(recipe.data.root, name)), cache_dir=str(folder / "rows"))
    assert isinstance(rows, Dataset)
    rows = rows.take(min(len(rows), count)) if count is not None else rows
    kind = rows.features[label]
    names = [kind.int2str(value) if isinstance(kind, ClassLabel) else str(value) for value in rows[label]]
    return rows.remove_columns(label).add_column(label, names).cast_column(image, Image(mode="RGB"))


def scored(model: Path, recipe: Recipe) -> Scored:
    """Which rows of test.parquet the saved model gets right: plain transformers, in float32 on the CPU."""
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    image, label = recipe.task.options["image"], recipe.task.options["label"]
    rows = read_rows(recipe, "test.parquet", model.parent)
    loaded = AutoModelForImageClassification.from_pretrained(model, dtype=torch.float32).eval()
    processor = AutoImageProcessor.from_pretrained(model)
    correct: list[int] = []
    for batch in rows.iter(SCORING_BATCH):
        pixels = processor(batch[image], return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            answers = loaded(pixel_values=pixels).logits.argmax(-1).tolist()
        answered = [loaded.config.id2label[answer] for answer in answers]
        correct += [int(mine == truth) for mine, truth in zip(answered, batch[label], strict=True)]
    return Scored("accuracy", correct, [1] * len(correct))


IMAGES = Kind("AutoModelForImageClassification", "image_processor", scored)


def main() -> None:
    """Reads the options, trains, compares."""
    parser = seeded_parser("hfft beside transformers.Trainer on images, on the CPU.", FILES)
    parser.add_argument("--model", type=Path, required=True, help="folder of a pretrained image encoder")
    parser.add_argument("--rows", type=int, default=6000, help="training rows, the first of the file")
    parser.add_argument("--head-epochs", type=int, default=3, help="epochs of the head alone")
    parser.add_argument("--epochs", type=int, default=8, help="epochs of all of the model, after those of the head")
    options = seeded_options(parser, FILES)
    head, full = recipe_for(options, options.head_epochs, *HEAD_ONLY), recipe_for(options, options.epochs)
    hfft, trainer = tools_for(options.precision, train_trainer)
    tools = (hfft, trainer, replace(trainer, name="Trainer mended", train=partial(train_trainer, mended=True)))
    outcomes = train_all(tools, full, options.seeds, partial(head_then_all, head))
    title = f"{options.model.name} on {options.rows:,} images of {options.data.absolute().name}, {options.precision}"
    setup = {
        "rows": options.rows,
        "head_epochs": options.head_epochs,
        "epochs": options.epochs,
        "batch_size": full.train.batch_size,
    }
    report_seeded(outcomes, PAIRS, title, setup, options)


if __name__ == "__main__":
    main()

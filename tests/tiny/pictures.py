"""Tiny examples of image classification."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset, Features
from datasets import Image as ImageFeature
from PIL import Image

from tests.tiny.vision import resnet, vit

COLOURS = {"red": 0, "green": 1, "blue": 2}
"""The classes, and the channel that gives each away: any part of a picture does, and its mirror image too."""

SPLITS = (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2))


def image_classification(folder: Path) -> dict[str, Any]:
    """Three colours of noise, in pictures of 20 to 40 pixels; ViT with 3 blocks of 32 units."""
    vit(folder / "model")
    for split, rows, seed in SPLITS:
        write_pictures(folder / f"{split}.parquet", pictures(rows, seed))
    return {
        "task": {"name": "image-classification"},
        "data": {"root": str(folder), "files": {split: f"{split}.parquet" for split, _, _ in SPLITS}},
        "model": str(folder / "model"),
        "optim": {"lr": 3e-3},
        "train": {"epochs": 3, "batch_size": 8, "log_every": 4},
    }


def image_folder(folder: Path) -> dict[str, Any]:
    """The pictures of `image_classification` as files, PNG and JPEG, a folder for each class."""
    recipe = image_classification(folder)
    for split, rows, seed in SPLITS:
        for number, row in enumerate(pictures(rows, seed)):
            file = folder / split / list(COLOURS)[row["label"]] / f"{number:03d}.{'jpg' if number % 3 else 'png'}"
            file.parent.mkdir(parents=True, exist_ok=True)
            row["image"].save(file)
    files = {split: split for split, _, _ in SPLITS}
    return {**recipe, "data": {**recipe["data"], "files": files}}


def mixed_images(folder: Path) -> dict[str, Any]:
    """The pictures of `image_classification` with every change at random that there is."""
    recipe = image_classification(folder)
    colour = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.05}
    change = {"policy": "randaugment", "mixup": 0.2, "cutmix": 1.0, "erasing": 0.25, **colour, "rotation": 10}
    return {**recipe, "task": {**recipe["task"], "augment": change}}


def conv(folder: Path) -> dict[str, Any]:
    """The pictures of `image_classification`, seen by a ResNet with 3 blocks, whose BatchNorm stands still."""
    recipe = image_classification(folder)
    resnet(folder / "model")
    return {**recipe, "tune": {"batch_norm": "eval"}, "optim": {"lr": 1e-2}}


def resized(folder: Path) -> dict[str, Any]:
    """The pictures of `image_classification`, seen at 24x24 by a ViT that has places for 16x16."""
    recipe = image_classification(folder)
    return {**recipe, "task": {**recipe["task"], "image_size": 24}}


def pictures(rows: int, seed: int) -> list[dict[str, Any]]:
    """Rows of `image`, of any size from 20x20 to 40x40, and `label`, the number of its colour; of unequal share."""
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(rows):
        label = int(draw.choice(len(COLOURS), p=[0.5, 0.3, 0.2]))
        height, width = draw.integers(20, 41, size=2)
        pixels = draw.integers(0, 160, size=(height, width, 3))
        pixels[..., label] += draw.integers(40, 96)
        made.append({"image": Image.fromarray(pixels.astype(np.uint8)), "label": label})
    return made


def write_pictures(
    path: Path,
    rows: list[dict[str, Any]],
    image: str = "image",
    label: str = "label",
    names: list[str] | None = None,
) -> None:
    """Writes pictures as parquet, as the Hub has them: the bytes of PNG files, and numbers with names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    features = Features({image: ImageFeature(), label: ClassLabel(names=names or list(COLOURS))})
    made = [{image: {"bytes": png(row["image"]), "path": None}, label: row["label"]} for row in rows]
    Dataset.from_list(made, features=features).to_parquet(path)


def png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()

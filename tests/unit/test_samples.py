"""The sheet of training images: what stands on it is what the model sees."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import hfft
from hfft.errors import DataError, RecipeError
from hfft.samples import CELL, EPOCHS, EXAMPLES, GAP, LINE


def sheet(recipe, folder, *overrides):
    hfft.plan(hfft.Recipe.from_dict(recipe, *overrides), samples=folder)
    with Image.open(folder / "train.png") as image:
        return image.copy()


def cells(image, side, columns):
    """The pictures of the first line, as arrays of `(side, side, 3)`."""
    top, step = 2 * GAP + 2 * LINE, side + GAP
    pixels = np.asarray(image)
    return [pixels[top : top + side, GAP + n * step : GAP + n * step + side] for n in range(columns)]


def test_a_line_shows_an_example_as_scored_and_as_seen_in_each_epoch(tiny, tmp_path):
    image = sheet(tiny("image-classification"), tmp_path / "new" / "samples")
    side = CELL  # 16 pixels, each drawn as a square of 10
    assert image.size == (GAP + (1 + EPOCHS) * (side + GAP), 2 * LINE + 2 * GAP + EXAMPLES * (side + 2 * LINE + GAP))
    found = cells(image, side, 1 + EPOCHS)
    assert all((cell[:10, :10] == cell[0, 0]).all() for cell in found)
    assert len({cell.tobytes() for cell in found}) == len(found)  # every epoch shows another view


def test_without_augmentation_there_is_one_view(tiny, tmp_path):
    image = sheet(tiny("image-classification"), tmp_path, "task.augment=null")
    assert image.width == 2 * GAP + CELL


def test_the_same_recipe_draws_the_same_sheet_and_another_seed_another(tiny, tmp_path):
    recipe = tiny("mixed-images")
    first, second, other = (
        np.asarray(sheet(recipe, tmp_path / name, f"train.seed={seed}"))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert (first == second).all()
    assert (first != other).any()


def test_what_cannot_be_drawn_is_said(tiny, tmp_path):
    with pytest.raises(RecipeError, match="shows pictures, but the task 'text-classification' has none"):
        hfft.plan(hfft.Recipe.from_dict(tiny("text-classification")), samples=tmp_path)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="cannot be written to"):
        sheet(tiny("image-classification"), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"

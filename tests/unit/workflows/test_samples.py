"""The sheet of training images: what stands on it is what the model sees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import hfft
from hfft.cli import main
from hfft.errors import DataError, RecipeError
from hfft.workflows.samples import CELL, EPOCHS, EXAMPLES, GAP, LINE
from tests.tiny.pictures import pictures, write_pictures


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


@pytest.mark.parametrize(("name", "drawn"), [("grün", "grun"), ("红", r"\u7ea2")])
def test_titles_are_drawn_in_the_signs_that_the_font_has(tiny, tmp_path, name, drawn):
    recipe = tiny("image-classification")
    sheets = []
    for number, label in enumerate((name, drawn)):
        files = {split: str(tmp_path / f"{number}" / f"{split}.parquet") for split in ("train", "eval")}
        for file in files.values():
            write_pictures(Path(file), pictures(9, 0), names=[label, "b", "c"])
        made = {**recipe, "data": {"files": files}}
        sheets.append(np.asarray(sheet(made, tmp_path / f"{number}")))
    assert (sheets[0] == sheets[1]).all()


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_command_says_where_the_sheet_is(tiny, tmp_path, capsys, options):
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tiny("image-classification")))
    with pytest.raises(SystemExit) as caught:
        main(["plan", str(tmp_path / "recipe.yaml"), "--samples", str(tmp_path / "new"), *options])
    assert caught.value.code == 0
    told = capsys.readouterr()
    assert (told.err if options else told.out).splitlines()[-1].endswith(f": {tmp_path / 'new' / 'train.png'}")
    assert not options or json.loads(told.out)


def test_what_cannot_be_drawn_is_said(tiny, tmp_path):
    with pytest.raises(RecipeError, match="shows pictures, but the task 'text-classification' has none"):
        hfft.plan(hfft.Recipe.from_dict(tiny("text-classification")), samples=tmp_path)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="cannot be written to"):
        sheet(tiny("image-classification"), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
